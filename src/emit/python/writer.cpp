// A module as mlx.nn classes: model.py, ops.py and a test.
#include "base/error.h"
#include "emit/code/describe.h"
#include "emit/code/files.h"
#include "emit/code/layout.h"
#include "emit/emitter.h"
#include "emit/python/files.h"
#include "emit/python/literals.h"
#include "emit/python/method.h"
#include "emit/python/support.h"

namespace godwit::emit {

namespace {

class ModuleWriter {
 public:
  ModuleWriter(const Program& program, const Options& options)
      : program_(program), options_(options), layouts_(lay_out(program)), class_(class_identifier(options.class_name)) {
    for (const auto& block : program_.blocks) write_block(*block);
    for (const Root& root : program_.roots) write_root(root);
  }

  std::string text() const {
    std::string out = fmt::format("\"\"\"{}, written by godwit.\"\"\"\n", title(*program_.module));
    out += "from pathlib import Path\n\nimport mlx.core as mx\nimport mlx.nn as nn\n";
    if (!functions_.empty()) out += "\nimport ops\n";
    out += fmt::format("\nFOLDER = Path(__file__).resolve().parent\nWEIGHTS = FOLDER / {}\n",
                       text_literal(options_.weights));
    if (!layouts_.aliases.empty()) {
      out += "\n# Weights that the file has under other names.\nSTORED_NAMES = {\n";
      for (const auto& [name, stored] : layouts_.aliases)
        out += fmt::format("    {}: {},\n", text_literal(name), text_literal(stored));
      out += "}\n";
    }
    out += "\n\ndef read_weights(path=WEIGHTS):\n    weights = mx.load(str(path))\n";
    if (has_constants(program_)) out += "    weights.update(mx.load(str(FOLDER / \"constants.safetensors\")))\n";
    if (!layouts_.aliases.empty())
      out += "    for name, stored in STORED_NAMES.items():\n        weights[name] = weights[stored]\n";
    out += "    return weights\n" + blocks_;
    out += fmt::format("\n\nclass {}(nn.Module):\n    def __init__(self, weights=None):\n        super().__init__()\n",
                       class_);
    if (!layouts_.model.fields.empty() || !layouts_.model.members.empty())
      out += "        weights = weights or read_weights()\n";
    out += constructor(layouts_.model, true);
    for (const std::string& field : states_) out += fmt::format("        self.{} = None\n", field);
    return out + methods_;
  }

  const std::set<std::string>& functions() const { return functions_; }
  const std::string& class_name() const { return class_; }

 private:
  std::string constructor(const Layout& layout, bool is_model) const {
    std::string out;
    // The name of a part's weights up to its own: a literal, or an f-string around `at` and `index`.
    auto path = [&](const std::string& below, const std::string& index) {
      if (is_model && index.empty()) return text_literal(layouts_.prefix + below);
      return "f" + text_literal((is_model ? in_braces(layouts_.prefix) : "{at}") + in_braces(below) + index);
    };
    for (const Field& f : layout.fields)
      out += fmt::format("        self.{} = weights[{}]  # {}\n", f.name,
                         is_model ? text_literal(f.suffix) : "at + " + text_literal(f.suffix), ir::str(f.weight->type));
    for (const Member& m : layout.members) {
      const std::string below = m.path.empty() ? "" : m.path + ".";
      if (m.count == 0) {
        out += fmt::format("        self.{} = {}(weights, {})\n", m.name, m.block->name, path(below, ""));
        continue;
      }
      const std::string range =
          m.first_index ? fmt::format("{}, {}", m.first_index, m.first_index + m.count) : std::to_string(m.count);
      out += fmt::format("        self.{} = [{}(weights, {}) for i in range({})]\n", m.name, m.block->name,
                         path(below, "{i}."), range);
    }
    return out;
  }

  // Braces of a name mean themselves in an f-string.
  static std::string in_braces(const std::string& text) {
    std::string out;
    for (char c : text) out += c == '{' || c == '}' ? std::string(2, c) : std::string(1, c);
    return out;
  }

  static std::vector<std::string> of_self(const std::vector<std::string>& fields) {
    std::vector<std::string> out;
    for (const std::string& f : fields) out.push_back("self." + f);
    return out;
  }

  void write_block(const Block& block) {
    const Layout& layout = layouts_.blocks.at(&block);
    PythonMethod method(program_, block, of_self(layouts_.fields[&block]), layout.member_of, functions_);
    std::vector<std::string> names;
    for (const ir::Value* v : block.parameters)
      names.push_back(method.define_parameter(v, parameter_name(v, names.size())));
    method.statements(block.body);
    method.line(fmt::format("return {}", fmt::join(method.values(block.results), ", ")));
    std::vector<std::string> list{"self"};
    list.insert(list.end(), names.begin(), names.end());
    for (size_t i = 0; i < block.symbols.size(); ++i) list.push_back(method.symbol_parameter(i));
    blocks_ += fmt::format(
        "\n\nclass {}(nn.Module):\n    # {}\n    def __init__(self, weights, at):\n        super().__init__()\n{}",
        block.name, places_of(block), constructor(layout, false));
    blocks_ += fmt::format("\n    def __call__({}):\n", fmt::join(list, ", "));
    if (!block.mixed_shapes)
      blocks_ += fmt::format("        # {}\n", shapes_of(names, block.parameters, block.results));
    blocks_ += method.text();
  }

  void write_root(const Root& root) {
    const ir::Graph& graph = *root.graph;
    const bool is_main = graph.name == "main";
    PythonMethod method(program_, *root.block, of_self(layouts_.fields[root.block.get()]), layouts_.model.member_of,
                        functions_);
    std::vector<std::string> list{"self"}, names;
    for (const ir::Value* v : graph.inputs) {
      names.push_back(method.define_parameter(v, v->name));
      list.push_back(names.back());
    }
    std::vector<std::string> kept;
    for (const ir::State& state : graph.states) kept.push_back(read_state(root, state, method));
    for (size_t i = 0; i < graph.outputs.size(); ++i) method.prefer(graph.outputs[i], graph.output_names[i]);
    method.statements(root.block->body);
    for (size_t i = 0; i < graph.states.size(); ++i)
      method.line(fmt::format("{} = {}", kept[i], method.value(graph.states[i].after)));
    method.line(fmt::format("return {}", fmt::join(method.values(root.block->results), ", ")));
    methods_ +=
        fmt::format("\n    def {}({}):\n", is_main ? "__call__" : identifier(graph.name), fmt::join(list, ", "));
    methods_ +=
        fmt::format("        # {}\n", shapes_of(names, root.block->parameters, root.block->results)) + method.text();
    if (kept.empty()) return;
    methods_ += fmt::format("\n    def {}(self):\n", is_main ? "reset" : "reset_" + identifier(graph.name));
    for (const std::string& field : kept) methods_ += fmt::format("        {} = None\n", field);
  }

  std::string read_state(const Root& root, const ir::State& state, PythonMethod& method) {
    const std::string field =
        identifier(root.graph->name == "main" ? state.name : root.graph->name + "_" + state.name) + "_state";
    states_.push_back(field);
    const std::string name = method.define_parameter(state.before, state.name);
    std::string initial;
    if (has_initial(state)) {
      initial = "self." + field + "_initial";
      layouts_.model.fields.push_back({field + "_initial", initial_name(root, state), state.before});
    } else {
      method.need(state.before->shape());
      std::vector<std::string> shape;
      for (const ir::Dim& d : state.before->shape()) shape.push_back(method.dim(d));
      initial = fmt::format("mx.zeros([{}], {})", fmt::join(shape, ", "), python_mlx_dtype(state.before->dtype()));
    }
    method.line(fmt::format("{} = {} if self.{} is None else self.{}", name, initial, field, field));
    return "self." + field;
  }

  const Program& program_;
  const Options& options_;
  Layouts layouts_;
  std::string class_;
  std::set<std::string> functions_;
  std::vector<std::string> states_;
  std::string blocks_, methods_;
};

}  // namespace

void write_python(const ir::Module& module, const std::filesystem::path& dir, const Options& options) {
  const Program program = outline(module, class_identifier(options.class_name));
  const ModuleWriter writer(program, options);
  std::filesystem::create_directories(dir);
  write_file(dir / "model.py", writer.text());
  if (!writer.functions().empty()) write_file(dir / "ops.py", ops_py(writer.functions()));
  write_constants(program, dir);
  write_file(dir / "test_model.py", python_test(module, writer.class_name(), options));
}

}  // namespace godwit::emit

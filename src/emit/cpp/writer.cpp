// A module as one C++ class: model.h, model.cpp, a test and a CMakeLists.txt.
#include <algorithm>

#include "base/error.h"
#include "emit/code/describe.h"
#include "emit/code/files.h"
#include "emit/code/layout.h"
#include "emit/cpp/files.h"
#include "emit/cpp/literals.h"
#include "emit/cpp/method.h"
#include "emit/emitter.h"

namespace godwit::emit {

namespace {

struct Parameter {
  const ir::Value* value;
  std::string name;
};

class ClassWriter {
 public:
  ClassWriter(const Program& program, const Options& options)
      : program_(program), options_(options), layouts_(lay_out(program)), class_(class_identifier(options.class_name)) {
    write_blocks();
    for (const Root& root : program.roots) write_root(root);
  }

  std::string header() const {
    std::string out =
        fmt::format("// {}, written by godwit.\n#pragma once\n\n#include <godwit/ops.h>\n\n#include <tuple>\n\n",
                    title(*program_.module));
    out += fmt::format("namespace {} {{\n\nusing namespace godwit;\n\nclass {} {{\n public:\n", name_space(), class_);
    out += "  // Throws FileError where the weights do not fit.\n";
    out += fmt::format("  explicit {}({});\n", class_, constructor_parameters());
    out += methods_;
    out += fmt::format("\n private:\n{}  explicit {}(const Weights& weights);\n\n", blocks_, class_);
    out += member_declarations(layouts_.model, "  ") + states_;
    return out + "};\n\n}  // namespace " + name_space() + "\n";
  }

  std::string source() const {
    std::string out = fmt::format("// {}, written by godwit.\n#include \"model.h\"\n\nnamespace {} {{\n\n",
                                  title(*program_.module), name_space());
    if (!layouts_.aliases.empty()) {
      out +=
          "namespace {\n\n// Weights that the file has under other names.\nconst std::map<std::string, std::string> "
          "stored_names{\n";
      for (const auto& [name, stored] : layouts_.aliases)
        out += fmt::format("    {{{}, {}}},\n", text_literal(name), text_literal(stored));
      out += "};\n\n}  // namespace\n\n";
    }
    const bool constants = has_constants(program_),
               has_weights = !layouts_.model.fields.empty() || !layouts_.model.members.empty();
    out +=
        fmt::format("{0}::{0}({1})\n    : {0}(Weights({{weights{2}}}{3})) {{}}\n\n", class_, constructor_parameters(),
                    constants ? ", constants" : "", layouts_.aliases.empty() ? "" : ", stored_names");
    out += constructor(class_ + "::" + class_ + (has_weights ? "(const Weights& weights)" : "(const Weights&)"),
                       layouts_.model, text_literal(layouts_.prefix), true);
    return out + definitions_ + "}  // namespace " + name_space() + "\n";
  }

  std::string name_space() const {
    std::string out;
    for (char c : class_) {
      if (std::isupper(static_cast<unsigned char>(c)) && !out.empty() && out.back() != '_') out += '_';
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return out + "_model";
  }
  const std::string& class_name() const { return class_; }

 private:
  std::string constructor_parameters() const {
    return has_constants(program_) ? "const std::filesystem::path& weights, const std::filesystem::path& constants"
                                   : "const std::filesystem::path& weights";
  }

  static std::string member_declarations(const Layout& layout, const std::string& indent) {
    std::string out;
    for (const Field& f : layout.fields)
      out += fmt::format("{}array {};  // {}\n", indent, f.name, ir::str(f.weight->type));
    for (const Member& m : layout.members)
      out +=
          fmt::format("{}{} {};{}\n", indent, m.count ? fmt::format("std::vector<{}>", m.block->name) : m.block->name,
                      m.name, m.count ? fmt::format("  // {}", m.count) : "");
    return out;
  }

  // Reads the weights below `at`, an expression. Weights of the whole model are named in full.
  static std::string constructor(const std::string& head, const Layout& layout, const std::string& at, bool is_model) {
    std::vector<std::string> first;
    std::string body;
    auto below = [&](const std::string& name) {
      if (is_model) return text_literal(at.substr(1, at.size() - 2) + name);
      return at + " + " + text_literal(name);
    };
    for (const Field& f : layout.fields)
      first.push_back(fmt::format("{}(weights({}))", f.name, is_model ? text_literal(f.suffix) : below(f.suffix)));
    for (const Member& m : layout.members) {
      const std::string path = m.path.empty() ? "" : m.path + ".";
      if (m.count == 0) {
        first.push_back(fmt::format("{}(weights, {})", m.name, below(path)));
        continue;
      }
      const std::string index = m.first_index ? fmt::format("i + {}", m.first_index) : "i";
      body += fmt::format("  for (int i = 0; i < {}; ++i) {}.emplace_back(weights, {} + std::to_string({}) + \".\");\n",
                          m.count, m.name, is_model ? "std::string(" + below(path) + ")" : below(path), index);
    }
    std::string out = head;
    for (size_t i = 0; i < first.size(); ++i) out += (i ? ",\n      " : "\n    : ") + first[i];
    return out + (body.empty() ? " {}\n\n" : " {\n" + body + "}\n\n");
  }

  // "const array& x, int B"; what the body does not use has no name.
  static std::string parameter_list(const CppMethod& method, const std::vector<Parameter>& parameters, size_t symbols) {
    std::vector<std::string> out;
    for (const Parameter& p : parameters)
      out.push_back(
          fmt::format("const {}&{}", CppMethod::type_of(p.value), method.is_used(p.value) ? " " + p.name : ""));
    for (size_t i = 0; i < symbols; ++i) out.push_back("int " + method.symbol_parameter(i));
    return fmt::format("{}", fmt::join(out, ", "));
  }

  static std::vector<std::string> names_of(const std::vector<Parameter>& parameters) {
    std::vector<std::string> out;
    for (const Parameter& p : parameters) out.push_back(p.name);
    return out;
  }

  static std::string result_type(const std::vector<const ir::Value*>& results) {
    std::vector<std::string> types;
    for (const ir::Value* v : results) types.push_back(CppMethod::type_of(v));
    return types.size() == 1 ? types[0] : fmt::format("std::tuple<{}>", fmt::join(types, ", "));
  }

  void write_blocks() {
    for (const auto& block : program_.blocks) {
      const Layout& layout = layouts_.blocks.at(block.get());
      CppMethod method(program_, *block, layouts_.fields[block.get()], layout.member_of);
      std::vector<Parameter> parameters;
      for (const ir::Value* v : block->parameters)
        parameters.push_back({v, method.define_parameter(v, parameter_name(v, parameters.size()))});
      method.statements(block->body);
      const std::vector<std::string> results = method.values(block->results);
      method.line(results.size() == 1 ? fmt::format("return {};", results[0])
                                      : fmt::format("return {{{}}};", fmt::join(results, ", ")));

      const std::string list = parameter_list(method, parameters, block->symbols.size());
      const bool has_weights = !layout.fields.empty() || !layout.members.empty();
      const std::string constructor_list =
          has_weights ? "const Weights& weights, const std::string& at" : "const Weights&, const std::string&";
      const std::string places = places_of(*block);
      blocks_ += fmt::format("  // {}\n  struct {} {{\n{}", places, block->name, member_declarations(layout, "    "));
      if (has_weights) blocks_ += "\n";
      blocks_ += fmt::format("    {}({});\n", block->name, constructor_list);
      if (!block->mixed_shapes)
        blocks_ += fmt::format("    // {}\n", shapes_of(names_of(parameters), block->parameters, block->results));
      blocks_ += fmt::format("    {} operator()({}) const;\n  }};\n\n", result_type(block->results), list);
      const std::string scope = class_ + "::" + block->name;
      definitions_ += fmt::format("// {}\n", places);
      definitions_ += constructor(fmt::format("{}::{}({})", scope, block->name, constructor_list), layout, "at", false);
      std::string type = result_type(block->results);
      definitions_ += fmt::format("{} {}::operator()({}) const {{\n{}}}\n\n", type, scope, list, method.text());
    }
  }

  void write_root(const Root& root) {
    const ir::Graph& graph = *root.graph;
    const bool is_main = graph.name == "main";
    const std::string name = is_main ? "forward" : identifier(graph.name);
    CppMethod method(program_, *root.block, layouts_.fields[root.block.get()], layouts_.model.member_of);
    std::vector<Parameter> parameters;
    for (const ir::Value* v : graph.inputs) parameters.push_back({v, method.define_parameter(v, v->name)});
    std::vector<std::string> state_fields;
    for (const ir::State& state : graph.states) state_fields.push_back(read_state(root, state, method));
    for (size_t i = 0; i < graph.outputs.size(); ++i) method.prefer(graph.outputs[i], graph.output_names[i]);
    method.statements(root.block->body);
    for (size_t i = 0; i < graph.states.size(); ++i)
      method.line(fmt::format("{} = {};", state_fields[i], method.value(graph.states[i].after)));
    const std::vector<std::string> results = method.values(root.block->results);
    method.line(results.size() == 1 ? fmt::format("return {};", results[0])
                                    : fmt::format("return {{{}}};", fmt::join(results, ", ")));

    const std::string list = parameter_list(method, parameters, 0);
    std::string type = result_type(root.block->results), inner = type;
    if (graph.outputs.size() != 1) {
      inner = is_main ? "Outputs" : class_identifier(graph.name) + "Outputs";
      type = class_ + "::" + inner;
      methods_ += fmt::format("\n  struct {} {{\n", inner);
      Namer fields;
      for (size_t i = 0; i < graph.outputs.size(); ++i)
        methods_ += fmt::format("    {} {};  // {}\n", CppMethod::type_of(graph.outputs[i]),
                                fields.unique(identifier(graph.output_names[i])), ir::str(graph.outputs[i]->type));
      methods_ += "  };\n";
    }
    methods_ +=
        fmt::format("\n  // {}\n", shapes_of(names_of(parameters), root.block->parameters, root.block->results));
    methods_ += fmt::format("  {} {}({}){};\n", inner, name, list, graph.states.empty() ? " const" : "");
    if (!graph.states.empty()) {
      std::string reset;
      for (const std::string& field : state_fields) reset += fmt::format(" {}.reset();", field);
      methods_ +=
          fmt::format("  void {}() {{{} }}  // forgets the state\n", is_main ? "reset" : "reset_" + name, reset);
    }
    definitions_ += fmt::format("{} {}::{}({}){} {{\n{}}}\n\n", type, class_, name, list,
                                graph.states.empty() ? " const" : "", method.text());
  }

  // The state as a variable; returns the name of the field that keeps it between calls.
  std::string read_state(const Root& root, const ir::State& state, CppMethod& method) {
    const std::string field =
        identifier(root.graph->name == "main" ? state.name : root.graph->name + "_" + state.name) + "_";
    states_ += fmt::format("  std::optional<array> {};  // {}\n", field, ir::str(state.before->type));
    std::string initial;
    if (has_initial(state)) {
      const std::string constant = field + "initial";
      initial = constant;
      layouts_.model.fields.push_back({constant, initial_name(root, state), state.before});
    } else {
      method.need(state.before->shape());
      std::vector<std::string> shape;
      for (const ir::Dim& d : state.before->shape()) shape.push_back(method.dim(d));
      initial = fmt::format("mx::zeros({{{}}}, {})", fmt::join(shape, ", "), cpp_mlx_dtype(state.before->dtype()));
    }
    const std::string name = method.define_parameter(state.before, state.name);
    method.line(fmt::format("const array {} = {}.value_or({});", name, field, initial));
    return field;
  }

  const Program& program_;
  const Options& options_;
  Layouts layouts_;
  std::string class_;
  std::string blocks_, methods_, states_, definitions_;
};

}  // namespace

void write_cpp(const ir::Module& module, const std::filesystem::path& dir, const Options& options) {
  const Program program = outline(module, class_identifier(options.class_name));
  const ClassWriter writer(program, options);
  std::filesystem::create_directories(dir);
  write_file(dir / "model.h", writer.header());
  write_file(dir / "model.cpp", writer.source());
  write_constants(program, dir);
  const CppNames names{writer.class_name(), writer.name_space(), has_constants(program)};
  write_file(dir / "CMakeLists.txt", cpp_cmake(names));
  write_file(dir / "test_model.cpp", cpp_test(module, names, options));
}

}  // namespace godwit::emit

// import_pt2: inputs, weights, state and outputs around the translated program.
#include "frontends/pt2/import.h"

#include <map>

#include "base/error.h"
#include "frontends/input_value.h"
#include "frontends/pt2/translation.h"
#include "frontends/shared_memory.h"

namespace godwit::frontends {
namespace {

using namespace formats::pt2;
using aten::TensorRef;
using aten::Value;
using aten::Values;
using pt2::plain_symbol;
using pt2::Translation;

class Importer {
 public:
  Importer(const Archive& archive, const Program& program, const ImportOptions& options, Imported& out)
      : archive_(archive),
        program_(program),
        options_(options),
        out_(out),
        graph_(out.module.graphs["main"]),
        builder_(out.module, graph_),
        translation_(builder_, archive.file) {}

  void run() {
    graph_.name = "main";
    check_options();
    specialise();
    Values inputs;
    for (const InputSpec& spec : program_.inputs) inputs.push_back(input(spec));
    Values outputs = translation_.run(program_.graph, inputs);
    add_outputs(outputs);
    add_states(outputs);
    for (const auto& [text, count] : translation_.session.warnings)
      out_.warnings.push_back(count > 1 ? fmt::format("{} ({} times)", text, count) : text);
  }

 private:
  const TensorMeta& meta(const std::string& name) const {
    auto found = program_.graph.tensor_values.find(name);
    require<FileError>(found != program_.graph.tensor_values.end(), "{}: nothing is said of input '{}'", archive_.file,
                       name);
    return found->second;
  }

  void check_options() const {
    for (const auto& [name, option] : options_.inputs) {
      std::string known;
      bool found = false;
      for (const InputSpec& spec : program_.inputs) {
        if (spec.kind != InputSpec::Kind::user_input) continue;
        found = found || spec.name == name;
        known += (known.empty() ? "" : ", ") + spec.name;
      }
      require<UsageError>(found, "{}: no input is called '{}'; the inputs are {}", archive_.file, name, known);
    }
  }

  // Symbols of input shapes: themselves, or what the user says they are.
  void specialise() {
    for (const InputSpec& spec : program_.inputs) {
      if (spec.kind != InputSpec::Kind::user_input || spec.value.kind != Argument::Kind::tensor) continue;
      const TensorMeta& m = meta(spec.name);
      auto option = options_.inputs.find(spec.name);
      const bool given = option != options_.inputs.end();
      std::optional<ir::Shape> shape = given ? option->second.shape : std::nullopt;
      if (given && option->second.value && !shape) shape = ir::dims(option->second.value->shape);
      if (given && option->second.value && m.sizes.empty()) shape = ir::Shape{};
      if (given && option->second.dtype)
        require<UsageError>(m.dtype == option->second.dtype, "{}: input '{}' is {} in this program, {} is asked for",
                            archive_.file, spec.name, m.dtype ? name(*m.dtype) : "of another type",
                            name(*option->second.dtype));
      if (shape)
        require<UsageError>(shape->size() == m.sizes.size(), "{}: input '{}' has rank {}, the given shape {} has {}",
                            archive_.file, spec.name, m.sizes.size(), ir::str(*shape), shape->size());
      for (size_t i = 0; i < m.sizes.size(); ++i) {
        auto symbol = plain_symbol(m.sizes[i].expression);
        if (symbol && !translation_.symbol(*symbol))
          translation_.bind(*symbol, shape ? (*shape)[i] : ir::Dim::symbol(*symbol));
      }
    }
    // Sizes that are expressions only (2*s0) name symbols too.
    for (const InputSpec& spec : program_.inputs)
      if (spec.kind == InputSpec::Kind::user_input && spec.value.kind == Argument::Kind::tensor)
        for (const SymInt& size : meta(spec.name).sizes)
          if (!size.expression.empty())
            pt2::parse_expression(size.expression, [&](const std::string& symbol) {
              if (!translation_.symbol(symbol)) translation_.bind(symbol, ir::Dim::symbol(symbol));
              return translation_.symbol(symbol);
            });
  }

  Value input(const InputSpec& spec) {
    using Kind = InputSpec::Kind;
    switch (spec.kind) {
      case Kind::user_input: return user_input(spec);
      case Kind::parameter: return weight(spec, archive_.weights);
      case Kind::buffer: return weight(spec, spec.persistent ? archive_.weights : archive_.constants);
      case Kind::tensor_constant: return weight(spec, archive_.constants);
      case Kind::constant_input: return constant(spec.value);
      case Kind::token: return translation_.session.heap.make(builder_.constant(Tensor::zeros(DType::f32, {0})));
      case Kind::custom_object: raise<FileError>("{}: custom object '{}' is not supported", archive_.file, spec.target);
    }
    raise<InternalError>("an input of unknown kind");
  }

  static Value constant(const Argument& a) {
    using Kind = Argument::Kind;
    switch (a.kind) {
      case Kind::integer: return a.integer;
      case Kind::real: return a.real;
      case Kind::flag: return a.flag;
      case Kind::text: return a.name;
      default: return {};
    }
  }

  Value user_input(const InputSpec& spec) {
    if (spec.value.kind == Argument::Kind::symbol) return symbol_input(spec);
    if (spec.value.kind != Argument::Kind::tensor) return constant(spec.value);
    const TensorMeta& m = meta(spec.name);
    auto type = translation_.type(m);
    require<FileError>(type.has_value(), "{}: input '{}' has an unsupported type or size", archive_.file, spec.name);
    auto option = options_.inputs.find(spec.name);
    if (option != options_.inputs.end())
      if (auto value = given_value(option->second, *type, spec.name))
        return translation_.session.heap.make(builder_.constant(*value));
    if (option != options_.inputs.end() && option->second.shape)
      for (size_t i = 0; i < type->shape->size(); ++i)
        require<UsageError>((*type->shape)[i] == (*option->second.shape)[i],
                            "{}: input '{}' is {}, the given shape is {}", archive_.file, spec.name, ir::str(*type),
                            ir::str(*option->second.shape));
    return translation_.session.heap.make(graph_.add_input(spec.name, *type), is_contiguous(m));
  }

  // Whether the program was written for a tensor that lies in memory row by row.
  bool is_contiguous(const TensorMeta& m) const {
    ir::Dim step = 1;
    for (size_t i = std::min(m.sizes.size(), m.strides.size()); i-- > 0;) {
      auto size = translation_.dim(m.sizes[i]), stride = translation_.dim(m.strides[i]);
      if (!size || !stride) return true;
      if (!size->is(1) && *stride != step) return false;
      step = step * *size;
    }
    return true;
  }

  // An integer that may differ from call to call: a 0-d input, read as a symbol.
  Value symbol_input(const InputSpec& spec) {
    auto stated = program_.graph.sym_int_values.find(spec.name);
    require<FileError>(stated != program_.graph.sym_int_values.end(), "{}: symbolic input '{}' is no integer",
                       archive_.file, spec.name);
    ir::Dim dim = builder_.read_one(graph_.add_input(spec.name, {DType::i64, ir::Shape{}}));
    if (auto symbol = plain_symbol(stated->second.expression); symbol && !translation_.symbol(*symbol))
      translation_.bind(*symbol, dim);
    return dim;
  }

  Value weight(const InputSpec& spec, const std::map<std::string, Tensor>& from) {
    auto found = from.find(spec.target);
    if (found == from.end()) {
      auto reason = archive_.unreadable.find(spec.target);
      require<FileError>(reason == archive_.unreadable.end(), "{}: weight '{}': {}", archive_.file, spec.target,
                         reason == archive_.unreadable.end() ? "" : reason->second);
      raise<FileError>("{}: the archive has no payload for '{}'", archive_.file, spec.target);
    }
    auto type = translation_.type(meta(spec.name));
    const Tensor& tensor = found->second;
    require<FileError>(type && type->dtype == tensor.dtype && *type->shape == ir::dims(tensor.shape),
                       "{}: weight '{}' is {}, the program says {}", archive_.file, spec.target,
                       godwit::describe(tensor), type ? ir::str(*type) : "something else");
    auto present = out_.module.weights.find(spec.target);
    const bool taken = present != out_.module.weights.end() && present->second.data != tensor.data;
    ir::Value* value = builder_.weight(taken ? "constant." + spec.target : spec.target, tensor);
    TensorRef root = translation_.session.heap.make(value, tensor.is_contiguous());
    weights_.push_back({spec.target, value, root});
    return root;
  }

  void add_outputs(const Values& outputs) {
    size_t next_name = 0;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const OutputSpec& spec = program_.outputs[i];
      if (spec.kind != OutputSpec::Kind::user_output && spec.kind != OutputSpec::Kind::loss_output) continue;
      const std::string& name = program_.output_names.at(next_name++);
      if (ir::Value* value = output(outputs[i]))
        graph_.add_output(name, value);
      else if (!outputs[i].is_none())
        translation_.session.warn(fmt::format("output '{}' is a {}, it is left out", name, aten::describe(outputs[i])));
    }
  }

  ir::Value* output(const Value& v) {
    builder_.set_place("output");
    if (auto* t = v.get<TensorRef>()) return t->read();
    if (auto* d = v.get<ir::Dim>()) return builder_.dim(*d);
    if (auto* r = v.get<double>()) return builder_.scalar(DType::f64, *r);
    if (auto* f = v.get<bool>()) return builder_.scalar(DType::boolean, *f);
    if (auto* run = v.get<aten::RunNumber>())  // Python's floats are doubles
      return builder_.cast(run->value, is_float(run->value->dtype()) ? DType::f64 : run->value->dtype());
    return nullptr;
  }

  // Buffers and parameters that the program writes, in place or through its signature, carry over to the next call.
  void add_states(const Values& outputs) {
    std::map<std::string, ir::Value*> after;
    for (const auto& w : weights_)
      if (w.root.read() != w.value) after[w.name] = w.root.read();
    for (size_t i = 0; i < outputs.size(); ++i) {
      const OutputSpec& spec = program_.outputs[i];
      using Kind = OutputSpec::Kind;
      if ((spec.kind == Kind::buffer_mutation || spec.kind == Kind::parameter_mutation) && outputs[i].is_tensor())
        after[spec.target] = outputs[i].get<TensorRef>()->read();
      if (spec.kind == Kind::user_input_mutation)
        translation_.session.warn(fmt::format("the new value of input '{}' is not returned", spec.target));
    }
    std::map<const ir::Value*, ir::Value*> replacement;
    for (const auto& w : weights_) {
      auto found = after.find(w.name);
      if (found == after.end()) continue;
      for (const auto& other : weights_)
        require<UsageError>(
            other.name == w.name || other.value == w.value ||
                !share_memory(out_.module.weights.at(other.value->name), out_.module.weights.at(w.value->name)),
            "{}: the program writes to '{}', which shares its memory with '{}'", archive_.file, w.name, other.name);
      const Tensor& initial = out_.module.weights.at(w.value->name);
      ir::Value* before = graph_.add_state(w.name, w.value->type, initial);
      graph_.states.back().after = found->second;
      replacement[w.value] = before;
    }
    ir::replace_uses(graph_, replacement);
  }

  struct Weight {
    std::string name;
    ir::Value* value;
    TensorRef root;
  };

  const Archive& archive_;
  const Program& program_;
  const ImportOptions& options_;
  Imported& out_;
  ir::Graph& graph_;
  ops::Builder builder_;
  Translation translation_;
  std::vector<Weight> weights_;
};

}  // namespace

Imported import_pt2(const std::filesystem::path& path, const ImportOptions& options) {
  return import_pt2(formats::pt2::read(path), options);
}

Imported import_pt2(const Archive& archive, const ImportOptions& options) {
  const Program& program = archive.programs.front();
  Imported out;
  out.format = "pt2";
  out.source_nodes = program.node_count;
  out.module.metadata["format"] = "pt2";
  out.module.metadata["torch_version"] = program.torch_version;
  if (archive.programs.size() > 1)
    out.warnings.push_back(
        fmt::format("the archive holds {} programs, '{}' is read", archive.programs.size(), program.name));
  Importer(archive, program, options, out).run();
  return out;
}

}  // namespace godwit::frontends

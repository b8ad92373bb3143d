#include "frontends/onnx/importer.h"

#include <algorithm>

#include "frontends/input_value.h"
#include "frontends/onnx/call.h"
#include "frontends/onnx/registry.h"
#include "ops/infer.h"

namespace godwit::frontends::onnx {
namespace {

constexpr int64_t newest_opset = 28;
constexpr int64_t max_nodes = 500'000;  // after inlining functions
constexpr size_t max_calls = 32;        // functions within functions

// "batch size" -> "batch_size": a symbol of the IR.
std::string symbol_name(const std::string& param) {
  std::string out;
  for (char c : param) out += (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_' ? c : '_';
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out[0]))) out.insert(0, "d");
  // u0, u1, ... are the names of unknown dimensions.
  if (out[0] == 'u' && out.size() > 1 && out.find_first_not_of("0123456789", 1) == std::string::npos) out += "_";
  return out;
}

bool is_text(const Value* v) { return v && v->dtype() == DType::text; }

std::string place_of(const file::Node& node, const Scope& scope) {
  const std::string& name = !node.name.empty() || node.outputs.empty() ? node.name : node.outputs[0];
  return scope.prefix + name;
}

}  // namespace

bool is_any_blocked(const Values& values) { return std::ranges::any_of(values, is_blocked); }

Value* Scope::find(const std::string& name) const {
  for (const Scope* s = this; s; s = s->outer)
    if (auto found = s->values.find(name); found != s->values.end()) return found->second;
  return nullptr;
}

Importer::Importer(const file::Model& model, const ImportOptions& options, Imported& result)
    : model_(model), options_(options), result_(result), builder_(result.module, result.module.graphs["main"]) {}

void Importer::warn(std::string text) {
  if (warned_.insert(text).second) result_.warnings.push_back(std::move(text));
}

ir::Type Importer::type_of(const file::ValueType& type, const std::string& name) {
  using Kind = file::ValueType::Kind;
  if ((type.kind == Kind::sequence || type.kind == Kind::optional) && type.element) {
    ir::Type out = type_of(*type.element, name);
    out.sequence = true;
    return out;
  }
  require<FileError>(type.kind == Kind::tensor && type.dtype, "[onnx] input {} is no tensor of a known type", name);
  ir::Type out{*type.dtype, std::nullopt, false};
  if (!type.shape) return out;
  out.shape.emplace();
  for (const file::Dimension& d : *type.shape) {
    if (d.value && *d.value >= 0)
      out.shape->push_back(*d.value);
    else if (!d.param.empty())
      out.shape->push_back(ir::Dim::symbol(symbol_name(d.param)));
    else
      out.shape->push_back(ops::InferContext::fresh());
  }
  return out;
}

void Importer::declare_input(const file::ValueInfo& info) {
  // Graph inputs that have an initializer are constants, unless the user overrides them.
  auto given = options_.inputs.find(info.name);
  ir::Type type = type_of(info.type, info.name);
  if (given != options_.inputs.end()) {
    if (given->second.dtype) type.dtype = *given->second.dtype;
    if (given->second.shape) {
      require<UsageError>(!type.shape || type.shape->size() == given->second.shape->size(),
                          "input {} is {}, the shape {} is asked for", info.name, ir::str(type),
                          ir::str(*given->second.shape));
      type.shape = given->second.shape;
    }
  }
  if (!type.shape && !type.sequence)
    raise<UsageError>("input {} has no rank in the file; give its shape (--input {}=SHAPE)", info.name, info.name);
  note_type(builder_.graph().add_input(info.name, type), info.type);
}

void Importer::note_type(const Value* value, const file::ValueType& type) {
  using Kind = file::ValueType::Kind;
  if (type.kind == Kind::optional && value->type.sequence)
    optionals.emplace(value, Optional{type.element && type.element->kind == Kind::sequence, std::nullopt});
}

Value* Importer::tensor(const file::NamedTensor& t, const std::string& name) {
  if (t.tensor.dtype == DType::text)
    return builder_.unsupported("onnx.Constant (strings)", {}, {{DType::text, ir::dims(t.tensor.shape)}}).front();
  const bool is_index = is_integer(t.tensor.dtype) || t.tensor.dtype == DType::boolean;
  const bool is_plain = item_size(t.tensor.dtype) > 1 || t.tensor.dtype <= DType::i8;
  if (is_plain && t.tensor.size() <= (is_index ? 64 : 1)) return builder_.constant(t.tensor);
  std::string key = name;
  for (int i = 2; builder_.module().weights.contains(key); ++i) {
    const Tensor& other = builder_.module().weights.at(key);
    if (other.data == t.tensor.data && other.shape == t.tensor.shape && other.dtype == t.tensor.dtype) break;
    key = name + "." + std::to_string(i);
  }
  return builder_.weight(key, t.tensor);
}

void Importer::run() {
  const auto opset = model_.opsets.find("");
  require<FileError>(opset == model_.opsets.end() || opset->second <= newest_opset,
                     "[onnx] opset {} is newer than {}, the newest that is known", opset->second, newest_opset);
  if (opset != model_.opsets.end() && opset->second < 7)
    warn("opset " + std::to_string(opset->second) + " is older than 7");
  Scope scope;
  scope.opsets = &model_.opsets;
  std::set<std::string> initialized;
  for (const file::NamedTensor& t : model_.graph.initializers) initialized.insert(t.name);
  for (const file::ValueInfo& info : model_.graph.inputs) {
    auto given = options_.inputs.find(info.name);
    std::optional<Tensor> constant;
    if (given != options_.inputs.end()) constant = given_value(given->second, type_of(info.type, info.name), info.name);
    if (constant) {
      scope.values[info.name] = tensor({info.name, *constant, {}}, info.name);
    } else if (given != options_.inputs.end() || !initialized.contains(info.name)) {
      require<FileError>(!scope.values.contains(info.name), "[onnx] two inputs are called {}", info.name);
      declare_input(info);
      scope.values[info.name] = builder_.graph().inputs.back();
    }
  }
  for (const auto& [name, unused] : options_.inputs) {
    const bool exists = std::any_of(model_.graph.inputs.begin(), model_.graph.inputs.end(),
                                    [&, &n = name](const file::ValueInfo& v) { return v.name == n; });
    std::vector<std::string> names;
    if (!exists)
      for (const file::ValueInfo& info : model_.graph.inputs) names.push_back(info.name);
    require<UsageError>(exists, "the model has no input called {}; it has: {}", name, fmt::join(names, ", "));
  }
  for (const file::NamedTensor& t : model_.graph.initializers)
    if (!scope.values.contains(t.name)) scope.values[t.name] = tensor(t, t.name);
  add_nodes(model_.graph.nodes, scope);
  for (const file::ValueInfo& info : model_.graph.outputs) {
    Value* v = scope.find(info.name);
    require<FileError>(v, "[onnx] output {} is computed by no node", info.name);
    builder_.graph().add_output(info.name, v);
  }
}

Values Importer::inline_graph(const file::Graph& graph, const Scope& outer, const Values& arguments) {
  Scope scope;
  scope.outer = &outer;
  scope.opsets = outer.opsets;
  scope.prefix = outer.prefix;
  require<FileError>(graph.inputs.size() == arguments.size(), "[onnx] subgraph {} has {} inputs, {} are given",
                     graph.name, graph.inputs.size(), arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) scope.values[graph.inputs[i].name] = arguments[i];
  for (const file::NamedTensor& t : graph.initializers)
    if (!scope.values.contains(t.name)) scope.values[t.name] = tensor(t, t.name);
  add_nodes(graph.nodes, scope);
  Values out;
  for (const file::ValueInfo& info : graph.outputs) {
    Value* v = scope.find(info.name);
    require<FileError>(v, "[onnx] output {} of subgraph {} is computed by no node", info.name, graph.name);
    out.push_back(v);
  }
  return out;
}

void Importer::add_nodes(const std::vector<file::Node>& nodes, Scope& scope) {
  for (const file::Node& node : nodes) add_node(node, scope);
}

void Importer::add_node(const file::Node& node, Scope& scope) {
  require<FileError>(++nodes_ <= max_nodes, "[onnx] more than {} nodes after inlining functions", max_nodes);
  ++result_.source_nodes;
  require<FileError>(!node.outputs.empty(), "[onnx] node {} ({}) has no outputs", place_of(node, scope), node.op);
  Values inputs;
  for (const std::string& name : node.inputs) {
    Value* v = name.empty() ? nullptr : scope.find(name);
    require<FileError>(v || name.empty(), "[onnx] node {} ({}) reads {}, which no node before it makes",
                       place_of(node, scope), node.op, name);
    inputs.push_back(v);
  }
  Values outputs = translate(node, inputs, scope);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    require<UsageError>(i < outputs.size() && outputs[i], "[{}] output {} is not supported (node {})", node.op, i,
                        place_of(node, scope));
    if (outputs[i]->kind == Value::Kind::node && outputs[i]->name.empty())
      outputs[i]->name = scope.prefix + node.outputs[i];
    scope.values[node.outputs[i]] = outputs[i];
  }
}

const file::Function* Importer::function_of(const file::Node& node) const {
  for (const file::Function& f : model_.functions)
    if (f.name == node.op && f.domain == node.domain && f.overload == node.overload) return &f;
  return nullptr;
}

Values Importer::call_function(const file::Function& f, const file::Node& node, const Values& inputs, Scope& outer) {
  const bool recursive = std::find(calls_.begin(), calls_.end(), &f) != calls_.end();
  require<FileError>(!recursive && calls_.size() < max_calls, "[onnx] function {} calls itself or is nested too deep",
                     f.name);
  require<FileError>(inputs.size() <= f.inputs.size(), "[onnx] function {} takes {} inputs, {} are given", f.name,
                     f.inputs.size(), inputs.size());
  Call call(*this, node, outer, 1, inputs);
  AttributeMap arguments;
  for (const file::Attribute& a : f.defaults) arguments[a.name] = &a;
  for (const file::Attribute& a : node.attributes)
    if (const file::Attribute* given = call.attribute(a.name)) arguments[a.name] = given;
  Scope scope;
  scope.opsets = &f.opsets;
  scope.arguments = &arguments;
  scope.prefix = place_of(node, outer) + "/";
  for (size_t i = 0; i < f.inputs.size(); ++i) scope.values[f.inputs[i]] = i < inputs.size() ? inputs[i] : nullptr;
  calls_.push_back(&f);
  add_nodes(f.nodes, scope);
  calls_.pop_back();
  Values out;
  for (const std::string& name : f.outputs) {
    Value* v = scope.find(name);
    require<FileError>(v, "[onnx] output {} of function {} is computed by no node", name, f.name);
    out.push_back(v);
  }
  return out;
}

Values Importer::translate(const file::Node& node, const Values& inputs, Scope& scope) {
  if (const file::Function* f = function_of(node)) return call_function(*f, node, inputs, scope);
  builder_.set_place(place_of(node, scope));
  const std::string domain = node.domain.empty() ? "onnx" : node.domain;
  const size_t count = std::max<size_t>(node.outputs.size(), 1);
  const auto opset = scope.opsets->find(node.domain);
  Call call(*this, node, scope, opset == scope.opsets->end() ? 1 : opset->second, inputs);
  // Nothing is known of the outputs.
  auto give_up = [&](const std::string& op, Blocked kept) {
    builder_.set_place(place_of(node, scope));
    return builder_.region_op(op, inputs, {}, std::move(kept.regions), std::vector<ir::Type>(count));
  };
  auto refuse = [&](const std::string& name) {
    return give_up(std::string(ops::unsupported_prefix) + name, subgraphs_of(call));
  };
  const Translator* translator = find_translator(node.domain, node.op);
  if (std::any_of(inputs.begin(), inputs.end(), is_text)) return refuse(domain + "." + node.op + " (strings)");
  if (!translator) return refuse(domain + "." + node.op);
  if (is_any_blocked(inputs)) return give_up(std::string(kBlockedOp), subgraphs_of(call));
  try {
    return (*translator)(call);
  } catch (Blocked& kept) {
    return give_up(std::string(kBlockedOp), std::move(kept));
  }
}

// What the subgraphs of a node hold is reported, too, though nothing is known of what they are given.
Importer::Blocked Importer::subgraphs_of(const Call& call) {
  Blocked out;
  for (const file::Attribute& given : call.node.attributes) {
    const file::Attribute* a = call.attribute(given.name);
    if (!a || !a->graph) continue;
    auto region = std::make_unique<ir::Graph>();
    region->name = given.name;
    ops::Builder::Into into(builder_, *region);
    const Region bound(*this);
    Values arguments;
    for (const file::ValueInfo& info : a->graph->inputs) arguments.push_back(region->add_input(info.name, {}));
    region->outputs = inline_graph(*a->graph, call.scope, arguments);
    out.regions.push_back(std::move(region));
  }
  return out;
}

}  // namespace godwit::frontends::onnx

namespace godwit::frontends {

Imported import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  const godwit::onnx::Model model = godwit::onnx::read_model(path);
  return onnx::import_model(model, options);
}

}  // namespace godwit::frontends

namespace godwit::frontends::onnx {

Imported import_model(const file::Model& model, const ImportOptions& options) {
  Imported result;
  result.format = "onnx";
  result.module.metadata = {{"format", "onnx"}, {"producer", model.producer + " " + model.producer_version}};
  Importer(model, options, result).run();
  return result;
}

}  // namespace godwit::frontends::onnx

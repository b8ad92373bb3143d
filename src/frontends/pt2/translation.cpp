#include "frontends/pt2/translation.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "ops/infer.h"

namespace godwit::frontends::pt2 {

std::optional<std::pair<std::string, std::string>> operator_of(const std::string& target) {
  constexpr std::string_view prefix = "torch.ops.";
  if (!target.starts_with(prefix)) return std::nullopt;
  const std::string rest = target.substr(prefix.size());
  const size_t a = rest.find('.'), b = a == std::string::npos ? a : rest.find('.', a + 1);
  if (b == std::string::npos) return std::nullopt;
  return std::pair(rest.substr(0, a) + "::" + rest.substr(a + 1, b - a - 1), rest.substr(b + 1));
}

namespace {

// The name under which a target is reported: "aten.histc", "higher_order.flex_attention".
std::string short_name(std::string target) {
  if (target.starts_with("torch.ops.")) target = target.substr(10);
  if (target.ends_with(".default")) target.resize(target.size() - 8);
  return target;
}

}  // namespace

std::string Translation::describe(const Node& node) const {
  return fmt::format("{}: node {} ({}{}{})", file_, node.name.empty() ? "?" : node.name, short_name(node.target),
                     node.place.empty() ? "" : ", ", node.place);
}

std::optional<ir::Dim> Translation::symbol(const std::string& name) const {
  auto found = symbols_.find(name);
  return found == symbols_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ir::Dim> Translation::dim(const formats::pt2::SymInt& size) const {
  if (size.expression.empty()) return ir::Dim(size.value);
  return parse_expression(size.expression, [&](const std::string& name) { return symbol(name); });
}

std::optional<ir::Type> Translation::type(const formats::pt2::TensorMeta& meta) const {
  if (!meta.dtype) return std::nullopt;
  ir::Shape shape;
  for (const auto& size : meta.sizes) {
    auto d = dim(size);
    if (!d) return std::nullopt;
    shape.push_back(*d);
  }
  return ir::Type{*meta.dtype, shape};
}

TensorRef Translation::tensor_named(const std::string& name, const Scope& scope) const {
  auto found = scope.names.find(name);
  require<FileError>(found != scope.names.end(), "{}: the program uses '{}' before it is made", file_, name);
  require<FileError>(found->second.is_tensor(), "{}: '{}' is no tensor", file_, name);
  return *found->second.get<TensorRef>();
}

Value Translation::value_of(const Argument& a, const Scope& scope) const {
  using Kind = Argument::Kind;
  switch (a.kind) {
    case Kind::none: return {};
    case Kind::tensor: return tensor_named(a.name, scope);
    case Kind::symbol: {
      auto found = scope.names.find(a.name);
      require<FileError>(found != scope.names.end(), "{}: the program uses '{}' before it is made", file_, a.name);
      return found->second;
    }
    case Kind::integer: return a.integer;
    case Kind::real: return a.real;
    case Kind::flag: return a.flag;
    case Kind::text:
    case Kind::device:
    case Kind::op: return a.name;
    case Kind::complex: return std::complex<double>(a.real, a.imag);
    case Kind::scalar_type: {
      auto dtype = formats::pt2::dtype_of_schema_code(a.integer);
      return dtype ? aten::code_of_dtype(*dtype) : int64_t{-1};
    }
    case Kind::memory_format: return a.integer == 4 ? int64_t{1} : a.integer == 1 ? int64_t{0} : a.integer;
    case Kind::layout: return a.integer;
    case Kind::list: {
      Values items;
      for (const Argument& item : a.items) items.push_back(value_of(item, scope));
      return Value::list(std::move(items));
    }
    case Kind::graph:
    case Kind::custom_object: break;
  }
  raise<FileError>("{}: a graph or custom object stands where a value is expected", file_);
}

Values Translation::run(const Graph& graph, const Values& inputs) {
  Scope scope{graph, {}};
  require<FileError>(inputs.size() == graph.inputs.size(), "{}: a graph takes {} inputs, {} are given", file_,
                     graph.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!graph.inputs[i].name.empty()) scope.names[graph.inputs[i].name] = inputs[i];
  for (const Node& node : graph.nodes) run_node(node, scope);
  Values outputs;
  for (const Argument& a : graph.outputs) outputs.push_back(value_of(a, scope));
  return outputs;
}

void Translation::run_node(const Node& node, Scope& scope) {
  b.set_place(node.place.empty() ? node.name : node.place, node.scope);
  Values results = results_of(node, scope);
  // No results at all: an operator that was dropped, or one that only checks.
  if (results.empty() && node.outputs.empty()) return;
  require<FileError>(results.size() >= node.outputs.size(), "{}: the operator has {} results, the program names {}",
                     describe(node), results.size(), node.outputs.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) assign(node, node.outputs[i], results[i], scope);
}

Values Translation::results_of(const Node& node, Scope& scope) {
  if (is_blocked(node, scope)) return unsupported(node, scope, "blocked");
  try {
    std::optional<Values> results = translated(node, scope);
    if (results) return *results;
    session.warn(fmt::format("no translation of {}", short_name(node.target)));
  } catch (const aten::Unsupported& e) {
    session.warn(e.what());
  } catch (const InternalError& e) {
    raise<InternalError>("{}: {}", describe(node), e.what());
  } catch (const FileError&) {
    throw;
  } catch (const std::exception& e) {
    raise<FileError>("{}: {}", describe(node), e.what());
  }
  return unsupported(node, scope, short_name(node.target));
}

// Whether the shape of an operand is unknown: it comes out of an operator that is not supported.
bool Translation::is_blocked(const Node& node, const Scope& scope) const {
  std::function<bool(const Argument&)> unknown = [&](const Argument& a) {
    if (a.kind == Argument::Kind::tensor && !tensor_named(a.name, scope).read()->type.shape) return true;
    return std::any_of(a.items.begin(), a.items.end(), unknown);
  };
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const auto& input) { return unknown(input.value); });
}

std::optional<Values> Translation::translated(const Node& node, Scope& scope) {
  if (is_vmapped(node, scope)) return vmapped(node, scope);
  if (node.target.starts_with("torch.ops.higher_order.")) return higher_order(node, scope);
  auto op = operator_of(node.target);
  if (!op) return scalar(node, scope);
  const aten::Schema* schema = aten::find_schema(op->first, op->second);
  if (!schema || !aten::is_known(*schema)) return std::nullopt;
  std::vector<std::pair<std::string, Value>> keywords;
  for (const auto& input : node.inputs) keywords.emplace_back(input.name, value_of(input.value, scope));
  expect_types(node, scope);
  return aten::translate(session, *schema, aten::bind_arguments(*schema, {}, keywords));
}

void Translation::expect_types(const Node& node, const Scope& scope) {
  session.expected.clear();
  auto add = [&](const Argument& output) {
    auto meta = scope.graph.tensor_values.find(output.name);
    const bool known = output.kind == Argument::Kind::tensor && meta != scope.graph.tensor_values.end();
    session.expected.push_back(known ? type(meta->second) : std::nullopt);
  };
  for (const Argument& output : node.outputs) {
    if (output.kind == Argument::Kind::list)
      for (const Argument& item : output.items) add(item);
    else
      add(output);
  }
}

// Stands for a node that has no translation: its results have the types that the file states.
Values Translation::unsupported(const Node& node, const Scope& scope, const std::string& name) {
  std::vector<ir::Value*> operands;
  std::function<void(const Argument&)> collect = [&](const Argument& a) {
    if (a.kind == Argument::Kind::tensor) operands.push_back(tensor_named(a.name, scope).read());
    for (const Argument& item : a.items) collect(item);
  };
  for (const auto& input : node.inputs) collect(input.value);
  std::vector<ir::Type> types;
  auto add = [&](const Argument& a) {
    auto meta = scope.graph.tensor_values.find(a.name);
    std::optional<ir::Type> known;
    if (a.kind == Argument::Kind::tensor && meta != scope.graph.tensor_values.end()) known = type(meta->second);
    types.push_back(known.value_or(ir::Type{}));
  };
  for (const Argument& output : node.outputs) {
    if (output.kind == Argument::Kind::list)
      for (const Argument& item : output.items) add(item);
    else
      add(output);
  }
  auto values = b.unsupported(name, operands, types);
  Values out;
  size_t next = 0;
  for (const Argument& output : node.outputs) {
    if (output.kind == Argument::Kind::list) {
      Values items;
      for (size_t i = 0; i < output.items.size(); ++i) items.push_back(session.heap.make(values[next++]));
      out.push_back(Value::list(std::move(items)));
    } else if (output.kind == Argument::Kind::symbol) {
      ++next;
      out.push_back(ops::InferContext::fresh());
    } else {
      out.push_back(session.heap.make(values[next++]));
    }
  }
  return out;
}

void Translation::assign(const Node& node, const Argument& output, const Value& value, Scope& scope) {
  using Kind = Argument::Kind;
  if (output.kind == Kind::none || output.name.empty()) {
    if (output.kind != Kind::list) return;
    const Values* items = value.items();
    require<FileError>(items && items->size() == output.items.size(), "{}: {} results are named, the operator gives {}",
                       describe(node), output.items.size(), items ? items->size() : 1);
    for (size_t i = 0; i < items->size(); ++i) assign(node, output.items[i], (*items)[i], scope);
    return;
  }
  if (const auto* opaque = value.get<std::shared_ptr<aten::Opaque>>()) {
    if (const auto* hidden = dynamic_cast<const Hidden*>(opaque->get())) {
      scope.names[output.name] = session.heap.make(hidden->value);
      scope.levels[output.name] = hidden->levels;
      return;
    }
  }
  scope.names[output.name] = value;
  if (output.kind == Kind::symbol) {
    auto found = scope.graph.sym_int_values.find(output.name);
    if (found == scope.graph.sym_int_values.end()) return;
    if (!value.is<ir::Dim>()) return;
    // A symbol that this node makes (the result of item()) is what we call it from now on.
    if (auto name = plain_symbol(found->second.expression); name && !symbol(*name))
      bind(*name, *value.get<ir::Dim>());
    else if (auto known = dim(found->second))
      scope.names[output.name] = *known;
    return;
  }
  require<FileError>(value.is_tensor(), "{}: '{}' is no tensor but a {}", describe(node), output.name,
                     aten::describe(value));
  check_type(node, output.name, *value.get<TensorRef>(), scope);
}

void Translation::check_type(const Node& node, const std::string& name, const TensorRef& tensor, const Scope& scope) {
  auto found = scope.graph.tensor_values.find(name);
  if (found == scope.graph.tensor_values.end() || !found->second.dtype) return;
  const formats::pt2::TensorMeta& meta = found->second;
  ir::Value* value = tensor.read();
  if (!value->type.shape) return;
  auto mismatch = [&](const std::string& stated) {
    raise<FileError>("{}: the file says that {} is {}, its operator gives {}", describe(node), name, stated,
                     ir::str(value->type));
  };
  if (value->dtype() != *meta.dtype) mismatch(std::string(godwit::name(*meta.dtype)));
  if (value->shape().size() != meta.sizes.size()) mismatch(fmt::format("of rank {}", meta.sizes.size()));
  ir::Shape stated = value->shape();
  for (size_t i = 0; i < stated.size(); ++i) {
    // A symbol that appears here for the first time (a data-dependent size) is what inference called it.
    if (auto plain = plain_symbol(meta.sizes[i].expression); plain && !symbol(*plain)) bind(*plain, stated[i]);
    auto d = dim(meta.sizes[i]);
    if (!d || *d == stated[i]) continue;
    if (d->is_known() && stated[i].is_known()) mismatch(fmt::format("{} along axis {}", d->value(), i));
    // Inference knows a number where the file has a symbol: the number is at least as good.
    if (!stated[i].is_known()) stated[i] = *d;
  }
  if (value->producer) value->type.shape = stated;
}

}  // namespace godwit::frontends::pt2

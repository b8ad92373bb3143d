// Regions of torch.vmap. Inside one a tensor hides the axes that are mapped over; here such a tensor is written with
// all its axes, the hidden ones first, in the order of their levels.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "frontends/pt2/translation.h"

namespace godwit::frontends::pt2 {
namespace {

constexpr std::string_view vmap_prefix = "torch._functorch.predispatch.";

// What acts on every element alone, and may therefore see more axes than the program says.
const std::set<std::string>& elementwise() {
  static const std::set<std::string> names = {
      "add",         "sub",        "mul",         "div",         "floor_divide", "remainder",   "neg",     "abs",
      "eq",          "ne",         "lt",          "le",          "gt",           "ge",          "where",   "minimum",
      "maximum",     "clamp",      "bitwise_and", "bitwise_or",  "bitwise_not",  "bitwise_xor", "to",      "_to_copy",
      "logical_and", "logical_or", "logical_not", "logical_xor", "__and__",      "__or__",      "__xor__", "clone",
      "new_ones",    "new_zeros",  "new_full",    "ones_like",   "zeros_like",   "full_like",   "pow",     "exp",
      "sqrt",        "rsub",       "alias",       "detach"};
  return names;
}

ir::Value* moved(ops::Builder& b, ir::Value* v, int64_t from, int64_t to) {
  if (from == to) return v;
  ir::Dims axes;
  for (int64_t i = 0; i < v->rank(); ++i)
    if (i != from) axes.push_back(i);
  axes.insert(axes.begin() + to, ir::Dim(from));
  return b.op("transpose", {v}, {{"axes", axes}});
}

}  // namespace

bool Translation::is_vmapped(const Node& node, const Scope& scope) {
  std::function<bool(const Argument&)> hides = [&](const Argument& a) {
    if (a.kind == Argument::Kind::tensor && scope.levels.contains(a.name)) return true;
    return std::any_of(a.items.begin(), a.items.end(), hides);
  };
  return node.target.starts_with(vmap_prefix) ||
         std::any_of(node.inputs.begin(), node.inputs.end(), [&](const auto& input) { return hides(input.value); });
}

Values Translation::vmapped(const Node& node, Scope& scope) {
  const std::string name = node.target.substr(node.target.starts_with(vmap_prefix) ? vmap_prefix.size() : 0);
  if (name == "_add_batch_dim") return {hide_axis(node, scope)};
  if (name == "_remove_batch_dim") return {show_axis(node, scope)};
  if (name == "lazy_load_decompositions" || name == "_vmap_increment_nesting" || name == "_vmap_decrement_nesting")
    return Values(node.outputs.size());  // nothing
  return mapped_operator(node, scope);
}

// Operand 0 of vmap's own functions.
Translation::Hidden Translation::hidden(const Node& node, const Scope& scope) const {
  require<FileError>(!node.inputs.empty() && node.inputs[0].value.kind == Argument::Kind::tensor,
                     "{}: operand 0 is no tensor", describe(node));
  const std::string& name = node.inputs[0].value.name;
  auto levels = scope.levels.find(name);
  Hidden out;
  out.value = tensor_named(name, scope).read();
  if (levels != scope.levels.end()) out.levels = levels->second;
  return out;
}

int64_t Translation::vmap_number(const Node& node, size_t operand, int64_t least, int64_t most) const {
  require<FileError>(operand < node.inputs.size() && node.inputs[operand].value.kind == Argument::Kind::integer,
                     "{}: operand {} is no number", describe(node), operand);
  const int64_t n = node.inputs[operand].value.integer;
  require<FileError>(n >= least && n <= most, "{}: {} is not within {} and {}", describe(node), n, least, most);
  return n;
}

Value Translation::with_levels(ir::Value* value, Levels levels) {
  if (levels.empty()) return session.heap.make(value);
  auto out = std::make_shared<Hidden>();
  out->value = value;
  out->levels = std::move(levels);
  return Value(std::shared_ptr<aten::Opaque>(std::move(out)));
}

// _add_batch_dim(x, axis, level): from here on the axis is not seen.
Value Translation::hide_axis(const Node& node, const Scope& scope) {
  const Hidden before = hidden(node, scope);
  ir::Value* value = before.value;
  Levels levels = before.levels;
  const auto count = static_cast<int64_t>(levels.size()), rank = value->rank() - count;
  int64_t axis = vmap_number(node, 1, -rank, rank - 1);
  if (axis < 0) axis += rank;
  const int64_t level = vmap_number(node, 2, 0, 1000);
  const auto at = std::upper_bound(levels.begin(), levels.end(), level);
  require<FileError>(at == levels.begin() || *(at - 1) != level, "{}: level {} is there already", describe(node),
                     level);
  value = moved(b, value, count + axis, at - levels.begin());
  levels.insert(at, level);
  return with_levels(value, levels);
}

// _remove_batch_dim(x, level, size, axis): the axis is seen again; what did not have it is repeated.
Value Translation::show_axis(const Node& node, const Scope& scope) {
  const Hidden before = hidden(node, scope);
  ir::Value* value = before.value;
  Levels levels = before.levels;
  const int64_t level = vmap_number(node, 1, 0, 1000), rank = value->rank() - static_cast<int64_t>(levels.size());
  int64_t axis = vmap_number(node, 3, -rank - 1, rank);
  if (axis < 0) axis += rank + 1;
  const auto at = std::find(levels.begin(), levels.end(), level);
  if (at != levels.end()) {
    value = moved(b, value, at - levels.begin(), static_cast<int64_t>(levels.size()) - 1 + axis);
    levels.erase(at);
    return with_levels(value, levels);
  }
  const Value size = value_of(node.inputs.at(2).value, scope);
  require<FileError>(size.is<ir::Dim>(), "{}: the size is no number", describe(node));
  axis += static_cast<int64_t>(levels.size());
  value = b.op("expand_dims", {value}, {{"axes", ir::Dims{axis}}});
  ir::Dims shape = value->shape();
  shape[static_cast<size_t>(axis)] = *size.get<ir::Dim>();
  return with_levels(b.op("broadcast", {value}, {{"shape", shape}}), levels);
}

// expand(x, size): the axes that the program sees are repeated, the hidden ones stay.
Value Translation::expand_seen(const Node& node, const Scope& scope) {
  const Hidden x = hidden(node, scope);
  const auto hidden_count = static_cast<int64_t>(x.levels.size()), rank = x.value->rank() - hidden_count;
  const Value size = value_of(node.inputs.at(1).value, scope);
  const Values* wanted = size.items();
  const auto count = wanted ? static_cast<int64_t>(wanted->size()) : 0;
  require<FileError>(wanted && count >= rank, "{}: {} sizes for rank {}", describe(node), count, rank);
  ir::Dims added;
  for (int64_t i = 0; i < count - rank; ++i) added.push_back(hidden_count + i);
  ir::Value* y = added.empty() ? x.value : b.op("expand_dims", {x.value}, {{"axes", added}});
  ir::Dims shape = y->shape();
  for (int64_t i = 0; i < count; ++i) {
    const auto* d = wanted->at(static_cast<size_t>(i)).get<ir::Dim>();
    require<FileError>(d, "{}: a size is no number", describe(node));
    if (!d->is(-1)) shape[static_cast<size_t>(hidden_count + i)] = *d;
  }
  return with_levels(b.op("broadcast", {y}, {{"shape", shape}}), x.levels);
}

// A scalar of the program gets all hidden axes: one long where it does not have them.
Value Translation::aligned(const Argument& a, const Levels& levels, const Scope& scope) {
  if (a.kind == Argument::Kind::list) {
    Values items;
    for (const Argument& item : a.items) items.push_back(aligned(item, levels, scope));
    return Value::list(std::move(items));
  }
  if (a.kind != Argument::Kind::tensor) return value_of(a, scope);
  ir::Value* v = tensor_named(a.name, scope).read();
  auto found = scope.levels.find(a.name);
  const Levels own = found == scope.levels.end() ? Levels{} : found->second;
  if (v->rank() != static_cast<int64_t>(own.size())) throw aten::Unsupported("tensors with axes inside vmap");
  ir::Dims missing;
  for (size_t i = 0; i < levels.size(); ++i)
    if (!std::binary_search(own.begin(), own.end(), levels[i])) missing.push_back(static_cast<int64_t>(i));
  return session.heap.make(missing.empty() ? v : b.op("expand_dims", {v}, {{"axes", missing}}));
}

// An operator on what are scalars to the program: it runs on all hidden elements at once.
Values Translation::mapped_operator(const Node& node, const Scope& scope) {
  const auto op = operator_of(node.target);
  const std::string name = op && op->first.starts_with("aten::") ? op->first.substr(6) : node.target;
  if (name == "_assert_tensor_metadata") return {};
  if (name == "expand") return {expand_seen(node, scope)};
  const aten::Schema* schema = op ? aten::find_schema(op->first, op->second) : nullptr;
  if (!elementwise().contains(name) || !schema) throw aten::Unsupported(name + " inside vmap");
  std::set<int64_t> joined;
  std::function<void(const Argument&)> join = [&](const Argument& a) {
    if (auto own = scope.levels.find(a.name); a.kind == Argument::Kind::tensor && own != scope.levels.end())
      joined.insert(own->second.begin(), own->second.end());
    std::for_each(a.items.begin(), a.items.end(), join);
  };
  for (const auto& input : node.inputs) join(input.value);
  const Levels levels(joined.begin(), joined.end());
  std::vector<std::pair<std::string, Value>> keywords;
  for (const auto& input : node.inputs) keywords.emplace_back(input.name, aligned(input.value, levels, scope));
  session.expected.clear();
  const auto results = aten::translate(session, *schema, aten::bind_arguments(*schema, {}, keywords));
  if (!results || results->size() != 1 || !results->at(0).is_tensor()) throw aten::Unsupported(name + " inside vmap");
  ir::Value* y = results->at(0).get<TensorRef>()->read();
  if (y->rank() == 0) return {session.heap.make(y)};
  if (y->rank() != static_cast<int64_t>(levels.size())) throw aten::Unsupported(name + " inside vmap");
  return {with_levels(y, levels)};
}

}  // namespace godwit::frontends::pt2

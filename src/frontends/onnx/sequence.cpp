// Sequences and optionals. A sequence of known length is a list of values, too: its elements are then used as such.
#include "frontends/onnx/regions.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

using Kind = file::ValueType::Kind;

Values* known_list(Call& c, const Value* v) {
  auto found = c.importer.lists.find(v);
  return found == c.importer.lists.end() ? nullptr : &found->second;
}

Value* list_of(Call& c, Values items, DType empty_dtype = DType::f32) {
  Value* v = c.op("sequence", items);
  if (items.empty()) v->type.dtype = empty_dtype;
  c.importer.lists[v] = std::move(items);
  return v;
}

// A position in a list of n, where it is known.
std::optional<int64_t> position(Call& c, size_t input, size_t n, bool end) {
  const Tensor* t = c.importer.known(c.in(input));
  if (!t || t->size() != 1) return std::nullopt;
  const auto size = static_cast<int64_t>(n);
  const int64_t at = t->integer(0) < 0 ? t->integer(0) + size : t->integer(0);
  if (at < 0 || at >= size + (end ? 1 : 0)) c.fail("position {} in a sequence of {}", t->integer(0), n);
  return at;
}

Value* index(Call& c, size_t input) {
  return c.has(input) ? c.b.reshape(c.cast(c.in(input), DType::i64), {}) : nullptr;
}

Values construct(Call& c) {
  for (size_t i = 0; i < c.count(); ++i) c.in(i);
  return {list_of(c, c.inputs)};
}

Values empty(Call& c) { return {list_of(c, {}, c.dtype_attribute("dtype", DType::f32))}; }

Values insert(Call& c) {
  Values* list = known_list(c, c.in(0));
  const std::optional<int64_t> at = list && c.has(2) ? position(c, 2, list->size(), true) : std::nullopt;
  if (list && (at || !c.has(2))) {
    Values items = *list;
    items.insert(items.begin() + at.value_or(static_cast<int64_t>(items.size())), c.in(1));
    return {list_of(c, std::move(items))};
  }
  return {c.op("sequence_insert", {c.in(0), c.in(1), index(c, 2)})};
}

Values erase(Call& c) {
  Values* list = known_list(c, c.in(0));
  const std::optional<int64_t> at = list && c.has(1) ? position(c, 1, list->size(), false) : std::nullopt;
  if (list && !list->empty() && (at || !c.has(1))) {
    Values items = *list;
    items.erase(items.begin() + at.value_or(static_cast<int64_t>(items.size()) - 1));
    return {list_of(c, std::move(items), c.dtype())};
  }
  return {c.op("sequence_erase", {c.in(0), index(c, 1)})};
}

Values at(Call& c) {
  if (Values* list = known_list(c, c.in(0)))
    if (auto i = position(c, 1, list->size(), false)) return {list->at(static_cast<size_t>(*i))};
  return {c.op("sequence_at", {c.in(0), index(c, 1)})};
}

Value* length_of(Call& c, Value* sequence) {
  if (Values* list = known_list(c, sequence)) return c.b.scalar(DType::i64, static_cast<double>(list->size()));
  return c.op("sequence_length", {sequence});
}

Values length(Call& c) { return {length_of(c, c.in(0))}; }

Values concat(Call& c) {
  const bool stack = c.flag("new_axis");
  const int64_t given = c.integer("axis", 0);
  Values* list = known_list(c, c.in(0));
  if (!list || list->empty()) return {c.op("sequence_concat", {c.in(0)}, {{"axis", ir::Dim(given)}, {"stack", stack}})};
  const int64_t axis = c.axis(given, list->front()->rank() + (stack ? 1 : 0));
  Values items;
  for (Value* v : *list) items.push_back(stack ? expand(c, v, {axis}) : v);
  return {c.op("concat", items, {{"axis", ir::Dim(axis)}})};
}

Values split_row(Call& c) {
  Value* x = c.in(0);
  const int64_t axis = c.axis(c.integer("axis", 0), x->rank());
  const ir::Dim whole = c.size(x, axis);
  ir::Dims sizes;
  if (c.has(1) && c.in(1)->rank() == 1) {
    sizes = c.dims(1);
  } else {
    if (!whole.is_known()) c.fail("the size of axis {} must be known at conversion", axis);
    const int64_t part = c.has(1) ? c.number(1) : 1;
    if (part <= 0 || whole.value() / part > 1 << 16) c.fail("parts of {}", part);
    for (int64_t done = 0; done < whole.value(); done += part) sizes.push_back(std::min(part, whole.value() - done));
  }
  Values items = sizes.empty() ? Values{} : split(c, x, sizes, axis);
  if (!c.has(1) && !c.flag("keepdims", true))
    for (Value*& v : items) v = c.op("squeeze", {v}, {{"axes", ir::Dims{axis}}});
  return {list_of(c, std::move(items), x->dtype())};
}

Values optional(Call& c) {
  if (c.has(0) && c.in(0)->type.sequence) {
    c.importer.optionals[c.in(0)] = {true, true};
    return {c.in(0)};
  }
  Value* v = nullptr;
  bool of_sequence = false;
  if (c.has(0)) {
    v = list_of(c, {c.in(0)});
  } else {
    const file::Attribute* type = c.attribute("type");
    if (!type || !type->value_type) c.fail("neither an input nor a type is given");
    const file::ValueType* inner = type->value_type.get();
    of_sequence = inner->kind == Kind::sequence;
    if (of_sequence && inner->element) inner = inner->element.get();
    v = list_of(c, {}, inner->dtype.value_or(DType::f32));
  }
  c.importer.optionals[v] = {of_sequence, c.has(0)};
  return {v};
}

// A list of at most one tensor, or (for an optional sequence) the sequence itself, where an empty one is taken as
// absent.
Values has_element(Call& c) {
  if (!c.has(0)) return {c.b.scalar(DType::boolean, 0)};
  auto found = c.importer.optionals.find(c.in(0));
  if (found == c.importer.optionals.end()) return {c.b.scalar(DType::boolean, 1)};
  if (found->second.present) return {c.b.scalar(DType::boolean, *found->second.present)};
  return {c.op("greater", {length_of(c, c.in(0)), c.b.scalar(DType::i64, 0)})};
}

Values get_element(Call& c) {
  Value* v = c.in(0);
  auto found = c.importer.optionals.find(v);
  if (!v->type.sequence || found == c.importer.optionals.end() || found->second.of_sequence) return {v};
  if (Values* list = known_list(c, v); list && !list->empty()) return {list->front()};
  return {c.op("sequence_at", {v, c.b.scalar(DType::i64, 0)})};
}

Values map(Call& c) {
  const file::Graph& body = c.graph("body");
  const size_t outputs = body.outputs.size();
  Values* first = known_list(c, c.in(0));
  bool known = first != nullptr;
  for (const Value* v : c.inputs) known = known && (!v->type.sequence || c.importer.lists.contains(v));
  if (known) {
    std::vector<Values> results(outputs);
    for (size_t i = 0, n = first->size(); i < n; ++i) {
      Values arguments;
      for (Value* v : c.inputs) arguments.push_back(v->type.sequence ? c.importer.lists.at(v).at(i) : v);
      const Values made = c.importer.inline_graph(body, c.scope, arguments);
      for (size_t k = 0; k < outputs; ++k) results[k].push_back(made[k]);
    }
    Values out;
    for (Values& items : results) out.push_back(list_of(c, std::move(items)));
    return out;
  }
  Values carried;
  for (const file::ValueInfo& info : body.outputs) {
    carried.push_back(c.op("sequence", {}));
    carried.back()->type.dtype = info.type.dtype.value_or(DType::f32);
  }
  return write_loop(c, length_of(c, c.in(0)), nullptr, carried, [&](const Values& arguments) {
    Values elements;
    for (Value* v : c.inputs) elements.push_back(v->type.sequence ? c.op("sequence_at", {v, arguments[0]}) : v);
    const Values made = c.importer.inline_graph(body, c.scope, elements);
    Values out{c.b.scalar(DType::boolean, 1)};
    for (size_t k = 0; k < outputs; ++k) out.push_back(c.op("sequence_insert", {arguments[1 + k], made[k]}));
    return out;
  });
}

}  // namespace

Rows sequence_rows() {
  return {{"SequenceConstruct", construct},
          {"SequenceEmpty", empty},
          {"SequenceInsert", insert},
          {"SequenceErase", erase},
          {"SequenceAt", at},
          {"SequenceLength", length},
          {"ConcatFromSequence", concat},
          {"SplitToSequence", split_row},
          {"Optional", optional},
          {"OptionalHasElement", has_element},
          {"OptionalGetElement", get_element},
          {"SequenceMap", map}};
}

}  // namespace godwit::frontends::onnx

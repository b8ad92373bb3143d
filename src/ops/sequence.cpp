#include "ops/sequence.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include "base/error.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/movement.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

// A position among n elements; `end`: one behind the last will do, as where something is inserted.
int64_t position(const array& index, size_t size, bool end, const char* op) {
  array wide = mx::astype(mx::reshape(index, {}), mx::int64);
  wide.eval();
  const int64_t at = wide.item<int64_t>(), n = static_cast<int64_t>(size);
  require<UsageError>(at >= -n && at < n + (end ? 1 : 0), "[{}] position {} in a sequence of {}", op, at, n);
  return at < 0 ? at + n : at;
}

}  // namespace

Sequence sequence(const std::vector<array>& xs) { return {xs}; }

array sequence_at(const Sequence& seq, const array& index) {
  return seq.items[static_cast<size_t>(position(index, seq.items.size(), false, "sequence_at"))];
}

array sequence_length(const Sequence& seq) { return array(static_cast<int64_t>(seq.items.size()), mx::int64); }

Sequence sequence_insert(const Sequence& seq, const array& x, const std::optional<array>& index) {
  Sequence out = seq;
  const int64_t last = static_cast<int64_t>(seq.items.size());
  out.items.insert(out.items.begin() + (index ? position(*index, seq.items.size(), true, "sequence_insert") : last), x);
  return out;
}

Sequence sequence_erase(const Sequence& seq, const std::optional<array>& index) {
  require<UsageError>(!seq.items.empty(), "[sequence_erase] the sequence is empty");
  Sequence out = seq;
  const int64_t last = static_cast<int64_t>(seq.items.size()) - 1;
  out.items.erase(out.items.begin() + (index ? position(*index, seq.items.size(), false, "sequence_erase") : last));
  return out;
}

array sequence_concat(const Sequence& seq, int axis, bool stack) {
  require<UsageError>(!seq.items.empty(), "[sequence_concat] the sequence is empty");
  return stack ? mx::stack(seq.items, axis) : mx::concatenate(seq.items, axis);
}

Sequence sequence_split(const array& x, int axis, const Ints& sizes) { return {split(x, sizes, axis)}; }

namespace {

using infer::Types;

// Where the elements of a sequence differ in a dimension, the sequence's type has this symbol. It never has a value:
// taking an element gives a fresh one.
const char* const varying = "_varying";

ir::Type list_of(DType dtype, std::optional<ir::Shape> shape) {
  ir::Type type{dtype, std::move(shape)};
  type.sequence = true;
  return type;
}

std::optional<ir::Shape> common(const std::optional<ir::Shape>& a, const std::optional<ir::Shape>& b) {
  if (!a || !b || a->size() != b->size()) return std::nullopt;
  ir::Shape out = *a;
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i] != (*b)[i]) out[i] = ir::Dim::symbol(varying);
  return out;
}

const ir::Type& list(InferContext& c) {
  if (!c.type(0).sequence) c.fail("operand 0 is not a sequence");
  return c.type(0);
}

Types sequence_type(InferContext& c) {
  if (c.count() == 0) return {list_of(DType::f32, std::nullopt)};
  checks::one_dtype(c);
  std::optional<ir::Shape> shape = c.type(0).shape;
  for (size_t i = 1; i < c.count(); ++i) shape = common(shape, c.type(i).shape);
  return {list_of(c.dtype(0), shape)};
}

// An element's type: what varies has its own symbol here.
ir::Type element(InferContext& c) {
  ir::Type type{list(c).dtype, list(c).shape};
  if (type.shape)
    for (ir::Dim& d : *type.shape)
      if (d == ir::Dim::symbol(varying)) d = InferContext::fresh();
  return type;
}

Types at_type(InferContext& c) {
  checks::indices(c, 1);
  return {element(c)};
}

Types length_type(InferContext& c) {
  list(c);
  return {{DType::i64, ir::Shape{}}};
}

Types insert_type(InferContext& c) {
  const ir::Type& seq = list(c);
  const bool is_empty =
      c.input(0).producer && c.input(0).producer->op == "sequence" && c.input(0).producer->inputs.empty();
  if (is_empty) return {list_of(c.dtype(1), c.type(1).shape)};
  if (seq.dtype != c.dtype(1)) c.fail("a {} among {}", name(c.dtype(1)), name(seq.dtype));
  return {list_of(seq.dtype, common(seq.shape, c.type(1).shape))};
}

Types erase_type(InferContext& c) { return {list(c)}; }

Types concat_type(InferContext& c) {
  ir::Type type = element(c);
  if (!type.shape) return {type};
  const bool stack = c.flag("stack");
  const int64_t axis = c.axis(c.number("axis"), static_cast<int64_t>(type.shape->size()) + (stack ? 1 : 0));
  if (stack)
    type.shape->insert(type.shape->begin() + axis, InferContext::fresh());
  else if (type.shape->empty())
    c.fail("scalars cannot be joined");
  else
    (*type.shape)[static_cast<size_t>(axis)] = InferContext::fresh();
  return {type};
}

Types split_type(InferContext& c) {
  if (c.rank(0) == 0) c.fail("a scalar cannot be split");
  const size_t axis = static_cast<size_t>(c.axis(c.number("axis"), c.rank(0)));
  std::optional<ir::Shape> shape;
  for (const ir::Dim& size : c.integers("sizes")) {
    ir::Shape part = c.shape(0);
    part[axis] = size;
    shape = shape ? common(shape, part) : part;
  }
  if (!shape) {
    shape = c.shape(0);
    (*shape)[axis] = ir::Dim::symbol(varying);
  }
  return {list_of(c.dtype(0), shape)};
}

}  // namespace

Rows sequence_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("sequence", &sequence, "xs", sequence_type));
  add(row("sequence_at", &sequence_at, "seq, index", at_type));
  add(row("sequence_length", &sequence_length, "seq", length_type));
  add(row("sequence_insert", &sequence_insert, "seq, x, index?", insert_type));
  add(row("sequence_erase", &sequence_erase, "seq, index?", erase_type));
  add(row("sequence_concat", &sequence_concat, "seq, axis, stack=false", concat_type));
  add(row("sequence_split", &sequence_split, "x, axis, sizes", split_type));
  return rows;
}

}  // namespace godwit::ops

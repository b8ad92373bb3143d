// Views in which several places may be one element of memory, or which skip some.
#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"
#include "frontends/aten/view.h"

namespace godwit::frontends::aten {
namespace {

// Where `a` and `b` differ; two NaN are the same.
ir::Value* differs(ops::Builder& b, ir::Value* x, ir::Value* y) {
  ir::Value* out = b.op("not_equal", {x, y});
  if (!is_float(x->dtype())) return out;
  ir::Value* both = b.op("logical_and", {b.op("is_nan", {x}), b.op("is_nan", {y})});
  return b.op("logical_and", {out, b.op("logical_not", {both})});
}

// The write for any view that only picks elements: what `forward` makes of the elements' numbers says where each place
// of the view lies. Where several places are one element, a place that the write left alone must not undo another's
// change: it is sent to one element more at the end, which is cut off.
TensorRef::Inverse scattered(const TensorRef::Forward& forward, bool overlaps) {
  return [forward, overlaps](ops::Builder& b, ir::Value* base, ir::Value* update) {
    const ir::Dim count = ir::product(base->shape()), places = ir::product(update->shape());
    ir::Value* numbers = b.op("arange", {}, {{"start", 0}, {"count", count}, {"dtype", DType::i64}});
    ir::Value* at = forward(b, b.reshape(numbers, base->shape()));
    ir::Value* flat = b.reshape(base, {count});
    if (overlaps) {
      at = b.op("where", {differs(b, update, forward(b, base)), at, b.dim(count)});
      ir::Value* extra = b.op("full", {b.scalar(base->dtype(), 0)}, {{"shape", ir::Dims{1}}});
      flat = b.op("concat", {flat, extra}, {{"axis", 0}});
    }
    flat = b.op("scatter", {flat, b.reshape(at, {places}), b.reshape(update, {places})}, {{"axis", 0}});
    if (overlaps)
      flat = b.op("slice", {flat}, {{"axes", ir::Dims{0}}, {"starts", ir::Dims{0}}, {"stops", ir::Dims{count}}});
    return b.reshape(flat, base->shape());
  };
}

TensorRef picked(const TensorRef& t, TensorRef::Forward forward, bool overlaps) {
  return t.view(forward, scattered(forward, overlaps), false);
}

ir::Value* broadcast_to(ops::Builder& b, ir::Value* v, const ir::Dims& shape) {
  return v->shape() == shape ? v : b.op("broadcast", {v}, {{"shape", shape}});
}

TensorRef expanded(Context& c, const TensorRef& t, ir::Dims shape) {
  const int64_t extra = static_cast<int64_t>(shape.size()) - t.rank();
  if (extra < 0) c.fail("{} cannot become {}", ir::str(t.type()), ir::str(shape));
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i].is(-1)) {
      if (static_cast<int64_t>(i) < extra) c.fail("-1 for a new axis");
      shape[i] = t.shape()[i - static_cast<size_t>(extra)];
    }
  if (shape == t.shape()) return t;
  return picked(
      t, [shape](ops::Builder& b, ir::Value* v) { return broadcast_to(b, v, shape); }, true);
}

Values expand(Context& c) { return {expanded(c, c.ref("self"), c.dims("size"))}; }
Values expand_as(Context& c) { return {expanded(c, c.ref("self"), c.ref("other").shape())}; }

Values diagonal(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t rank = t.rank();
  ir::Attrs attrs = {
      {"offset", c.integer("offset", 0)}, {"axis1", c.axis("dim1", rank)}, {"axis2", c.axis("dim2", rank)}};
  return {picked(
      t, [attrs](ops::Builder& b, ir::Value* v) { return b.op("diagonal", {v}, attrs); }, false)};
}

Values unfold(Context& c) {
  TensorRef t = c.ref("self");
  const ir::Dim size = c.integer("size"), step = c.integer("step");
  const bool overlaps = !(size.is_known() && step.is_known() && step.value() >= size.value());
  ir::Attrs attrs = {{"axis", c.axis("dimension", t.rank())}, {"size", size}, {"step", step}};
  return {picked(
      t, [attrs](ops::Builder& b, ir::Value* v) { return b.op("unfold", {v}, attrs); }, overlaps)};
}

Values as_strided(Context& c) {
  // An offset counts from the start of the memory, which is the root's; without one the view starts where `self` does.
  TensorRef t = c.has("storage_offset") ? c.ref("self").root() : c.ref("self");
  if (!t.is_contiguous() || t.dtype() != c.ref("self").dtype())
    c.unsupported("strides over memory that is not in one piece");
  // The furthest element must lie inside.
  ir::Dim last = c.integer("storage_offset", 0);
  const ir::Dims size = c.dims("size"), stride = c.dims("stride", size.size());
  for (size_t i = 0; i < size.size(); ++i) last = last + (size[i] - ir::Dim(1)) * stride[i];
  const ir::Dim room = ir::product(t.shape()) - last, count = ir::product(size);
  if (!room.is_known()) c.unsupported("strides over a symbolic size");
  if (!count.is(0) && room.value() < 1)
    c.fail("element {} of a tensor with {} elements is read", last.str(), ir::product(t.shape()).str());
  ir::Attrs attrs = {{"shape", size}, {"strides", stride}, {"offset", c.integer("storage_offset", 0)}};
  return {picked(
      t, [attrs](ops::Builder& b, ir::Value* v) { return b.op("as_strided", {v}, attrs); }, true)};
}

}  // namespace

Rows overlap_rows() {
  Rows rows = {
      {"expand_as", expand_as},
      {"broadcast_to", expand},
  };
  add_with_copy(rows, "expand", expand);
  add_with_copy(rows, "diagonal", diagonal);
  add_with_copy(rows, "unfold", unfold);
  add_with_copy(rows, "as_strided", as_strided);
  return rows;
}

}  // namespace godwit::frontends::aten

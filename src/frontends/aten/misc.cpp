// Conversions, copies, sizes, checks, losses and what fits nowhere else.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// `.to` and its relatives alias when nothing changes.
Values converted(Context& c, DType to, bool copy) {
  TensorRef t = c.ref("self");
  if (t.dtype() == to && !copy) return {t};
  return {c.result(t.dtype() == to ? c.op("copy", {t.read()}) : c.cast(t.read(), to))};
}

Values to(Context& c) {
  DType target = c.ref("self").dtype();
  if (c.has("other")) target = c.ref("other").dtype();
  if (auto d = c.dtype()) target = *d;
  return converted(c, target, c.flag("copy"));
}

Values to_copy(Context& c) { return converted(c, c.dtype().value_or(c.ref("self").dtype()), true); }
Values type_as(Context& c) { return converted(c, c.ref("other").dtype(), false); }

Translator cast_to(DType to) {
  return [to](Context& c) { return converted(c, to, false); };
}

Values clone(Context& c) { return {c.result(c.tensor("self"))}; }

Values contiguous(Context& c) {
  TensorRef t = c.ref("self");
  if (t.is_contiguous()) return {t};
  return {c.result(t.read())};
}

ir::Dim size_along(Context& c) {
  TensorRef t = c.ref("self");
  return t.shape().at(static_cast<size_t>(c.axis("dim", t.rank())));
}

Values size(Context& c) {
  if (c.schema.overload == "int" || c.schema.find("dim")) return {size_along(c)};
  return {Value::dims(c.ref("self").shape())};
}

// The first elements under a new shape; new ones (of no defined value in PyTorch) are zeros.
Values resize(Context& c) {
  TensorRef t = c.ref("self");
  const ir::Dims shape = c.dims("size");
  if (!(t == t.root())) c.unsupported("a view is resized");
  const ir::Dim have = ir::product(t.shape()), want = ir::product(shape), gap = want - have;
  if (!gap.is_known()) c.unsupported("the number of elements must be known");
  ir::Value* flat = c.b.reshape(t.read(), {have});
  if (gap.value() < 0)
    flat = c.op("slice", {flat}, {{"axes", ir::Dims{0}}, {"starts", ir::Dims{0}}, {"stops", ir::Dims{want}}});
  if (gap.value() > 0)
    flat = c.op("pad", {flat, c.scalar_like(flat, 0)}, {{"low", ir::Dims{0}}, {"high", ir::Dims{gap}}});
  t.write(c.b.reshape(flat, shape));
  return {t};
}

Values numel(Context& c) { return {ir::product(c.ref("self").shape())}; }
Values dim(Context& c) { return {c.ref("self").rank()}; }

ir::Dims contiguous_strides(const ir::Shape& shape) {
  ir::Dims strides(shape.size(), ir::Dim(1));
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Values stride(Context& c) {
  TensorRef t = c.ref("self");
  if (!t.is_contiguous()) c.unsupported("strides of a view");
  ir::Dims strides = contiguous_strides(t.shape());
  if (c.schema.find("dim")) return {strides.at(static_cast<size_t>(c.axis("dim", t.rank())))};
  return {Value::dims(strides)};
}

// The one element as a number.
Values item(Context& c) {
  ir::Value* x = c.tensor("self");
  if (!ir::product(x->shape()).is(1)) c.fail("{} has more than one element", ir::str(x->type));
  if (is_integer(x->dtype())) return {c.b.read_one(x)};
  const Tensor* known = ops::constant_of(c.b.module(), x);
  if (known && x->dtype() == DType::boolean) return {known->number(0) != 0};
  if (known && is_float(x->dtype())) return {known->number(0)};
  return {RunNumber{c.b.reshape(x, {})}};
}

Values bool_of(Context& c) {
  ir::Value* x = c.tensor("self");
  return {RunNumber{c.b.reshape(c.cast(x, DType::boolean), {})}};
}

Values lift(Context& c) { return {c.result(c.tensor("self"))}; }

// A list of tensors, numbers or lists of them as one tensor.
Values tensor_from_list(Context& c) {
  const Value& data = c.get(argument_name(c, 0));
  if (!data.items()) return {c.result(c.to_tensor(data, c.dtype()))};
  c.unsupported("a tensor from a list");
}

Values cosine_similarity(Context& c) {
  auto v = c.promoted({"x1", "x2"});
  const int64_t axis = c.number("dim", 1);
  const double eps = c.real("eps");
  ir::Attrs keep = {{"axes", ir::Dims{axis}}, {"keepdims", true}};
  for (ir::Value*& x : v) {
    ir::Value* norm = c.op("norm", {x}, keep);
    x = c.op("divide", {x, c.op("maximum", {norm, c.scalar_like(norm, eps)})});
  }
  return {c.result(c.op("sum", {c.op("multiply", {v[0], v[1]})}, {{"axes", ir::Dims{axis}}}))};
}

Values pairwise_distance(Context& c) {
  auto v = c.promoted({"x1", "x2"});
  ir::Value* d = c.op("add", {c.op("subtract", v), c.scalar_like(v[0], c.real("eps"))});
  return {
      c.result(c.op("norm", {d}, {{"axes", ir::Dims{-1}}, {"order", c.real("p")}, {"keepdims", c.flag("keepdim")}}))};
}

// Boxes are (x1, y1, x2, y2); kept boxes in order of falling score.
Values nms(Context& c) {
  ir::Value *boxes = c.tensor("dets"), *scores = c.tensor("scores");
  const ir::Dim n = boxes->shape().at(0);
  ir::Value* b3 = c.op("expand_dims", {boxes}, {{"axes", ir::Dims{0}}});
  ir::Value* s3 = c.b.reshape(scores, {1, 1, n});
  // Rows are (batch, class, box); a threshold below every score keeps all candidates.
  ir::Value* kept = c.op(
      "nms", {b3, s3}, {{"max_per_class", n}, {"iou_threshold", c.real("iou_threshold")}, {"score_threshold", -3e38}});
  ir::Value* column = c.op("slice", {kept}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{2}}, {"stops", ir::Dims{3}}});
  return {c.result(c.op("squeeze", {column}, {{"axes", ir::Dims{1}}}))};
}

Values roi_align(Context& c) {
  ir::Value* rois = c.tensor("rois");
  auto part = [&](int64_t from, int64_t to_column) {
    return c.op("slice", {rois}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{from}}, {"stops", ir::Dims{to_column}}});
  };
  ir::Value* batch = c.cast(c.op("squeeze", {part(0, 1)}, {{"axes", ir::Dims{1}}}), DType::i64);
  const int64_t sampling = std::max<int64_t>(0, c.number("sampling_ratio"));
  ir::Attrs attrs = {{"mode", std::string("avg")},
                     {"height", c.integer("pooled_height")},
                     {"width", c.integer("pooled_width")},
                     {"scale", c.real("spatial_scale")},
                     {"sampling", sampling},
                     {"half_pixel", c.flag("aligned")}};
  return {c.result(c.op("roi_align", {c.tensor("input"), part(1, 5), batch}, std::move(attrs)))};
}

}  // namespace

Rows misc_rows() {
  return {
      {"to", to},
      {"_to_copy", to_copy},
      {"type_as", type_as},
      {"_cast_Float", cast_to(DType::f32)},
      {"_cast_Long", cast_to(DType::i64)},
      {"clone", clone},
      {"lift_fresh_copy", lift},
      {"lift_fresh", identity()},
      {"lift", identity()},
      {"contiguous", contiguous},
      {"cpu", identity()},
      {"cuda", identity()},
      {"requires_grad_", identity()},
      {"detach_", identity()},
      {"data", identity()},
      {"_pin_memory", identity()},
      {"size", size},
      {"sym_size", size},
      {"resize_", resize},
      {"sym_is_contiguous", [](Context&) -> Values { return {true}; }},
      {"numel", numel},
      {"sym_numel", numel},
      {"dim", dim},
      {"stride", stride},
      {"sym_stride", stride},
      {"sym_storage_offset", [](Context&) -> Values { return {0}; }},
      {"is_floating_point", [](Context& c) -> Values { return {is_float(c.ref("self").dtype())}; }},
      {"is_complex", [](Context& c) -> Values { return {is_complex(c.ref("self").dtype())}; }},
      {"is_nonzero", bool_of},
      {"item", item},
      {"_local_scalar_dense", item},
      {"tensor", tensor_from_list},
      {"_assert_tensor_metadata", dropped()},
      {"_assert_scalar", dropped()},
      {"_assert_async", dropped()},
      {"sym_constrain_range", dropped()},
      {"sym_constrain_range_for_size", dropped()},
      {"cosine_similarity", cosine_similarity},
      {"pairwise_distance", pairwise_distance},
      {"torchvision::nms", nms},
      {"torchvision::roi_align", roi_align},
  };
}

}  // namespace godwit::frontends::aten

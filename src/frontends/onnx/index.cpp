// Gathering, scattering, sorting.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Value* indices(Call& c, size_t input) { return c.cast(c.in(input), DType::i64); }

Values gather(Call& c) {
  return {c.op("take", {c.in(0), indices(c, 1)}, {{"axis", ir::Dim(c.axis(c.integer("axis", 0), c.rank()))}})};
}

Values gather_elements(Call& c) {
  return {c.op("take_along", {c.in(0), indices(c, 1)}, {{"axis", ir::Dim(c.axis(c.integer("axis", 0), c.rank()))}})};
}

Values gather_nd(Call& c) {
  return {c.op("gather_nd", {c.in(0), indices(c, 1)}, {{"batch_dims", ir::Dim(c.integer("batch_dims", 0))}})};
}

Values scatter_elements(Call& c) {
  return {
      c.op("scatter", {c.in(0), indices(c, 1), c.in(2)},
           {{"axis", ir::Dim(c.axis(c.integer("axis", 0), c.rank()))}, {"reduction", c.text("reduction", "none")}})};
}

Values scatter_nd(Call& c) {
  return {c.op("scatter_nd", {c.in(0), indices(c, 1), c.in(2)}, {{"reduction", c.text("reduction", "none")}})};
}

Values nonzero(Call& c) {  // (rank, count)
  Value* places = c.op("nonzero", {c.rank() == 0 ? c.b.reshape(c.in(0), {1}) : c.in(0)});
  return {transpose(c, places, {1, 0})};
}

Values compress(Call& c) {
  Value *x = c.in(0), *condition = c.in(1);
  const bool flat = !c.has_attribute("axis");
  if (flat) x = c.b.reshape(x, {ir::product(x->shape())});
  const int64_t axis = flat ? 0 : c.axis(c.integer("axis", 0), x->rank());
  Value* places = c.op("nonzero", {condition});
  return {c.op("take", {x, c.op("squeeze", {places}, {{"axes", ir::Dims{1}}})}, {{"axis", ir::Dim(axis)}})};
}

Values topk(Call& c) {
  const ir::Dim k = c.opset < 10 ? ir::Dim(c.integer("k", 1)) : c.dim(1);
  const int64_t axis = c.axis(c.integer("axis", -1), c.rank());
  return c.b.ops(
      "topk", {c.in(0)},
      {{"k", k}, {"axis", ir::Dim(axis)}, {"largest", c.flag("largest", true)}, {"sorted", c.flag("sorted", true)}});
}

Values unique(Call& c) {
  const bool flat = !c.has_attribute("axis");
  const int64_t axis = flat ? 0 : c.axis(c.integer("axis", 0), c.rank());
  return c.b.ops("unique", {c.in(0)}, {{"axis", ir::Dim(axis)}, {"flat", flat}, {"sorted", c.flag("sorted", true)}});
}

Values one_hot(Call& c) {
  Value *x = c.in(0), *values = c.in(2);
  const ir::Dim depth = c.dim(1);
  const int64_t rank = x->rank() + 1, axis = c.axis(c.integer("axis", -1), rank);
  Value* at = c.cast(x, DType::i64);
  Value* size = c.b.dim(depth);
  at = c.op("where", {c.op("less", {at, c.b.scalar(DType::i64, 0)}), add(c, at, size), at});
  Value* places = c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", depth}, {"dtype", DType::i64}});
  Value* hit = c.op("equal", {expand(c, at, {axis}), along(c, places, axis, rank)});
  auto value = [&](int64_t i) { return c.b.reshape(slice(c, values, 0, i, i + 1), {}); };
  return {c.op("where", {hit, value(1), value(0)})};
}

// A cache along `axis` in which `update` replaces the positions from write_indices[batch] on.
Values tensor_scatter(Call& c) {
  Value *cache = c.in(0), *update = c.in(1);
  const int64_t rank = cache->rank(), axis = c.axis(c.integer("axis", -2), rank);
  if (axis == 0) c.fail("axis 0 is the batch");
  const ir::Dim steps = c.size(update, axis), size = c.size(cache, axis);
  Value* at =
      along(c, c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", steps}, {"dtype", DType::i64}}), axis, rank);
  if (c.has(2)) at = add(c, at, along(c, c.cast(c.in(2), DType::i64), 0, rank));
  if (c.text("mode", "linear") == "circular") at = c.op("remainder", {at, c.b.dim(size)});
  at = c.op("broadcast", {at}, {{"shape", update->shape()}});
  return {c.op("scatter", {cache, at, update}, {{"axis", ir::Dim(axis)}})};
}

Values max_unpool(Call& c) {
  Value *x = c.in(0), *at = c.in(1);
  const size_t spatial = c.shape(x, 2).size() - 2;
  std::vector<int64_t> kernel = c.integers("kernel_shape"), ones(spatial, 1);
  std::vector<int64_t> stride = c.integers("strides", ones),
                       pads = c.integers("pads", std::vector<int64_t>(2 * spatial, 0));
  if (kernel.size() != spatial || stride.size() != spatial || pads.size() != 2 * spatial)
    c.fail("attributes do not fit the rank");
  ir::Dims small = x->shape();
  for (size_t i = 0; i < spatial; ++i)
    small[2 + i] = (small[2 + i] - 1) * ir::Dim(stride[i]) + ir::Dim(kernel[i] - pads[i] - pads[spatial + i]);
  const ir::Dims shape = c.has(2) ? c.dims(2) : small;
  if (shape.size() != small.size()) c.fail("the output shape has {} axes", shape.size());
  const ir::Dim planes = small[0] * small[1];
  // The indices are flat over the tensor of the size that the pooling's attributes give, channels and batch included.
  const ir::Dim plane = ir::product({small.begin() + 2, small.end()});
  ir::Dim count = ir::product({c.shape(x, 2).begin() + 2, x->shape().end()});
  Value* flat = c.op("remainder", {c.b.reshape(at, {planes, count}), c.b.dim(plane)});
  if (!(shape == small)) {  // places in the small plane to places in the asked one
    Value *rest = flat, *moved = nullptr;
    ir::Dim step = 1;
    for (size_t i = spatial; i-- > 0;) {
      Value* size = c.b.dim(small[2 + i]);
      Value* part = multiply(c, c.op("remainder", {rest, size}), c.b.dim(step));
      moved = moved ? add(c, moved, part) : part;
      rest = c.op("floor_divide", {rest, size});
      step = step * shape[2 + i];
    }
    flat = moved;
  }
  Value* out = full(c, x->dtype(), 0, {planes, ir::product({shape.begin() + 2, shape.end()})});
  out = c.op("scatter", {out, flat, c.b.reshape(x, {planes, count})}, {{"axis", ir::Dim(1)}});
  return {c.b.reshape(out, shape)};
}

}  // namespace

Rows index_rows() {
  return {{"Gather", gather},
          {"GatherElements", gather_elements},
          {"GatherND", gather_nd},
          {"ScatterElements", scatter_elements},
          {"Scatter", scatter_elements},
          {"ScatterND", scatter_nd},
          {"NonZero", nonzero},
          {"Compress", compress},
          {"TopK", topk},
          {"Unique", unique},
          {"OneHot", one_hot},
          {"TensorScatter", tensor_scatter},
          {"MaxUnpool", max_unpool}};
}

}  // namespace godwit::frontends::onnx

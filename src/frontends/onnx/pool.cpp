// Pooling.
#include "frontends/onnx/registry.h"
#include "frontends/onnx/windows.h"

namespace godwit::frontends::onnx {
namespace {

ir::Attrs attributes(const Windows& w, bool ceil) {
  return {{"kernel", w.kernel}, {"stride", w.stride},     {"low", w.low},
          {"high", w.high},     {"dilation", w.dilation}, {"ceil_mode", ceil}};
}

ir::Dims kernel_of(const Call& c) {
  if (!c.has_attribute("kernel_shape")) c.fail("attribute kernel_shape is missing");
  const std::vector<int64_t> kernel = c.integers("kernel_shape");
  for (int64_t k : kernel)
    if (k <= 0) c.fail("kernel_shape must be positive");
  return to_dims(kernel);
}

// The op's indices are flat within a plane of (spatial...); ONNX counts over the whole tensor.
Value* flat_indices(Call& c, Value* x, Value* indices) {
  const ir::Shape& s = x->shape();
  const int64_t rank = x->rank(), spatial = rank - 2;
  const ir::Dim plane = ir::product({s.begin() + 2, s.end()});
  if (c.flag("storage_order")) {  // column major within the plane
    Value *rest = indices, *moved = nullptr;
    for (int64_t i = spatial; i-- > 0;) {
      const ir::Dim step = ir::product({s.begin() + 2, s.begin() + 2 + i});
      Value* size = c.b.dim(s[static_cast<size_t>(2 + i)]);
      Value* part = multiply(c, c.op("remainder", {rest, size}), c.b.dim(step));
      moved = moved ? add(c, moved, part) : part;
      rest = c.op("floor_divide", {rest, size});
    }
    indices = moved;
  }
  Value* planes = c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", s[0] * s[1]}, {"dtype", DType::i64}});
  ir::Dims shape{s[0], s[1]};
  shape.insert(shape.end(), static_cast<size_t>(spatial), ir::Dim(1));
  return add(c, indices, c.b.reshape(multiply(c, planes, c.b.dim(plane)), shape));
}

Values max_pool(Call& c) {
  Value* x = c.in(0);
  const Windows w = windows_of(c, x, kernel_of(c));
  const ir::Attrs attrs = attributes(w, c.flag("ceil_mode"));
  if (!c.wants(1)) return {c.op("max_pool", {x}, attrs)};
  Values both = c.b.ops("max_pool_indices", {x}, attrs);
  return {both[0], flat_indices(c, x, both[1])};
}

Values average_pool(Call& c) {
  const Windows w = windows_of(c, c.in(0), kernel_of(c));
  ir::Attrs attrs = attributes(w, c.flag("ceil_mode"));
  attrs["count_padding"] = c.flag("count_include_pad");
  return {c.op("avg_pool", {c.in(0)}, attrs)};
}

Values lp_pool(Call& c) {
  const Windows w = windows_of(c, c.in(0), kernel_of(c));
  ir::Attrs attrs = attributes(w, c.flag("ceil_mode"));
  attrs["order"] = static_cast<double>(c.integer("p", 2));
  return {c.op("lp_pool", {c.in(0)}, attrs)};
}

std::vector<int64_t> spatial_axes(const Call& c) {
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < c.rank(); ++i) axes.push_back(i);
  return axes;
}

Row global(std::string onnx, std::string op) {
  return {std::move(onnx),
          [op = std::move(op)](Call& c) -> Values { return {reduce(c, op, c.in(0), spatial_axes(c), true)}; }};
}

Values global_lp_pool(Call& c) {
  return {c.op(
      "norm", {c.in(0)},
      {{"axes", to_dims(spatial_axes(c))}, {"keepdims", true}, {"order", static_cast<double>(c.integer("p", 2))}})};
}

}  // namespace

Rows pool_rows() {
  return {{"MaxPool", max_pool},
          {"AveragePool", average_pool},
          {"LpPool", lp_pool},
          global("GlobalAveragePool", "mean"),
          global("GlobalMaxPool", "max"),
          {"GlobalLpPool", global_lp_pool}};
}

}  // namespace godwit::frontends::onnx

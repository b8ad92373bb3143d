// Padding, cropping, and images from columns.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values pad(Call& c) {
  Value* x = c.in(0);
  const std::string mode = c.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") c.fail("unknown mode '{}'", mode);
  ir::Dims pads = c.opset < 11 ? to_dims(c.integers(c.opset < 2 ? "paddings" : "pads")) : c.dims(1);
  Value* value = c.opset < 11 ? c.scalar(c.real("value", 0.0), x) : c.maybe(2);
  const auto rank = static_cast<size_t>(x->rank());
  ir::Dims low(rank, ir::Dim(0)), high(rank, ir::Dim(0));
  std::vector<int64_t> axes = c.has(3) ? c.numbers(3) : std::vector<int64_t>{};
  if (!c.has(3))
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  if (pads.size() != 2 * axes.size()) c.fail("{} pads for {} axes", pads.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(c.axis(axes[i], x->rank()));
    low[axis] = pads[i], high[axis] = pads[axes.size() + i];
  }
  if (value) value = c.b.reshape(value, {});
  return {c.op("pad", {x, mode == "constant" ? value : nullptr}, {{"low", low}, {"high", high}, {"mode", mode}})};
}

Values center_crop_pad(Call& c) {
  Value* x = c.in(0);
  ir::Dims shape = c.dims(1);
  std::vector<int64_t> axes = c.integers("axes");
  if (!c.has_attribute("axes"))
    for (int64_t i = 0; i < x->rank(); ++i) axes.push_back(i);
  if (axes.size() != shape.size()) c.fail("{} sizes for {} axes", shape.size(), axes.size());
  ir::Dims low(static_cast<size_t>(x->rank()), ir::Dim(0)), high = low;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(c.axis(axes[i], x->rank()));
    const ir::Dim own = x->shape()[axis], to = shape[i];
    // Cropped: the start is (own - to) / 2 rounded down. Padded: the front is (to - own) / 2 rounded down.
    const ir::Dim crop = max(own - to, 0), grow = max(to - own, 0);
    low[axis] = floordiv(grow, 2) - floordiv(crop, 2);
    high[axis] = to - own - low[axis];
  }
  return {c.op("pad", {x}, {{"low", low}, {"high", high}, {"mode", std::string("constant")}})};
}

Values col2im(Call& c) {
  Value* x = c.in(0);
  ir::Dims size = c.dims(1), kernel = c.dims(2);
  const size_t n = size.size();
  ir::Dims ones(n, ir::Dim(1)), pads = to_dims(c.integers("pads", std::vector<int64_t>(2 * n, 0)));
  auto list = [&](const char* name) { return c.has_attribute(name) ? to_dims(c.integers(name)) : ones; };
  const ir::Dims stride = list("strides"), dilation = list("dilations");
  if (kernel.size() != n || pads.size() != 2 * n || stride.size() != n || dilation.size() != n)
    c.fail("block, pads, strides and dilations must fit {} spatial axes", n);
  ir::Dims low(pads.begin(), pads.begin() + static_cast<int64_t>(n)),
      high(pads.begin() + static_cast<int64_t>(n), pads.end());
  if (n <= 2)
    return {c.op("fold", {x},
                 {{"output_size", size},
                  {"kernel", kernel},
                  {"stride", stride},
                  {"low", low},
                  {"high", high},
                  {"dilation", dilation}})};
  // More axes: a transposed convolution whose kernel puts every column's element in its place.
  const ir::Dim taps = ir::product(kernel), channels = floordiv(c.shape(x, 2)[1], taps);
  ir::Dims blocks, padding;
  for (size_t i = 0; i < n; ++i) {
    const ir::Dim span = dilation[i] * (kernel[i] - 1);
    blocks.push_back(floordiv(size[i] + low[i] + high[i] - span - 1, stride[i]) + 1);
    padding.push_back(size[i] + low[i] + high[i] - ((blocks[i] - 1) * stride[i] + span + 1));
  }
  ir::Dims shape{c.shape(x, 1)[0] * channels, taps}, weight_shape{taps, 1};
  shape.insert(shape.end(), blocks.begin(), blocks.end());
  weight_shape.insert(weight_shape.end(), kernel.begin(), kernel.end());
  Value* eye = c.op("eye", {}, {{"rows", taps}, {"columns", taps}, {"dtype", x->dtype()}});
  Value* image =
      c.op("conv_transpose", {c.b.reshape(x, shape), c.b.reshape(eye, weight_shape)},
           {{"stride", stride}, {"low", low}, {"high", high}, {"output_padding", padding}, {"dilation", dilation}});
  ir::Dims out{c.shape(x, 1)[0], channels};
  out.insert(out.end(), size.begin(), size.end());
  return {c.b.reshape(image, out)};
}

}  // namespace

Rows pad_rows() { return {{"Pad", pad}, {"CenterCropPad", center_crop_pad}, {"Col2Im", col2im}}; }

}  // namespace godwit::frontends::onnx

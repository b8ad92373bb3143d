// Convolutions.
#include "frontends/onnx/registry.h"
#include "frontends/onnx/windows.h"

namespace godwit::frontends::onnx {
namespace {

Value* convolve(Call& c, Value* x, Value* weight, Value* bias) {
  const Windows w = windows_of(c, x, ir::Dims(c.shape(weight, 2).begin() + 2, weight->shape().end()));
  return c.op("conv", {x, weight, bias},
              {{"stride", w.stride},
               {"low", w.low},
               {"high", w.high},
               {"dilation", w.dilation},
               {"groups", ir::Dim(c.integer("group", 1))}});
}

Values conv(Call& c) { return {convolve(c, c.in(0), c.in(1), c.maybe(2))}; }

Values conv_transpose(Call& c) {
  Value *x = c.in(0), *weight = c.in(1);
  const auto n = static_cast<size_t>(x->rank() - 2);
  if (x->rank() < 3 || weight->rank() != x->rank()) c.fail("input and weight must have the same rank, at least 3");
  const std::vector<int64_t> ones(n, 1), zeros(n, 0);
  const std::vector<int64_t> stride = c.integers("strides", ones), dilation = c.integers("dilations", ones);
  const std::vector<int64_t> extra = c.integers("output_padding", zeros),
                             pads = c.integers("pads", std::vector<int64_t>(2 * n, 0));
  if (stride.size() != n || dilation.size() != n || extra.size() != n || pads.size() != 2 * n)
    c.fail("attributes do not fit the rank");
  const std::string auto_pad = c.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  ir::Dims low, high;
  std::vector<int64_t> asked = c.integers("output_shape");
  if (c.has_attribute("output_shape") && asked.size() > n)
    asked.erase(asked.begin(), asked.end() - static_cast<int64_t>(n));
  for (size_t i = 0; i < n; ++i) {
    if (!c.has_attribute("output_shape") && !same) {
      const bool none = auto_pad == "VALID";
      low.push_back(none ? 0 : pads[i]), high.push_back(none ? 0 : pads[n + i]);
      continue;
    }
    const ir::Dim in = x->shape()[2 + i];
    const ir::Dim out = c.has_attribute("output_shape") ? ir::Dim(asked.at(i)) : in * ir::Dim(stride[i]);
    const ir::Dim total = ir::Dim(stride[i]) * (in - 1) + ir::Dim(extra[i]) +
                          (weight->shape()[2 + i] - 1) * ir::Dim(dilation[i]) + 1 - out;
    // The odd one goes to the end for SAME_UPPER, to the front otherwise.
    const ir::Dim half = floordiv(total, 2);
    low.push_back(auto_pad == "SAME_UPPER" ? half : total - half);
    high.push_back(total - low.back());
  }
  return {c.op("conv_transpose", {x, weight, c.maybe(2)},
               {{"stride", to_dims(stride)},
                {"low", low},
                {"high", high},
                {"output_padding", to_dims(extra)},
                {"dilation", to_dims(dilation)},
                {"groups", ir::Dim(c.integer("group", 1))}})};
}

Values deform_conv(Call& c) {
  Value *x = c.in(0), *weight = c.in(1), *bias = c.maybe(3), *mask = c.maybe(4);
  const Windows w = windows_of(c, x, ir::Dims(c.shape(weight, 2).begin() + 2, weight->shape().end()));
  return {c.op("deform_conv", {x, c.in(2), weight, mask, bias},
               {{"stride", w.stride},
                {"low", w.low},
                {"high", w.high},
                {"dilation", w.dilation},
                {"groups", ir::Dim(c.integer("group", 1))},
                {"offset_groups", ir::Dim(c.integer("offset_group", 1))}})};
}

// Exact in integers: windows as columns, then an integer matrix product.
Value* integer_conv(Call& c, Value* x, Value* weight) {
  const Windows w = windows_of(c, x, ir::Dims(c.shape(weight, 2).begin() + 2, weight->shape().end()));
  const auto n = static_cast<int64_t>(w.kernel.size());
  ir::Dims low{0, 0}, high{0, 0};
  low.insert(low.end(), w.low.begin(), w.low.end()), high.insert(high.end(), w.high.begin(), w.high.end());
  Value* padded = c.op("pad", {x}, {{"low", low}, {"high", high}, {"mode", std::string("constant")}});
  for (int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<size_t>(i);
    const ir::Dim span = (w.kernel[k] - 1) * w.dilation[k] + 1;
    padded = c.op("unfold", {padded}, {{"axis", ir::Dim(2 + i)}, {"size", span}, {"step", w.stride[k]}});
    padded = c.op("slice", {padded},
                  {{"axes", ir::Dims{padded->rank() - 1}},
                   {"starts", ir::Dims{0}},
                   {"stops", ir::Dims{span}},
                   {"steps", ir::Dims{w.dilation[k]}}});
  }
  // (N, C, out..., k...) -> (N, G, out, C/G * k)
  const int64_t groups = c.integer("group", 1);
  const ir::Shape s = padded->shape();
  const ir::Dims out(s.begin() + 2, s.begin() + 2 + n);
  const ir::Dim taps = ir::product(w.kernel), depth = c.shape(weight, 2)[1],
                filters = floordiv(c.shape(weight, 1)[0], groups);
  Value* columns = c.b.reshape(padded, {s[0], groups, depth, ir::product(out), taps});
  columns = c.b.reshape(transpose(c, columns, {0, 1, 3, 2, 4}), {s[0], groups, ir::product(out), depth * taps});
  Value* filter = transpose(c, c.b.reshape(weight, {groups, filters, depth * taps}), {0, 2, 1});
  Value* y = transpose(c, c.op("matmul", {columns, filter}), {0, 1, 3, 2});
  ir::Dims shape{s[0], c.shape(weight, 1)[0]};
  shape.insert(shape.end(), out.begin(), out.end());
  return c.b.reshape(y, shape);
}

Values conv_integer(Call& c) {
  Value *x = c.cast(c.in(0), DType::i32), *weight = c.cast(c.in(1), DType::i32);
  if (c.has(2)) x = subtract(c, x, c.b.reshape(c.cast(c.in(2), DType::i32), {}));
  if (c.has(3)) {
    Value* zero = c.cast(c.in(3), DType::i32);
    const bool one = zero->rank() == 0 || zero->shape()[0].is(1);
    weight = subtract(c, weight, one ? c.b.reshape(zero, {}) : along(c, zero, 0, weight->rank()));
  }
  return {integer_conv(c, x, weight)};
}

Values qlinear_conv(Call& c) {
  // x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, B?
  Value* x = c.op("dequantize", {c.in(0), c.in(1), c.in(2)}, {{"from", c.dtype(0)}});
  Value* weight = c.op("dequantize", {c.in(3), c.in(4), c.in(5)}, {{"from", c.dtype(3)}, {"axis", ir::Dim(0)}});
  Value* y = convolve(c, x, weight, nullptr);
  if (c.has(8)) {  // the bias is in units of x_scale * w_scale
    Value* scale = multiply(c, c.in(1), c.in(4));
    y = add(c, y, along(c, multiply(c, c.cast(c.in(8), DType::f32), scale), 1, y->rank()));
  }
  return {c.op("quantize", {y, c.in(6), c.in(7)}, {{"to", c.dtype(7)}})};
}

}  // namespace

Rows conv_rows() {
  return {{"Conv", conv},
          {"ConvTranspose", conv_transpose},
          {"DeformConv", deform_conv},
          {"ConvInteger", conv_integer},
          {"QLinearConv", qlinear_conv}};
}

}  // namespace godwit::frontends::onnx

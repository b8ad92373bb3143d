// Convolutions.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

struct Padding {
  ir::Dims low, high;
};

// Integers pad both sides alike; "same" puts the odd one at the end, as PyTorch does.
Padding padding_of(Context& c, ir::Value* weight, const ir::Dims& dilation) {
  const size_t n = dilation.size();
  const Value& given = c.get("padding");
  if (!given.is<std::string>()) {
    ir::Dims p = c.dims("padding", n);
    return {p, p};
  }
  Padding p{ir::Dims(n, ir::Dim(0)), ir::Dims(n, ir::Dim(0))};
  const std::string& mode = c.text("padding");
  if (mode == "valid") return p;
  if (mode != "same") c.fail("padding '{}' is unknown", mode);
  for (size_t i = 0; i < n; ++i) {
    const ir::Dim total = dilation[i] * (weight->shape().at(i + 2) - ir::Dim(1));
    p.low[i] = floordiv(total, 2);
    p.high[i] = total - p.low[i];
  }
  return p;
}

// Without a batch axis: one is added and taken away again.
Values batched(Context& c, ir::Value* x, size_t spatial, const std::function<ir::Value*(ir::Value*)>& compute) {
  const bool missing = x->rank() == static_cast<int64_t>(spatial) + 1;
  if (missing) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  if (x->rank() != static_cast<int64_t>(spatial) + 2)
    c.fail("input {} for a convolution over {} axes", ir::str(x->type), spatial);
  ir::Value* y = compute(x);
  return {c.result(missing ? c.op("squeeze", {y}, {{"axes", ir::Dims{0}}}) : y)};
}

Values forward(Context& c, bool transposed) {
  ir::Value* weight = c.tensor("weight");
  if (weight->rank() < 3) c.fail("weight {}", ir::str(weight->type));
  const size_t n = static_cast<size_t>(weight->rank() - 2);
  const ir::Dims stride = c.dims("stride", n), dilation = c.dims("dilation", n);
  ir::Value* bias = c.tensor_or_null("bias");
  const ir::Dim groups = c.integer("groups", 1);
  const Padding p = padding_of(c, weight, dilation);
  return batched(c, c.tensor("input"), n, [&](ir::Value* x) {
    ir::Attrs attrs = {
        {"stride", stride}, {"low", p.low}, {"high", p.high}, {"dilation", dilation}, {"groups", groups}};
    if (transposed)
      attrs["output_padding"] = c.has("output_padding") ? c.dims("output_padding", n) : ir::Dims(n, ir::Dim(0));
    return c.op(transposed ? "conv_transpose" : "conv", {x, weight, bias}, std::move(attrs));
  });
}

Values deform_conv2d(Context& c) {
  auto pair = [&](const char* a, const char* b) { return ir::Dims{c.integer(a), c.integer(b)}; };
  const ir::Dims pad = pair("pad_h", "pad_w");
  ir::Attrs attrs = {{"stride", pair("stride_h", "stride_w")},
                     {"low", pad},
                     {"high", pad},
                     {"dilation", pair("dilation_h", "dilation_w")},
                     {"groups", c.integer("groups")},
                     {"offset_groups", c.integer("offset_groups")}};
  ir::Value* mask = c.flag("use_mask") ? c.tensor("mask") : nullptr;
  return {
      c.result(c.op("deform_conv", {c.tensor("input"), c.tensor("offset"), c.tensor("weight"), mask, c.tensor("bias")},
                    std::move(attrs)))};
}

// Sliding blocks as columns: (N, C, H, W) -> (N, C*kh*kw, L), by one shifted slice for each place of the kernel.
Values im2col(Context& c) {
  const std::vector<int64_t> k = c.numbers("kernel_size", 2);
  const ir::Dims dilation = c.dims("dilation", 2), pad = c.dims("padding", 2), stride = c.dims("stride", 2);
  ir::Value* x = c.tensor("self");
  const bool missing = x->rank() == 3;
  if (missing) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  ir::Dims sides = {0, 0, pad[0], pad[1]};
  x = c.op("pad", {x}, {{"low", sides}, {"high", sides}});
  ir::Dims out(2);
  for (size_t i = 0; i < 2; ++i)
    out[i] = floordiv(x->shape()[i + 2] - dilation[i] * ir::Dim(k[i] - 1) - ir::Dim(1), stride[i]) + ir::Dim(1);
  std::vector<ir::Value*> columns;
  for (int64_t i = 0; i < k[0]; ++i)
    for (int64_t j = 0; j < k[1]; ++j) {
      const ir::Dims from = {dilation[0] * ir::Dim(i), dilation[1] * ir::Dim(j)};
      const ir::Dims to = {from[0] + stride[0] * (out[0] - ir::Dim(1)) + ir::Dim(1),
                           from[1] + stride[1] * (out[1] - ir::Dim(1)) + ir::Dim(1)};
      ir::Value* part =
          c.op("slice", {x}, {{"axes", ir::Dims{2, 3}}, {"starts", from}, {"stops", to}, {"steps", stride}});
      columns.push_back(c.op("expand_dims", {part}, {{"axes", ir::Dims{2}}}));
    }
  ir::Value* all = columns.size() == 1 ? columns[0] : c.op("concat", columns, {{"axis", 2}});
  ir::Value* y = c.b.reshape(all, {x->shape()[0], x->shape()[1] * ir::Dim(k[0] * k[1]), out[0] * out[1]});
  return {c.result(missing ? c.op("squeeze", {y}, {{"axes", ir::Dims{0}}}) : y)};
}

Values col2im(Context& c) {
  const ir::Dims pad = c.dims("padding", 2);
  ir::Value* x = c.tensor("self");
  const bool missing = x->rank() == 2;
  if (missing) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  ir::Attrs attrs = {{"output_size", c.dims("output_size", 2)},
                     {"kernel", c.dims("kernel_size", 2)},
                     {"stride", c.dims("stride", 2)},
                     {"low", pad},
                     {"high", pad},
                     {"dilation", c.dims("dilation", 2)}};
  ir::Value* y = c.op("fold", {x}, std::move(attrs));
  return {c.result(missing ? c.op("squeeze", {y}, {{"axes", ir::Dims{0}}}) : y)};
}

Values convolution(Context& c) { return forward(c, c.flag("transposed")); }
Values plain(Context& c) { return forward(c, false); }
Values transposed(Context& c) { return forward(c, true); }

}  // namespace

Rows conv_rows() {
  return {
      {"conv1d", plain},
      {"conv2d", plain},
      {"conv3d", plain},
      {"conv_transpose1d", transposed},
      {"conv_transpose2d", transposed},
      {"conv_transpose3d", transposed},
      {"convolution", convolution},
      {"_convolution", convolution},
      {"im2col", im2col},
      {"col2im", col2im},
      {"torchvision::deform_conv2d", deform_conv2d},
  };
}

}  // namespace godwit::frontends::aten

// Linear attention and causal convolution with a carried state.
#include <cmath>

#include "frontends/onnx/attention.h"
#include "frontends/onnx/regions.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values causal_conv(Call& c) {
  Value *x = c.in(0), *weight = c.in(1);  // (B, C, L), (C, 1, k)
  const ir::Dim before = c.shape(weight, 3)[2] - 1, channels = c.shape(x, 2)[1];
  Value* past = c.has(3) ? c.in(3) : full(c, x->dtype(), 0, {c.shape(x, 1)[0], channels, before});
  Value* padded = c.op("concat", {past, x}, {{"axis", ir::Dim(2)}});
  const ir::Dims one{1}, none{0};
  Value* y = c.op("conv", {padded, weight, c.maybe(2)},
                  {{"stride", one}, {"low", none}, {"high", none}, {"dilation", one}, {"groups", channels}});
  const std::string activation = c.text("activation", "none");
  if (activation == "silu" || activation == "swish")
    y = c.op("silu", {y});
  else if (activation != "none")
    c.fail("unknown activation '{}'", activation);
  const ir::Dim length = c.shape(padded, 3)[2];
  return {y, slice(c, padded, 2, length - before, length)};
}

// (B, T, H * D) -> (T, B, H, D) in float32
Value* steps(Call& c, Value* x, const ir::Dim& heads) {
  const ir::Shape s = c.shape(x, 3);
  return transpose(c, c.b.reshape(c.cast(x, DType::f32), {s[0], s[1], heads, floordiv(s[2], heads)}), {1, 0, 2, 3});
}

Values linear_attention(Call& c) {
  const int64_t heads = c.integer("q_num_heads", 0), kv_heads = c.integer("kv_num_heads", 0);
  if (heads <= 0 || kv_heads <= 0 || heads % kv_heads != 0) c.fail("{} query heads for {} key heads", heads, kv_heads);
  const std::string rule = c.text("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta", delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") c.fail("unknown update_rule '{}'", rule);
  if (c.has(4) != gated || c.has(5) != delta) c.fail("decay and beta do not fit update_rule '{}'", rule);
  Value *q = steps(c, c.in(0), heads), *k = steps(c, c.in(1), kv_heads), *v = steps(c, c.in(2), kv_heads);
  Value* decay = gated ? steps(c, c.in(4), kv_heads) : nullptr;  // (T, B, H, 1 or D)
  Value* beta = nullptr;
  if (delta) beta = steps(c, c.in(5), c.shape(c.in(5), 3)[2]);  // (T, B, H or 1, 1)
  const ir::Dim batch = c.shape(q, 2)[1], count = c.shape(q, 1)[0], key = c.shape(k, 4)[3], size = c.shape(v, 4)[3];
  double scale = c.real("scale", 0);
  if (scale == 0) scale = 1.0 / std::sqrt(static_cast<double>(c.known(c.shape(q, 4)[3])));
  const DType state_type = c.has(3) ? c.dtype(3) : c.dtype(0);
  Value* state = c.has(3) ? c.cast(c.in(3), DType::f32) : full(c, DType::f32, 0, {batch, kv_heads, key, size});
  // One step: S (B, H, D, M), o = scale q^T S.
  Values out = write_loop(c, c.b.dim(count), nullptr, {state}, [&](const Values& arguments) {
    Value *i = arguments[0], *s = arguments[1];
    auto at = [&](Value* x) { return c.op("take", {x, i}, {{"axis", ir::Dim(0)}}); };
    Value *kt = expand(c, at(k), {3}), *vt = expand(c, at(v), {2});  // (B, H, D, 1), (B, H, 1, M)
    if (gated) s = multiply(c, s, expand(c, c.op("exp", {at(decay)}), {3}));
    if (delta) {
      Value* retrieved = reduce(c, "sum", multiply(c, s, kt), {2}, true);
      vt = multiply(c, expand(c, at(beta), {3}), subtract(c, vt, retrieved));
    }
    s = add(c, s, multiply(c, kt, vt));
    Value* read =
        heads == kv_heads ? s : c.op("repeat", {s}, {{"count", ir::Dim(heads / kv_heads)}, {"axis", ir::Dim(1)}});
    Value* o = c.op("matmul", {expand(c, at(q), {2}), read});  // (B, H, 1, M)
    o = c.op("squeeze", {multiply(c, o, scale)}, {{"axes", ir::Dims{2}}});
    return Values{c.b.scalar(DType::boolean, 1), s, o};
  });
  Value* y = c.b.reshape(transpose(c, out[1], {1, 0, 2, 3}), {batch, count, ir::Dim(heads) * size});
  return {c.cast(y, c.dtype(0)), c.cast(out[0], state_type)};
}

}  // namespace

Rows linear_attention_rows() { return {{"CausalConvWithState", causal_conv}, {"LinearAttention", linear_attention}}; }

}  // namespace godwit::frontends::onnx

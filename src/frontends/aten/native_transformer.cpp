// PyTorch's fused transformer blocks: what nn.MultiheadAttention and nn.TransformerEncoderLayer call in eval mode, and
// what a trace of them therefore holds (aten/src/ATen/native/transformers/{attention,transformer}.cpp).
#include <array>
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// (B, S, H d) as (B, H, S, d)
ir::Value* heads_of(Context& c, ir::Value* x, const ir::Dim& heads, const ir::Dim& depth) {
  const ir::Shape s = x->shape();
  return c.op("transpose", {c.b.reshape(x, {s[0], s[1], heads, depth})}, {{"axes", ir::Dims{0, 2, 1, 3}}});
}

// Rows [part, part + 1) * size of the weights of query, key and value, which lie one above the other.
ir::Value* part_of(Context& c, ir::Value* weight, int part, const ir::Dim& size) {
  return c.op("slice", {weight},
              {{"axes", ir::Dims{0}}, {"starts", ir::Dims{size * part}}, {"stops", ir::Dims{size * (part + 1)}}});
}

// A mask whose true elements are not seen, to one that broadcasts to (B, H, S, T) and keeps what is true.
ir::Value* kept(Context& c) {
  ir::Value* mask = c.tensor_or_null("mask");
  if (!mask) return nullptr;
  if (mask->dtype() != DType::boolean) mask = c.op("not_equal", {mask, c.scalar_like(mask, 0)});
  const ir::Shape s = mask->shape();
  if (c.number("mask_type", mask->rank() == 2 ? 0 : 2) == 1) mask = c.b.reshape(mask, {s.at(0), 1, 1, s.at(1)});
  return c.op("logical_not", {mask});
}

struct Attended {
  ir::Value *y, *weights;
};

Attended self_attention(Context& c, std::array<ir::Value*, 3> inputs, const ir::Dim& heads, bool need_weights) {
  const ir::Shape shape = inputs[0]->shape();
  if (shape.size() != 3) c.unsupported("query is {}, (batch, length, width) expected", ir::str(inputs[0]->type));
  const ir::Dim& width = shape[2];
  if (!width.is_known() || !heads.is_known() || heads.value() < 1 || width.value() % heads.value() != 0)
    c.fail("{} heads do not divide a width of {}", heads.str(), width.str());
  const int64_t depth = width.value() / heads.value();
  const double scale = 1.0 / std::sqrt(static_cast<double>(depth));
  ir::Value *weight = c.tensor("qkv_weight"), *bias = c.tensor("qkv_bias");
  for (int i = 0; i < 3; ++i) {
    ir::Value* x = inputs[static_cast<size_t>(i)];
    x = c.op("linear", {x, part_of(c, weight, i, width), part_of(c, bias, i, width)});
    inputs[static_cast<size_t>(i)] = heads_of(c, x, heads, depth);
  }
  const auto [q, k, v] = inputs;
  ir::Value *mask = kept(c), *y = nullptr, *weights = nullptr;
  if (need_weights) {
    ir::Value* keys = c.op("transpose", {k}, {{"axes", ir::Dims{0, 1, 3, 2}}});
    ir::Value* scores = c.op("matmul", {c.op("multiply", {q, c.scalar_like(q, scale)}), keys});
    if (mask) scores = c.op("where", {mask, scores, c.scalar_like(scores, -INFINITY)});
    weights = c.op("softmax", {scores}, {{"axis", int64_t{-1}}});
    y = c.op("matmul", {weights, v});
  } else {
    y = c.op("attention", {q, k, v, mask}, {{"scale", scale}});
  }
  y = c.b.reshape(c.op("transpose", {y}, {{"axes", ir::Dims{0, 2, 1, 3}}}), shape);
  return {c.op("linear", {y, c.tensor("proj_weight"), c.tensor("proj_bias")}), weights};
}

Values multi_head_attention(Context& c) {
  const Attended a = self_attention(c, {c.tensor("query"), c.tensor("key"), c.tensor("value")}, c.integer("num_head"),
                                    c.flag("need_weights"));
  if (!a.weights) return {c.result(a.y), None{}};
  if (!c.flag("average_attn_weights")) return c.results({a.y, a.weights});
  return c.results({a.y, c.op("mean", {a.weights}, {{"axes", ir::Dims{1}}})});
}

Values encoder_layer(Context& c) {
  ir::Value* x = c.tensor("src");
  const bool first = c.flag("norm_first");
  auto norm = [&](ir::Value* v, const std::string& which) {
    return c.op("layer_norm", {v, c.tensor("norm_weight_" + which), c.tensor("norm_bias_" + which)},
                {{"axes_count", int64_t{1}}, {"eps", c.real("eps")}});
  };
  ir::Value* h = first ? norm(x, "1") : x;
  x = c.op("add", {x, self_attention(c, {h, h, h}, c.integer("num_heads"), false).y});
  if (!first) x = norm(x, "1");
  h = first ? norm(x, "2") : x;
  h = c.op("linear", {h, c.tensor("ffn_weight_1"), c.tensor("ffn_bias_1")});
  h = c.flag("use_gelu") ? c.op("gelu", {h}) : c.op("relu", {h});
  x = c.op("add", {x, c.op("linear", {h, c.tensor("ffn_weight_2"), c.tensor("ffn_bias_2")})});
  return {c.result(first ? x : norm(x, "2"))};
}

}  // namespace

Rows native_transformer_rows() {
  return {
      {"_native_multi_head_attention", multi_head_attention},
      {"_transformer_encoder_layer_fwd", encoder_layer},
  };
}

}  // namespace godwit::frontends::aten

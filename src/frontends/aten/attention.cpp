// Attention in PyTorch's fused forms.
#include <array>
#include <cmath>
#include <tuple>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// (…, S, D) as (B, H, S, D), however many leading axes there are.
ir::Value* four_axes(Context& c, ir::Value* v) {
  if (v->rank() == 4) return v;
  const ir::Shape& s = v->shape();
  if (v->rank() == 2) return c.b.reshape(v, {1, 1, s[0], s[1]});
  if (v->rank() == 3) return c.b.reshape(v, {s[0], 1, s[1], s[2]});
  if (v->rank() < 2) c.fail("query, key and value need at least two axes, one is {}", ir::str(v->type));
  ir::Dim batch = 1;
  for (size_t i = 0; i + 3 < s.size(); ++i) batch = batch * s[i];
  return c.b.reshape(v, {batch, s[s.size() - 3], s[s.size() - 2], s[s.size() - 1]});
}

// A mask for leading axes that were merged: broadcast to them first where it has them.
ir::Value* mask_of(Context& c, ir::Value* mask, const ir::Shape& q, const ir::Dim& keys) {
  if (q.size() == 4 || mask->rank() <= 2) return mask;
  ir::Shape full(q.begin(), q.end() - 1);
  full.push_back(keys);
  return four_axes(c, c.op("broadcast", {mask}, {{"shape", full}}));
}

// Query, key and value with the same leading axes, as a matrix product would broadcast them.
void broadcast_leading(Context& c, std::array<ir::Value*, 3>& operands) {
  ir::Dims lead;
  for (const ir::Value* v : operands) {
    const ir::Shape& s = v->shape();
    if (s.size() < 2) c.fail("query, key and value need at least two axes, one is {}", ir::str(v->type));
    if (s.size() - 2 > lead.size()) lead.insert(lead.begin(), s.size() - 2 - lead.size(), ir::Dim(1));
    for (size_t i = 0; i + 2 < s.size(); ++i)
      if (ir::Dim& d = lead[lead.size() - (s.size() - 2) + i]; d.is(1)) d = s[i];
  }
  for (ir::Value*& v : operands) {
    const ir::Shape& s = v->shape();
    ir::Dims shape = lead;
    shape.insert(shape.end(), s.end() - 2, s.end());
    bool stretches = shape.size() != s.size();
    for (size_t i = 0; i < s.size() && !stretches; ++i) stretches = s[i].is(1) && !shape[i].is(1);
    if (stretches) v = c.op("broadcast", {v}, {{"shape", shape}});
  }
}

ir::Value* attend(Context& c, ir::Value* q, ir::Value* k, ir::Value* v, ir::Value* mask, bool causal) {
  const ir::Shape shape = q->shape();
  if (shape.size() < 2) c.fail("the query is {}", ir::str(q->type));
  const ir::Dim& depth = shape.back();
  double scale = 0;
  if (c.has("scale"))
    scale = c.real("scale");
  else if (depth.is_known())
    scale = 1.0 / std::sqrt(static_cast<double>(depth.value()));
  else
    c.unsupported("the head size must be known, it is {}", depth.str());
  if (mask) mask = mask_of(c, mask, shape, k->shape().at(k->shape().size() - 2));
  ir::Value *q4 = four_axes(c, q), *k4 = four_axes(c, k), *v4 = four_axes(c, v);
  ir::Value* y = c.op("attention", {q4, k4, v4, mask}, {{"scale", scale}, {"causal", causal}});
  if (shape.size() == 4) return y;
  ir::Shape out = shape;
  out.back() = v->shape().back();
  return c.b.reshape(y, out);
}

Values sdpa(Context& c) {
  if (c.real("dropout_p", 0.0) > 0.0) c.session.warn("dropout inside attention is left out");
  ir::Value* mask = c.tensor_or_null("attn_mask");
  ir::Value *q = c.tensor("query"), *k = c.tensor("key"), *v = c.tensor("value");
  if (mask && mask->dtype() != DType::boolean) mask = c.cast(mask, q->dtype());
  if (!c.flag("enable_gqa")) {
    std::array<ir::Value*, 3> operands = {q, k, v};
    broadcast_leading(c, operands);
    std::tie(q, k, v) = std::tuple(operands[0], operands[1], operands[2]);
  }
  return {c.result(attend(c, q, k, v, mask, c.flag("is_causal")))};
}

// log of the sum of exponentials of the scores: (B, H, S)
ir::Value* score_logsumexp(Context& c, ir::Value* q, ir::Value* k) {
  const ir::Dim& depth = q->shape().back();
  if (!depth.is_known()) c.unsupported("the head size must be known");
  const double scale = c.has("scale") ? c.real("scale") : 1.0 / std::sqrt(static_cast<double>(depth.value()));
  ir::Value* keys = c.op("transpose", {c.cast(k, DType::f32)}, {{"axes", ir::Dims{0, 1, 3, 2}}});
  ir::Value* scores = c.op("multiply", {c.op("matmul", {c.cast(q, DType::f32), keys}), c.scalar(DType::f32, scale)});
  if (c.has("attn_mask")) scores = c.op("add", {scores, c.tensor_as("attn_mask", DType::f32)});
  if (c.flag("is_causal")) {
    ir::Value* ones = c.op("full", {c.scalar(DType::f32, 1)}, {{"shape", ir::Dims{q->shape()[2], k->shape()[2]}}});
    ir::Value* kept = c.op("equal", {c.op("tri_lower", {ones}), c.scalar(DType::f32, 1)});
    scores = c.op("where", {kept, scores, c.scalar(DType::f32, -INFINITY)});
  }
  return c.op("logsumexp", {scores}, {{"axes", ir::Dims{3}}});
}

// The CPU kernel as decompositions leave it: result and logsumexp.
Values flash_attention_cpu(Context& c) {
  ir::Value *q = c.tensor("query"), *k = c.tensor("key"), *v = c.tensor("value");
  return {c.result(attend(c, q, k, v, c.tensor_or_null("attn_mask"), c.flag("is_causal"))),
          c.result(score_logsumexp(c, q, k))};
}

// GPU kernels: only the result is modelled; the others serve the backward pass.
Values fused_attention(Context& c) {
  ir::Value* mask = c.tensor_or_null("attn_bias");
  ir::Value *q = c.tensor("query"), *k = c.tensor("key"), *v = c.tensor("value");
  Values out = {c.result(attend(c, q, k, v, mask, c.flag("is_causal")))};
  while (out.size() < c.schema.returns.size()) out.push_back(None{});
  return out;
}

}  // namespace

Rows attention_rows() {
  return {
      {"scaled_dot_product_attention", sdpa},
      {"_scaled_dot_product_flash_attention_for_cpu", flash_attention_cpu},
      {"_scaled_dot_product_flash_attention", fused_attention},
      {"_scaled_dot_product_efficient_attention", fused_attention},
  };
}

}  // namespace godwit::frontends::aten

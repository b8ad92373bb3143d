#include "frontends/onnx/attention.h"

#include <cmath>
#include <limits>

#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Value* split_heads(Call& c, Value* x, int64_t heads) {
  if (heads <= 0) c.fail("the number of heads is {}", heads);
  const ir::Shape s = c.shape(x, 3);
  return transpose(c, c.b.reshape(x, {s[0], s[1], heads, floordiv(s[2], heads)}), {0, 2, 1, 3});
}

Value* join_heads(Call& c, Value* x) {
  const ir::Shape s = c.shape(x, 4);
  return c.b.reshape(transpose(c, x, {0, 2, 1, 3}), {s[0], s[2], s[1] * s[3]});
}

Value* positions(Call& c, const ir::Dim& count) {
  return c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", count}, {"dtype", DType::i64}});
}

namespace {

Value* both(Call& c, Value* a, Value* b) { return a && b ? c.op("logical_and", {a, b}) : a ? a : b; }

// Which keys a query may see by its place: (S, T), or (B, 1, S, T) where the offset differs in the batch.
Value* visible(Call& c, const AttentionSpec& a) {
  const bool by_place = a.causal || a.left >= 0 || a.right >= 0;
  Value* keep = nullptr;
  const ir::Dim queries = c.shape(a.q, 3)[2], keys = c.shape(a.k, 3)[2];
  if (by_place) {
    Value *query = expand(c, positions(c, queries), {1}), *key = expand(c, positions(c, keys), {0});
    if (a.offset) {
      Value* offset = a.offset->rank() == 0 ? a.offset : c.b.reshape(a.offset, {c.shape(a.offset, 1)[0], 1, 1, 1});
      query = add(c, query, offset);
    }
    Value* ahead = subtract(c, key, query);
    if (a.causal) keep = c.op("less_equal", {ahead, c.b.scalar(DType::i64, 0)});
    auto bound = [&](std::string_view op, int64_t limit) {
      keep = both(c, keep, c.op(op, {ahead, c.b.scalar(DType::i64, static_cast<double>(limit))}));
    };
    if (a.left >= 0) bound("greater_equal", -a.left);
    if (a.right >= 0) bound("less_equal", a.right);
  }
  if (a.lengths) {
    Value* length = c.b.reshape(a.lengths, {c.shape(a.lengths, 1)[0], 1, 1, 1});
    keep = both(c, keep, c.op("less", {positions(c, keys), length}));
  }
  return keep;
}

Value* infinity_below(Call& c, DType type) { return c.b.scalar(type, -std::numeric_limits<double>::infinity()); }

// The bool mask `keep` and the given one (bool or additive) as one; a short mask hides the keys behind its end.
Value* joined(Call& c, const AttentionSpec& a, Value* keep) {
  Value* mask = a.mask;
  if (!mask) return keep;
  const ir::Dim keys = c.shape(a.k, 3)[2], own = c.shape(mask, 1).back();
  if (!(own == keys) && !own.is(1)) {
    ir::Dims low(static_cast<size_t>(mask->rank()), ir::Dim(0)), high = low;
    high.back() = keys - own;
    Value* fill = mask->dtype() == DType::boolean ? c.b.scalar(DType::boolean, 0) : infinity_below(c, mask->dtype());
    mask = c.op("pad", {mask, fill}, {{"low", low}, {"high", high}});
  }
  if (!keep) return mask;
  if (mask->dtype() == DType::boolean) return both(c, mask, keep);
  return c.op("where", {keep, mask, infinity_below(c, mask->dtype())});
}

Value* repeat_heads(Call& c, Value* x, const ir::Dim& heads) {
  if (c.shape(x, 2)[1] == heads) return x;
  return c.op("repeat", {x}, {{"count", floordiv(heads, c.shape(x, 2)[1])}, {"axis", ir::Dim(1)}});
}

// Spelled out, where something between the products is asked for.
AttentionResult spelled_out(Call& c, const AttentionSpec& a, Value* mask) {
  const DType type = a.q->dtype();
  const double root = std::sqrt(a.scale);
  Value* k = repeat_heads(c, a.k, c.shape(a.q, 2)[1]);
  Value* scores = c.op("matmul", {multiply(c, a.q, root), transpose(c, multiply(c, k, root), {0, 1, 3, 2})});
  AttentionResult out{};
  if (a.scores_mode == 0) out.scores = scores;
  if (a.softcap > 0) scores = multiply(c, c.op("tanh", {multiply(c, scores, 1.0 / a.softcap)}), a.softcap);
  if (a.scores_mode == 1) out.scores = scores;
  Value* seen = nullptr;
  if (mask) {
    const bool boolean = mask->dtype() == DType::boolean;
    Value* bias = boolean ? c.op("where", {mask, c.b.scalar(type, 0), infinity_below(c, type)}) : c.cast(mask, type);
    scores = add(c, scores, bias);
    Value* open = boolean ? mask : c.op("greater", {bias, infinity_below(c, type)});
    seen = reduce(c, "any", open, {open->rank() - 1}, true);
  }
  if (a.scores_mode == 2) out.scores = scores;
  Value* shares = c.op("softmax", {c.cast(scores, a.precision.value_or(type))});
  if (seen) shares = c.op("where", {seen, shares, c.scalar(0, shares)});
  shares = c.cast(shares, type);
  if (a.scores_mode == 3) out.scores = shares;
  out.y = c.op("matmul", {shares, repeat_heads(c, a.v, c.shape(a.q, 2)[1])});
  return out;
}

}  // namespace

AttentionResult attention(Call& c, AttentionSpec a) {
  if (a.q->rank() != 4 || a.k->rank() != 4 || a.v->rank() != 4) c.fail("query, key and value must be (B, H, S, D)");
  if (a.scale == 0) a.scale = 1.0 / std::sqrt(static_cast<double>(c.known(c.shape(a.q, 4)[3])));
  const bool plain = a.scores_mode < 0 && a.softcap == 0 && (!a.precision || *a.precision == DType::f32);
  const bool top_left = a.causal && !a.offset && a.left < 0 && a.right < 0 && !a.lengths && !a.mask;
  if (plain && top_left) return {c.op("attention", {a.q, a.k, a.v}, {{"scale", a.scale}, {"causal", true}})};
  Value* mask = joined(c, a, visible(c, a));
  while (mask && mask->rank() < 2) mask = expand(c, mask, {0});
  if (plain) return {c.op("attention", {a.q, a.k, a.v, mask}, {{"scale", a.scale}})};
  return spelled_out(c, a, mask);
}

namespace {

Values attention_row(Call& c) {
  AttentionSpec a{c.in(0), c.in(1), c.in(2)};
  const bool flat = a.q->rank() == 3;
  if (flat) {
    const int64_t heads = c.integer("q_num_heads", 0), kv_heads = c.integer("kv_num_heads", 0);
    a.q = split_heads(c, a.q, heads), a.k = split_heads(c, a.k, kv_heads), a.v = split_heads(c, a.v, kv_heads);
  }
  a.mask = c.maybe(3);
  if (c.has(4)) {
    const ir::Dim past = c.shape(c.in(4), 3)[2];
    a.k = c.op("concat", {c.in(4), a.k}, {{"axis", ir::Dim(2)}});
    a.v = c.op("concat", {c.in(5), a.v}, {{"axis", ir::Dim(2)}});
    a.offset = c.b.dim(past);
  }
  if (c.has(6)) {
    a.lengths = c.cast(c.in(6), DType::i64);
    if (!c.has(4)) a.offset = subtract(c, a.lengths, c.b.dim(c.shape(a.q, 3)[2]));
  }
  a.scale = c.real("scale", 0);
  a.softcap = c.real("softcap", 0);
  a.causal = c.flag("is_causal");
  a.left = c.integer("left_window_size", -1), a.right = c.integer("right_window_size", -1);
  if (c.wants(3)) a.scores_mode = static_cast<int>(c.integer("qk_matmul_output_mode", 0));
  if (c.has_attribute("softmax_precision")) a.precision = c.dtype_attribute("softmax_precision", DType::f32);
  AttentionResult r = attention(c, a);
  return {flat ? join_heads(c, r.y) : r.y, a.k, a.v, r.scores};
}

Values rotary_row(Call& c) {
  Value *x = c.in(0), *cosine = c.in(1), *sine = c.in(2);
  const bool flat = x->rank() == 3;
  if (flat) x = split_heads(c, x, c.integer("num_heads", 0));
  if (c.has(3)) {
    Value* at = c.cast(c.in(3), DType::i64);
    cosine = c.op("take", {cosine, at}), sine = c.op("take", {sine, at});
  }
  cosine = expand(c, cosine, {1}), sine = expand(c, sine, {1});  // (B, 1, S, D / 2)
  const int64_t part = c.integer("rotary_embedding_dim", 0);
  const ir::Dim size = c.shape(x, 4)[3];
  const ir::Attrs attrs{{"interleaved", c.flag("interleaved")}};
  Value* y = nullptr;
  if (part > 0 && !size.is(part)) {
    Values parts = split(c, x, {part, size - part}, 3);
    y = c.op("concat", {c.op("rope", {parts[0], cosine, sine}, attrs), parts[1]}, {{"axis", ir::Dim(3)}});
  } else {
    y = c.op("rope", {x, cosine, sine}, attrs);
  }
  return {flat ? join_heads(c, y) : y};
}

}  // namespace

Rows attention_rows() { return {{"Attention", attention_row}, {"RotaryEmbedding", rotary_row}}; }

}  // namespace godwit::frontends::onnx

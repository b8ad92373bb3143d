// com.microsoft: attention and rotary embeddings.
#include <cmath>

#include "frontends/onnx/attention.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// (B, H, S, D) rotated by rows of the tables; `at` holds (B, S) positions.
Value* rotated(Call& c, Value* x, Value* at, Value* cosine, Value* sine, bool interleaved, int64_t part) {
  auto rows = [&](Value* table) { return expand(c, c.op("take", {table, at}), {1}); };
  const ir::Attrs attrs{{"interleaved", interleaved}};
  const ir::Dim size = c.shape(x, 4)[3], width = c.shape(cosine, 2)[1] * ir::Dim(2);
  const ir::Dim turned = part > 0 ? ir::Dim(part) : width;
  if (turned == size) return c.op("rope", {x, rows(cosine), rows(sine)}, attrs);
  const Values parts = split(c, x, {turned, size - turned}, 3);
  return c.op("concat", {c.op("rope", {parts[0], rows(cosine), rows(sine)}, attrs), parts[1]}, {{"axis", ir::Dim(3)}});
}

// (B, S) positions: given as such, or as the offset of the first one.
Value* position_rows(Call& c, Value* given, const ir::Dim& batch, const ir::Dim& length) {
  given = c.cast(given, DType::i64);
  if (given->rank() == 2) return given;
  Value* first = c.b.reshape(given, {1, 1});
  return c.op("broadcast", {add(c, first, expand(c, positions(c, length), {0}))}, {{"shape", ir::Dims{batch, length}}});
}

Values rotary(Call& c) {  // input, position_ids, cos_cache, sin_cache
  Value *x = c.in(0), *cosine = c.in(2);
  const bool flat = x->rank() == 3;
  const int64_t part = c.integer("rotary_embedding_dim", 0);
  if (flat) {
    int64_t heads = c.integer("num_heads", 0);
    // Without num_heads the tables say how wide a head is.
    if (heads == 0) heads = c.known(floordiv(c.shape(x, 3)[2], c.shape(cosine, 2)[1] * ir::Dim(2)));
    x = split_heads(c, x, heads);
  }
  Value* at = position_rows(c, c.in(1), c.shape(x, 1)[0], c.shape(x, 3)[2]);
  Value* y = rotated(c, x, at, cosine, c.in(3), c.flag("interleaved"), part);
  const double scale = c.real("scale", 1.0);
  if (scale != 1.0) y = multiply(c, y, scale);
  return {flat ? join_heads(c, y) : y};
}

// Key padding: (B) lengths, or (B, T) with zeros at the padding, to a mask (B, 1, 1, T).
Value* padding_mask(Call& c, Value* given, const ir::Dim& keys) {
  if (given->rank() == 2) {
    Value* keep = c.op("not_equal", {given, c.scalar(0, given)});
    return expand(c, keep, {1, 2});
  }
  if (given->rank() != 1) c.fail("a mask of rank {} is not supported", given->rank());
  Value* lengths = c.b.reshape(c.cast(given, DType::i64), {c.shape(given, 1)[0], 1, 1, 1});
  return c.op("less", {positions(c, keys), lengths});
}

// What is added to the scores: the bias, with the padding as the filter value.
Value* joined_mask(Call& c, Value* keep, Value* bias, DType type) {
  if (!keep) return bias;
  const double filter = c.real("mask_filter_value", -10000.0);
  Value* mask = c.op("where", {keep, c.b.scalar(type, 0), c.b.scalar(type, filter)});
  return bias ? add(c, mask, bias) : mask;
}

// query, key?, value?, bias?, key_padding_mask?, attention_bias?, past_key?, past_value?
Values multi_head(Call& c) {
  const int64_t heads = c.integer("num_heads", 0);
  Value *q = c.in(0), *k = c.maybe(1), *v = c.maybe(2);
  if (q->rank() == 5) {  // (B, S, H, 3, D)
    const ir::Shape s = q->shape();
    const Values parts = split(c, q, {1, 1, 1}, 3);
    auto flat = [&](Value* x) { return c.b.reshape(x, {s[0], s[1], s[2] * s[4]}); };
    q = flat(parts[0]), k = flat(parts[1]), v = flat(parts[2]);
  } else if (k && k->rank() == 5) {  // (B, T, H, 2, D)
    const ir::Shape s = k->shape();
    const Values parts = split(c, k, {1, 1}, 3);
    auto flat = [&](Value* x) { return c.b.reshape(x, {s[0], s[1], s[2] * s[4]}); };
    k = flat(parts[0]), v = flat(parts[1]);
  }
  if (!k || !v) c.fail("key and value are missing");
  if (c.has(3)) {
    const ir::Dim width = c.shape(q, 3)[2];
    const ir::Dim last = c.shape(c.in(3), 1)[0] - width - width;
    const Values bias = split(c, c.in(3), {width, width, last}, 0);
    q = add(c, q, bias[0]);
    if (k->rank() == 3) k = add(c, k, bias[1]), v = add(c, v, bias[2]);
  }
  AttentionSpec a{split_heads(c, q, heads), k->rank() == 4 ? k : split_heads(c, k, heads),
                  v->rank() == 4 ? v : split_heads(c, v, heads)};
  if (c.has(6)) {
    a.offset = c.b.dim(c.shape(c.in(6), 3)[2]);
    a.k = c.op("concat", {c.in(6), a.k}, {{"axis", ir::Dim(2)}});
    a.v = c.op("concat", {c.in(7), a.v}, {{"axis", ir::Dim(2)}});
  }
  Value* keep = c.has(4) ? padding_mask(c, c.in(4), c.shape(a.k, 3)[2]) : nullptr;
  a.mask = joined_mask(c, keep, c.maybe(5), q->dtype());
  a.scale = c.real("scale", 0);
  a.causal = c.flag("unidirectional");
  const AttentionResult r = attention(c, a);
  return {join_heads(c, r.y), a.k, a.v};
}

// input, weights (I, 3H), bias, mask_index?, past? (2, B, N, P, D), attention_bias?
Values attention_row(Call& c) {
  const int64_t heads = c.integer("num_heads", 0);
  Value* x = c.op("matmul", {c.in(0), c.in(1)});
  if (c.has(2)) x = add(c, x, c.in(2));
  std::vector<int64_t> sizes = c.integers("qkv_hidden_sizes");
  const ir::Dim third = floordiv(c.shape(x, 3)[2], 3);
  const Values parts = split(c, x, sizes.size() == 3 ? to_dims(sizes) : ir::Dims{third, third, third}, 2);
  AttentionSpec a{split_heads(c, parts[0], heads), split_heads(c, parts[1], heads), split_heads(c, parts[2], heads)};
  if (c.flag("do_rotary")) c.fail("do_rotary is not supported");
  Value* present = nullptr;
  if (c.has(4)) {
    const Values past = split(c, c.in(4), {1, 1}, 0);
    auto entry = [&](Value* p) { return c.op("squeeze", {p}, {{"axes", ir::Dims{0}}}); };
    a.offset = c.b.dim(c.shape(c.in(4), 4)[3]);
    a.k = c.op("concat", {entry(past[0]), a.k}, {{"axis", ir::Dim(2)}});
    a.v = c.op("concat", {entry(past[1]), a.v}, {{"axis", ir::Dim(2)}});
  }
  if (c.wants(1)) present = c.op("concat", {expand(c, a.k, {0}), expand(c, a.v, {0})}, {{"axis", ir::Dim(0)}});
  Value* keep = c.has(3) ? padding_mask(c, c.in(3), c.shape(a.k, 3)[2]) : nullptr;
  a.mask = joined_mask(c, keep, c.maybe(5), x->dtype());
  a.scale = c.real("scale", 0);
  a.causal = c.flag("unidirectional");
  const AttentionResult r = attention(c, a);
  return {join_heads(c, r.y), present};
}

// query, key?, value?, past_key?, past_value?, seqlens_k, total_sequence_length, cos?, sin?, position_ids?,
// attention_bias?
Values group_query(Call& c) {
  const int64_t heads = c.integer("num_heads", 0), kv_heads = c.integer("kv_num_heads", 0);
  for (size_t i : {11, 12, 13, 14, 15})
    if (c.has(i)) c.fail("input {} is not supported", i);
  if (c.flag("smooth_softmax")) c.fail("smooth_softmax is not supported");
  Value *q = c.in(0), *k = c.maybe(1), *v = c.maybe(2);
  if (!k) {  // packed
    const ir::Dim size = floordiv(c.shape(q, 3)[2], heads + 2 * kv_heads);
    const Values parts = split(c, q, {ir::Dim(heads) * size, ir::Dim(kv_heads) * size, ir::Dim(kv_heads) * size}, 2);
    q = parts[0], k = parts[1], v = parts[2];
  }
  AttentionSpec a{split_heads(c, q, heads), split_heads(c, k, kv_heads), split_heads(c, v, kv_heads)};
  const ir::Dim batch = c.shape(q, 1)[0], steps = c.shape(q, 2)[1];
  // seqlens_k holds, per row, the index of the last key: the new ones end there.
  Value* lengths = add(c, c.b.reshape(c.cast(c.in(5), DType::i64), {batch}), 1.0);
  const bool has_past = c.has(3) && !c.shape(c.in(3), 3)[2].is(0);
  Value* first = has_past ? subtract(c, lengths, c.b.dim(steps)) : nullptr;  // (B)
  if (c.flag("do_rotary")) {
    Value* at = c.has(9) ? c.cast(c.in(9), DType::i64) : nullptr;
    if (!at) {
      at = expand(c, positions(c, steps), {0});
      at = first ? add(c, at, expand(c, first, {1})) : c.op("broadcast", {at}, {{"shape", ir::Dims{batch, steps}}});
    }
    const bool interleaved = c.flag("rotary_interleaved");
    a.q = rotated(c, a.q, at, c.in(7), c.in(8), interleaved, 0);
    a.k = rotated(c, a.k, at, c.in(7), c.in(8), interleaved, 0);
  }
  if (has_past) {
    // The cache may be longer than what is in it: the new keys go behind the last valid one.
    auto appended = [&](Value* past, Value* now) {
      const ir::Shape s = c.shape(past, 4);
      Value* wide = c.op("concat", {past, full(c, now->dtype(), 0, {s[0], s[1], steps, s[3]})}, {{"axis", ir::Dim(2)}});
      Value* at = add(c, c.b.reshape(positions(c, steps), {1, 1, steps, 1}), c.b.reshape(first, {batch, 1, 1, 1}));
      at = c.op("broadcast", {at}, {{"shape", now->shape()}});
      return c.op("scatter", {wide, at, now}, {{"axis", ir::Dim(2)}});
    };
    a.k = appended(c.in(3), a.k), a.v = appended(c.in(4), a.v);
    a.offset = first;
  }
  a.lengths = lengths;
  a.mask = c.maybe(10);
  a.scale = c.real("scale", 0), a.softcap = c.real("softcap", 0);
  a.causal = true;
  const int64_t window = c.integer("local_window_size", -1);
  if (window > 0) a.left = window - 1;
  const AttentionResult r = attention(c, a);
  return {join_heads(c, r.y), a.k, a.v};
}

}  // namespace

Rows microsoft_attention_rows() {
  return {{"RotaryEmbedding", rotary},
          {"MultiHeadAttention", multi_head},
          {"Attention", attention_row},
          {"GroupQueryAttention", group_query}};
}

}  // namespace godwit::frontends::onnx

#include "ops/attention.h"

#include <mlx/mlx.h>

#include <limits>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

array infinity_below(mx::Dtype dtype) { return mx::astype(array(-std::numeric_limits<float>::infinity()), dtype); }

// true where key t may be seen by query s: t <= s.
array causal_mask(int queries, int keys) {
  return mx::greater_equal(mx::expand_dims(mx::arange(queries), 1), mx::expand_dims(mx::arange(keys), 0));
}

// Both masks as one: bool where both are, additive otherwise.
std::optional<array> joined_mask(const std::optional<array>& mask, bool causal, int queries, int keys) {
  if (!causal) return mask;
  array visible = causal_mask(queries, keys);
  if (!mask) return visible;
  if (mask->dtype() == mx::bool_) return mx::logical_and(*mask, visible);
  return mx::where(visible, *mask, infinity_below(mask->dtype()));
}

// (B, H, S, T) -> (B, G, H / G, S, T), where the mask has heads at all.
array grouped_mask(const array& mask, int kv_heads, int share) {
  mx::Shape shape = mask.shape();
  while (shape.size() < 4) shape.insert(shape.begin(), 1);
  const bool per_head = shape[1] != 1;
  mx::Shape split{shape[0], per_head ? kv_heads : 1, per_head ? share : 1, shape[2], shape[3]};
  return mx::reshape(mask, split);
}

array plain_attention(const array& q, const array& k, const array& v, const std::optional<array>& mask, double scale) {
  const int batch = q.shape(0), heads = q.shape(1), kv_heads = k.shape(1), share = heads / kv_heads;
  array queries = mx::multiply(widen(q), array(scale, accumulator(q.dtype())));
  queries = mx::reshape(queries, {batch, kv_heads, share, q.shape(2), q.shape(3)});
  array scores = mx::matmul(queries, mx::swapaxes(mx::expand_dims(widen(k), 2), -1, -2));
  if (mask) {
    array m = grouped_mask(*mask, kv_heads, share);
    scores = m.dtype() == mx::bool_ ? mx::where(m, scores, infinity_below(scores.dtype()))
                                    : mx::add(scores, mx::astype(m, scores.dtype()));
  }
  array shares = mx::softmax(scores, -1, true);
  if (mask) {
    // A row of minus infinities has no softmax; torch gives zeros.
    array seen = mx::greater(mx::max(scores, -1, true), infinity_below(scores.dtype()));
    shares = mx::where(seen, shares, mx::zeros_like(shares));
  }
  array out = mx::matmul(shares, mx::expand_dims(widen(v), 2));
  return mx::astype(mx::reshape(out, {batch, heads, q.shape(2), v.shape(3)}), q.dtype());
}

// MLX's fused kernels, which leave rows without a visible key undefined.
array fused_attention(const array& q, const array& k, const array& v, const std::optional<array>& mask, double scale) {
  if (!mask) return mx::fast::scaled_dot_product_attention(q, k, v, static_cast<float>(scale));
  const bool boolean = mask->dtype() == mx::bool_;
  array m = boolean ? *mask : mx::astype(*mask, q.dtype());
  array out = mx::fast::scaled_dot_product_attention(q, k, v, static_cast<float>(scale), "array", m);
  array seen = mx::any(boolean ? m : mx::greater(m, infinity_below(m.dtype())), -1, true);
  return mx::where(seen, out, mx::zeros_like(out));
}

}  // namespace

array attention(const array& q, const array& k, const array& v, const std::optional<array>& mask, double scale,
                bool causal) {
  require<UsageError>(k.shape(1) > 0 && q.shape(1) % k.shape(1) == 0, "[attention] {} heads do not share {} key heads",
                      q.shape(1), k.shape(1));
  if (k.shape(2) == 0) return mx::zeros({q.shape(0), q.shape(1), q.shape(2), v.shape(3)}, q.dtype());
  std::optional<array> m = joined_mask(mask, causal, q.shape(2), k.shape(2));
  return on_cpu() ? plain_attention(q, k, v, m, scale) : fused_attention(q, k, v, m, scale);
}

namespace {

array half(const array& x, int which) {
  mx::Shape starts(x.ndim(), 0), stops = x.shape();
  starts.back() = which * (x.shape(-1) / 2);
  stops.back() = which ? x.shape(-1) : x.shape(-1) / 2;
  return mx::slice(x, starts, stops);
}

array every_second(const array& x, int first) {
  mx::Shape starts(x.ndim(), 0), stops = x.shape(), steps(x.ndim(), 1);
  starts.back() = first;
  steps.back() = 2;
  return mx::slice(x, starts, stops, steps);
}

}  // namespace

array rope(const array& x, const array& cos, const array& sin, bool interleaved) {
  const int size = x.shape(-1);
  auto part = [&](const array& v, int i) { return interleaved ? every_second(v, i) : half(v, i); };
  // The angle of each half of the pair; a table of D / 2 serves both.
  auto table = [&](const array& v, int i) {
    array t = widen(v);
    return v.shape(-1) == size ? part(t, i) : t;
  };
  array wide = widen(x), a = part(wide, 0), b = part(wide, 1);
  array first = mx::subtract(mx::multiply(a, table(cos, 0)), mx::multiply(b, table(sin, 0)));
  array second = mx::add(mx::multiply(b, table(cos, 1)), mx::multiply(a, table(sin, 1)));
  array out = interleaved ? mx::flatten(mx::stack({first, second}, -1), -2, -1) : mx::concatenate({first, second}, -1);
  return mx::astype(out, x.dtype());
}

namespace {

using Types = infer::Types;

Types infer_attention(InferContext& c) {
  for (size_t i = 0; i < 3; ++i)
    if (c.rank(i) != 4) c.fail("q, k and v are (batch, heads, length, size)");
  if (!is_float(c.dtype(0))) c.fail("float operands are expected");
  const ir::Shape &q = c.shape(0), &k = c.shape(1), &v = c.shape(2);
  if (!agree(q[0], k[0]) || !agree(k[0], v[0])) c.fail("the batch sizes differ");
  if (!agree(q[3], k[3])) c.fail("queries have size {}, keys {}", q[3].str(), k[3].str());
  if (!agree(k[1], v[1]) || !agree(k[2], v[2])) c.fail("keys and values differ in heads or length");
  if (q[1].is_known() && k[1].is_known() && (k[1].value() == 0 || q[1].value() % k[1].value() != 0))
    c.fail("{} heads do not share {} key heads", q[1].str(), k[1].str());
  if (c.has(3)) {
    const ir::Shape &mask = c.shape(3), scores{q[0], q[1], q[2], k[2]};
    bool fits = mask.size() <= 4 && mask.size() >= 2;
    for (size_t i = 0; fits && i < mask.size(); ++i)
      fits = mask[i].is(1) || agree(mask[i], scores[4 - mask.size() + i]);
    if (!fits) c.fail("mask {} does not broadcast to {}", ir::str(mask), ir::str(scores));
    if (c.dtype(3) != DType::boolean && !is_float(c.dtype(3))) c.fail("the mask is bool or float");
  }
  return {{c.dtype(0), ir::Shape{q[0], q[1], q[2], v[3]}}};
}

Types infer_rope(InferContext& c) {
  const ir::Shape& x = c.shape(0);
  if (x.size() < 2 || !is_float(c.dtype(0))) c.fail("the input is (..., length, size), of floats");
  if (x.back().is_known() && x.back().value() % 2 != 0) c.fail("size {} is odd", x.back().str());
  for (size_t i = 1; i < 3; ++i) {
    const ir::Shape& t = c.shape(i);
    bool fits = !t.empty() && t.size() <= x.size();
    if (fits && x.back().is_known() && t.back().is_known())
      fits = t.back() == x.back() || t.back() + t.back() == x.back();
    for (size_t k = 1; fits && k < t.size(); ++k)
      fits = t[t.size() - 1 - k].is(1) || agree(t[t.size() - 1 - k], x[x.size() - 1 - k]);
    if (!fits) c.fail("table {} does not fit input {}", ir::str(t), ir::str(x));
  }
  return {c.type(0)};
}

}  // namespace

Rows attention_rows() {
  Rows rows;
  rows.push_back(row("attention", &attention, "q, k, v, mask?, scale, causal=false", infer_attention));
  rows.push_back(row("rope", &rope, "x, cos, sin, interleaved=false", infer_rope));
  return rows;
}

}  // namespace godwit::ops

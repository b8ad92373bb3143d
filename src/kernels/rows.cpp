#include "kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/lanes-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Folds a row with four independent partial results; `neutral` stands for lanes beyond the end.
template <class Step, class Join>
HWY_INLINE V fold(const float* x, int64_t n, float neutral, Step step, Join join) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V a = hn::Set(d, neutral), b = a, c = a, e = a;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = step(a, hn::LoadU(d, x + i));
    b = step(b, hn::LoadU(d, x + i + lanes));
    c = step(c, hn::LoadU(d, x + i + 2 * lanes));
    e = step(e, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a = step(a, hn::LoadU(d, x + i));
  if (i < n) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    b = hn::IfThenElse(mask, step(b, hn::MaskedLoad(mask, d, x + i)), b);
  }
  return join(join(a, b), join(c, e));
}

template <class F>
HWY_INLINE void over(const float* x, const float* y, int64_t n, float* out, F f) {
  over_lanes(n, [&](auto load, auto store) HWY_ATTR { store(f(load(x), y ? load(y) : hn::Zero(D())), out); });
}

HWY_INLINE float total(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

float sum(const float* x, int64_t n) {
  auto add = [](V a, V b) HWY_ATTR { return hn::Add(a, b); };
  return total(fold(x, n, 0, add, add));
}

float sum_squares(const float* x, int64_t n, float center) {
  const V shift = hn::Set(D(), center);
  return total(fold(
      x, n, 0,
      [shift](V a, V b) HWY_ATTR {
        const V t = hn::Sub(b, shift);
        return hn::MulAdd(t, t, a);
      },
      [](V a, V b) HWY_ATTR { return hn::Add(a, b); }));
}

HWY_INLINE V larger(V a, V b) { return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a); }
HWY_INLINE V smaller(V a, V b) { return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a); }

// Largest or smallest; which of its operands Max or Min gives for NaN is left open, so that these are looked for apart.
template <class Pick, class Reduce>
HWY_INLINE float extreme(const float* x, int64_t n, float neutral, Pick pick, Reduce reduce) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V a = hn::Set(d, neutral), b = a, c = a, e = a;
  auto bad = hn::IsNaN(a), more = bad;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const V p = hn::LoadU(d, x + i), q = hn::LoadU(d, x + i + lanes);
    const V r = hn::LoadU(d, x + i + 2 * lanes), s = hn::LoadU(d, x + i + 3 * lanes);
    bad = hn::Or(bad, hn::Or(hn::IsNaN(p), hn::IsNaN(q)));
    more = hn::Or(more, hn::Or(hn::IsNaN(r), hn::IsNaN(s)));
    a = pick(a, p), b = pick(b, q), c = pick(c, r), e = pick(e, s);
  }
  for (; i < n; i += lanes) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(std::min(lanes, n - i)));
    const V p = hn::IfThenElse(mask, hn::MaskedLoad(mask, d, x + i), hn::Set(d, neutral));
    bad = hn::Or(bad, hn::IsNaN(p));
    a = pick(a, p);
  }
  if (!hn::AllFalse(d, hn::Or(bad, more))) return std::numeric_limits<float>::quiet_NaN();
  return hn::GetLane(reduce(pick(pick(a, b), pick(c, e))));
}

float max(const float* x, int64_t n) {
  return extreme(
      x, n, -std::numeric_limits<float>::infinity(), [](V a, V b) HWY_ATTR { return hn::Max(a, b); },
      [](V a) HWY_ATTR { return hn::MaxOfLanes(D(), a); });
}
float min(const float* x, int64_t n) {
  return extreme(
      x, n, std::numeric_limits<float>::infinity(), [](V a, V b) HWY_ATTR { return hn::Min(a, b); },
      [](V a) HWY_ATTR { return hn::MinOfLanes(D(), a); });
}

float dot(const float* x, const float* y, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V a = hn::Zero(d), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), a);
    b = hn::MulAdd(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes), b);
  }
  for (; i < n; i += lanes) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    a = hn::MulAdd(hn::MaskedLoad(mask, d, x + i), hn::MaskedLoad(mask, d, y + i), a);
  }
  return total(hn::Add(a, b));
}

void add_to(float* s, const float* x, int64_t n) {
  over(s, x, n, s, [](V a, V b) HWY_ATTR { return hn::Add(a, b); });
}
void max_to(float* s, const float* x, int64_t n) {
  over(s, x, n, s, [](V a, V b) HWY_ATTR { return hn::IfThenElse(hn::IsNaN(a), a, larger(a, b)); });
}
void min_to(float* s, const float* x, int64_t n) {
  over(s, x, n, s, [](V a, V b) HWY_ATTR { return hn::IfThenElse(hn::IsNaN(a), a, smaller(a, b)); });
}
void multiply_add_to(float* s, const float* x, const float* y, int64_t n) {
  over_lanes(n, [&](auto load, auto store) HWY_ATTR { store(hn::MulAdd(load(x), load(y), load(s)), s); });
}

void axpy(float w, const float* x, int64_t n, float* s) {
  const V factor = hn::Set(D(), w);
  over(x, s, n, s, [factor](V a, V b) HWY_ATTR { return hn::MulAdd(a, factor, b); });
}

void scale_shift(const float* x, int64_t n, float scale, float shift, float* out) {
  const V a = hn::Set(D(), scale), b = hn::Set(D(), shift);
  over(x, nullptr, n, out, [a, b](V v, V) HWY_ATTR { return hn::MulAdd(v, a, b); });
}

void exp_shifted(const float* x, int64_t n, float shift, float* out, float* sum_out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V s = hn::Set(d, shift);
  V all = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V e = exp_of(d, hn::Sub(hn::LoadU(d, x + i), s));
    all = hn::Add(all, e);
    hn::StoreU(e, d, out + i);
  }
  if (i < n) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    const V e = hn::IfThenElseZero(mask, exp_of(d, hn::Sub(hn::MaskedLoad(mask, d, x + i), s)));
    all = hn::Add(all, e);
    hn::BlendedStore(e, mask, d, out + i);
  }
  *sum_out = total(all);
}

// A row of -inf alone gives NaN, as everywhere.
void softmax(const float* x, int64_t n, float* out) {
  if (n == 0) return;
  float all;
  exp_shifted(x, n, max(x, n), out, &all);
  scale_shift(out, n, 1.0f / all, 0, out);
}

void log_softmax(const float* x, int64_t n, float* out) {
  if (n == 0) return;
  const D d;
  const float top = max(x, n);
  const V s = hn::Set(d, top);
  const V all = fold(
      x, n, 0, [s, d](V a, V b) HWY_ATTR { return hn::Add(a, exp_of(d, hn::Sub(b, s))); },
      [](V a, V b) HWY_ATTR { return hn::Add(a, b); });
  const V log = hn::Set(d, std::log(total(all)));
  over(x, nullptr, n, out, [s, log](V v, V) HWY_ATTR { return hn::Sub(hn::Sub(v, s), log); });
}

template <bool Weight, bool Bias>
HWY_INLINE void normalize(const float* x, int64_t n, float mean, float scale, const float* w, const float* b,
                          float* out) {
  const D d;
  const V m = hn::Set(d, mean), s = hn::Set(d, scale);
  over_lanes(n, [&](auto load, auto store) HWY_ATTR {
    V v = hn::Mul(hn::Sub(load(x), m), s);
    if (Weight) v = hn::Mul(v, load(w));
    if (Bias) v = hn::Add(v, load(b));
    store(v, out);
  });
}

void layer_norm(const float* x, int64_t n, const float* w, const float* b, float eps, float* out) {
  const float mean = sum(x, n) / static_cast<float>(n);
  const float scale = 1.0f / std::sqrt(sum_squares(x, n, mean) / static_cast<float>(n) + eps);
  if (w && b) return normalize<true, true>(x, n, mean, scale, w, b, out);
  if (w) return normalize<true, false>(x, n, mean, scale, w, b, out);
  if (b) return normalize<false, true>(x, n, mean, scale, w, b, out);
  normalize<false, false>(x, n, mean, scale, w, b, out);
}

void rms_norm(const float* x, int64_t n, const float* w, float eps, float* out) {
  const float scale = 1.0f / std::sqrt(sum_squares(x, n, 0) / static_cast<float>(n) + eps);
  if (w) return normalize<true, false>(x, n, 0, scale, w, nullptr, out);
  normalize<false, false>(x, n, 0, scale, w, nullptr, out);
}

}  // namespace

RowFunctions all_row_functions() {
  return {softmax, log_softmax, layer_norm, rms_norm,        sum,  sum_squares, max,        min, dot,
          add_to,  max_to,      min_to,     multiply_add_to, axpy, scale_shift, exp_shifted};
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(all_row_functions);

RowFunctions row_functions() {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(all_row_functions)();
}

}  // namespace godwit::kernels
#endif

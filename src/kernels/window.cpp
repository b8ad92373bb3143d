#include "kernels/window.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

void depthwise(const float* const* rows, int64_t taps, const float* weight, const float* bias, int64_t channels,
               float* const* y) {
  over_lanes(channels, [&](auto load, auto store) HWY_ATTR {
    V a = bias ? load(bias) : hn::Zero(D()), b = a, c = a, e = a;
    for (int64_t t = 0; t < taps; ++t) {
      const V w = load(weight + t * channels);
      const float* const* row = rows + t * 4;
      a = hn::MulAdd(load(row[0]), w, a);
      b = hn::MulAdd(load(row[1]), w, b);
      c = hn::MulAdd(load(row[2]), w, c);
      e = hn::MulAdd(load(row[3]), w, e);
    }
    store(a, y[0]), store(b, y[1]), store(c, y[2]), store(e, y[3]);
  });
}

void max(const float* const* rows, int64_t count, int64_t channels, float* y) {
  over_lanes(channels, [&](auto load, auto store) HWY_ATTR {
    V best = hn::Set(D(), -std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < count; ++i) {
      const V v = load(rows[i]);
      best = hn::IfThenElse(hn::Or(hn::Gt(best, v), hn::IsNaN(best)), best, v);
    }
    store(best, y);
  });
}

void sum(const float* const* rows, int64_t count, float scale, int64_t channels, float* y) {
  over_lanes(channels, [&](auto load, auto store) HWY_ATTR {
    V all = hn::Zero(D());
    for (int64_t i = 0; i < count; ++i) all = hn::Add(all, load(rows[i]));
    store(hn::Mul(all, hn::Set(D(), scale)), y);
  });
}

}  // namespace

WindowFunctions all_window_functions() { return {depthwise, max, sum}; }

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(all_window_functions);

WindowFunctions window_functions() {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(all_window_functions)();
}

}  // namespace godwit::kernels
#endif

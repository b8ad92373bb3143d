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

void join(const float* const* rows, int64_t count, int64_t n, int64_t step, int64_t points, float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto last = hn::FirstN(d, static_cast<size_t>((n - 1) % lanes + 1));
  for (int64_t point = 0; point < points; ++point)
    for (int64_t row = 0; row < count; ++row, out += n) {
      const float* from = rows[row] + point * step;
      int64_t i = 0;
      for (; i + lanes < n; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, out + i);
      hn::StoreU(hn::MaskedLoad(last, d, from + i), d, out + i);  // what is too much is written anew by the next row
    }
}

// Each column of the input is read once for all points that it counts for.
template <int Width, int Stride, bool Whole>
void slide_rows(const float* const* rows, int64_t first, int64_t last, const float* const* weight, int64_t count,
                const float* bias, int64_t channels, float* const* y) {
  constexpr int all = (slide_points - 1) * Stride + Width;
  over_lanes(channels, [&](auto load, auto store) HWY_ATTR {
    V sum[slide_points];
#pragma GCC unroll 8
    for (int p = 0; p < slide_points; ++p) sum[p] = bias ? load(bias) : hn::Zero(D());
    for (int64_t row = 0; row < count; ++row) {
      V w[Width];
#pragma GCC unroll 8
      for (int k = 0; k < Width; ++k) w[k] = load(weight[row] + k * channels);
      const float* from = rows[row];
#pragma GCC unroll 24
      for (int i = 0; i < all; ++i) {
        if (!Whole && (i < first || i >= last)) continue;
        const V x = load(from + i * channels);
#pragma GCC unroll 8
        for (int p = 0; p < slide_points; ++p)
          if (const int k = i - p * Stride; k >= 0 && k < Width) sum[p] = hn::MulAdd(x, w[k], sum[p]);
      }
    }
#pragma GCC unroll 8
    for (int p = 0; p < slide_points; ++p) store(sum[p], y[p]);
  });
}

template <int Width, int Stride>
void slide(const float* const* rows, int64_t first, int64_t last, const float* const* weight, int64_t count,
           const float* bias, int64_t channels, float* const* y) {
  const bool whole = first == 0 && last == (slide_points - 1) * Stride + Width;
  (whole ? slide_rows<Width, Stride, true> : slide_rows<Width, Stride, false>)(rows, first, last, weight, count, bias,
                                                                               channels, y);
}

WindowFunctions::Slide slide_for(int64_t width, int64_t stride) {
  if (stride != 1 && stride != 2) return nullptr;
  switch (width) {
    case 3: return stride == 1 ? slide<3, 1> : slide<3, 2>;
    case 5: return stride == 1 ? slide<5, 1> : slide<5, 2>;
    case 7: return stride == 1 ? slide<7, 1> : slide<7, 2>;
    default: return nullptr;
  }
}

}  // namespace

WindowFunctions all_window_functions() { return {depthwise, max, sum, join, slide_for}; }

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

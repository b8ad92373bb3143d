#include "kernels/interleave.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/interleave.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <int Planes>
void interleave(const float* x, int64_t distance, int64_t n, float* out) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes, out += Planes * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + distance + i);
    if constexpr (Planes == 2) hn::StoreInterleaved2(a, b, d, out);
    if constexpr (Planes == 3) hn::StoreInterleaved3(a, b, hn::LoadU(d, x + 2 * distance + i), d, out);
    if constexpr (Planes == 4)
      hn::StoreInterleaved4(a, b, hn::LoadU(d, x + 2 * distance + i), hn::LoadU(d, x + 3 * distance + i), d, out);
  }
#endif
  for (; i < n; ++i, out += Planes)
    for (int p = 0; p < Planes; ++p) out[p] = x[p * distance + i];
}

// Four by four. Distances are often powers of two, whose lines evict each other: on the side where lines are further
// apart, whole ones are read or written before the next.
void transpose_blocks(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  int64_t done_rows = 0, done_columns = 0;
#if HWY_TARGET != HWY_SCALAR
  done_rows = rows / 4 * 4, done_columns = columns / 4 * 4;
  const hn::Full128<float> d;
  auto block = [&](int64_t r, int64_t c) HWY_ATTR {
    const float* from = x + c * x_stride + r;
    const auto c0 = hn::LoadU(d, from), c1 = hn::LoadU(d, from + x_stride);
    const auto c2 = hn::LoadU(d, from + 2 * x_stride), c3 = hn::LoadU(d, from + 3 * x_stride);
    const auto low01 = hn::InterleaveLower(d, c0, c1), high01 = hn::InterleaveUpper(d, c0, c1);
    const auto low23 = hn::InterleaveLower(d, c2, c3), high23 = hn::InterleaveUpper(d, c2, c3);
    float* to = out + r * out_stride + c;
    hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, to);
    hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, to + out_stride);
    hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, to + 2 * out_stride);
    hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, to + 3 * out_stride);
  };
  constexpr int64_t line = 16;
  for (int64_t c0 = 0; c0 < done_columns; c0 += line) {
    const int64_t c1 = std::min(done_columns, c0 + line);
    if (out_stride > x_stride) {
      for (int64_t r = 0; r < done_rows; r += 4)
        for (int64_t c = c0; c < c1; c += 4) block(r, c);
    } else {
      for (int64_t c = c0; c < c1; c += 4)
        for (int64_t r = 0; r < done_rows; r += 4) block(r, c);
    }
  }
#endif
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = r < done_rows ? done_columns : 0; c < columns; ++c) out[r * out_stride + c] = x[c * x_stride + r];
}

}  // namespace

Interleave interleave_of(int64_t planes) {
  switch (planes) {
    case 2: return interleave<2>;
    case 3: return interleave<3>;
    case 4: return interleave<4>;
    default: return nullptr;
  }
}

using Transpose = void (*)(const float*, int64_t, int64_t, int64_t, float*, int64_t);
Transpose transpose_function() { return transpose_blocks; }

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(interleave_of);
HWY_EXPORT(transpose_function);

Interleave interleave(int64_t planes) {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(interleave_of)(planes);
}

void transpose(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  choose_isa();
  HWY_DYNAMIC_DISPATCH(transpose_function)()(x, x_stride, rows, columns, out, out_stride);
}

}  // namespace godwit::kernels
#endif

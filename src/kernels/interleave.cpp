#include "kernels/interleave.h"

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

}  // namespace

Interleave interleave_of(int64_t planes) {
  switch (planes) {
    case 2: return interleave<2>;
    case 3: return interleave<3>;
    case 4: return interleave<4>;
    default: return nullptr;
  }
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(interleave_of);

Interleave interleave(int64_t planes) {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(interleave_of)(planes);
}

}  // namespace godwit::kernels
#endif

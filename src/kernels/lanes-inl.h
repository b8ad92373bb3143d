// A row in vectors, its end included. Included once for every instruction set.
#if defined(GODWIT_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GODWIT_KERNELS_LANES_INL_H_
#undef GODWIT_KERNELS_LANES_INL_H_
#else
#define GODWIT_KERNELS_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls f(load, store) for every vector of a row of n floats: load(p) is the vector's part of a row at p, store(v, p)
// writes it. The last vector loads zeros behind the end, and writes nothing there.
template <class F>
HWY_INLINE void over_lanes(int64_t n, F f) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f([i, d](const float* p) HWY_ATTR { return hn::LoadU(d, p + i); },
      [i, d](V v, float* p) HWY_ATTR { hn::StoreU(v, d, p + i); });
  if (i < n) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    f([i, d, mask](const float* p) HWY_ATTR { return hn::MaskedLoad(mask, d, p + i); },
      [i, d, mask](V v, float* p) HWY_ATTR { hn::BlendedStore(v, mask, d, p + i); });
  }
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

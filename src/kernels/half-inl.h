// Vectors of float16 and bfloat16 as float32 and back, rounded to nearest even. Included once for every instruction
// set.
#if defined(GODWIT_KERNELS_HALF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GODWIT_KERNELS_HALF_INL_H_
#undef GODWIT_KERNELS_HALF_INL_H_
#else
#define GODWIT_KERNELS_HALF_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "base/tensor.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The items of half types that kernels point to.
using F16 = hwy::float16_t;
using BF16 = hwy::bfloat16_t;

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const float* p) {
  return hn::LoadU(d, p);
}

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const BF16* p) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
}

// A vector of bits that are those of a bfloat16, above sixteen zeros.
template <class D>
HWY_INLINE hn::Vec<D> rounded_bf16(D d, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::BitCast(d32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(d32, 0x400000));
  const auto chosen = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(v)), quiet, rounded);
  return hn::BitCast(d, hn::And(chosen, hn::Set(d32, 0xffff0000u)));
}

template <class D>
HWY_INLINE void store_rounded(D d, hn::Vec<D> v, BF16* p) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToSigned<D> d32;
  const auto bits = hn::ShiftRight<16>(hn::BitCast(hn::RebindToUnsigned<D>(), rounded_bf16(d, v)));
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(d32, bits)), d16, reinterpret_cast<uint16_t*>(p));
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const F16* p) {
  const hn::Rebind<F16, D> d16;
  return hn::PromoteTo(d, hn::LoadU(d16, p));
}
template <class D>
HWY_INLINE void store_rounded(D d, hn::Vec<D> v, F16* p) {
  const hn::Rebind<F16, D> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, p);
}
template <class D>
HWY_INLINE hn::Vec<D> rounded_f16(D d, hn::Vec<D> v) {
  const hn::Rebind<F16, D> d16;
  return hn::PromoteTo(d, hn::DemoteTo(d16, v));
}
#else
// Highway's own functions for machines without such instructions know neither infinity nor rounding.
template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const F16* p) {
  HWY_ALIGN float lane[HWY_MAX_BYTES / 4];
  for (size_t i = 0; i < hn::Lanes(d); ++i) lane[i] = half_to_float(p[i].bits);
  return hn::Load(d, lane);
}
template <class D>
HWY_INLINE void store_rounded(D d, hn::Vec<D> v, F16* p) {
  HWY_ALIGN float lane[HWY_MAX_BYTES / 4];
  hn::Store(v, d, lane);
  for (size_t i = 0; i < hn::Lanes(d); ++i) p[i].bits = float_to_half(lane[i]);
}
template <class D>
HWY_INLINE hn::Vec<D> rounded_f16(D d, hn::Vec<D> v) {
  F16 lane[HWY_MAX_BYTES / 4];
  store_rounded(d, v, lane);
  return load_float(d, lane);
}
#endif

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

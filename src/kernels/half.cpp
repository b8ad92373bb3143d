#include "kernels/half.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/half.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/half-inl.h"
#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void widen_run(const T* x, int64_t n, float* out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(load_float(d, x + i), d, out + i);
  if (i == n) return;
  T rest[HWY_MAX_BYTES / 4] = {};
  HWY_ALIGN float lane[HWY_MAX_BYTES / 4];
  std::memcpy(rest, x + i, static_cast<size_t>(n - i) * sizeof(T));
  hn::Store(load_float(d, rest), d, lane);
  std::memcpy(out + i, lane, static_cast<size_t>(n - i) * 4);
}

template <class T>
void narrow_run(const float* x, int64_t n, T* out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_rounded(d, hn::LoadU(d, x + i), out + i);
  if (i == n) return;
  T rest[HWY_MAX_BYTES / 4];
  HWY_ALIGN float lane[HWY_MAX_BYTES / 4] = {};
  std::memcpy(lane, x + i, static_cast<size_t>(n - i) * 4);
  store_rounded(d, hn::Load(d, lane), rest);
  std::memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(T));
}

}  // namespace

void widen_half(DType type, const void* data, int64_t n, float* out) {
  type == DType::f16 ? widen_run(static_cast<const F16*>(data), n, out)
                     : widen_run(static_cast<const BF16*>(data), n, out);
}

void narrow_half(DType type, const float* x, int64_t n, void* out) {
  type == DType::f16 ? narrow_run(x, n, static_cast<F16*>(out)) : narrow_run(x, n, static_cast<BF16*>(out));
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(widen_half);
HWY_EXPORT(narrow_half);

void widen(DType half, const void* data, int64_t n, float* out) {
  choose_isa();
  HWY_DYNAMIC_DISPATCH(widen_half)(half, data, n, out);
}

void narrow(DType half, const float* values, int64_t n, void* out) {
  choose_isa();
  HWY_DYNAMIC_DISPATCH(narrow_half)(half, values, n, out);
}

}  // namespace godwit::kernels
#endif

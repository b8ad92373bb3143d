// Rows of quantised weights as float32.
#include <algorithm>

#include "kernels/quantized.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantized_take.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 8>;
using DI = hn::RebindToSigned<D>;
using DU = hn::RebindToUnsigned<D>;

constexpr int64_t lanes = HWY_LANES(float) < 8 ? HWY_LANES(float) : 8;

// Numbers [i, i + lanes) of a group; a word of 4-bit numbers is a vector or two.
template <int Bits>
HWY_INLINE hn::Vec<DI> numbers(const uint32_t* words, int64_t i) {
  if constexpr (Bits == 8) {
    const hn::Rebind<uint8_t, DI> bytes;
    return hn::PromoteTo(DI(), hn::LoadU(bytes, reinterpret_cast<const uint8_t*>(words) + i));
  } else {
    const auto word = hn::Set(DU(), words[i / 8] >> (i % 8 * 4));
    const auto shift = hn::Mul(hn::Iota(DU(), 0), hn::Set(DU(), 4));
    return hn::BitCast(DI(), hn::And(hn::Shr(word, shift), hn::Set(DU(), 15)));
  }
}

template <int Bits>
void unpack_row(const QuantizedTake& t, int64_t row, float* out) {
  const QuantizedShape& s = t.shape;
  const D d;
  const int64_t groups = s.k / s.group;
  const uint32_t* words = t.weight + row * (s.k * Bits / 32);
  for (int64_t group = 0; group < groups; ++group, words += s.group * Bits / 32, out += s.group) {
    const auto scale = hn::Set(d, t.scales[row * groups + group]), bias = hn::Set(d, t.biases[row * groups + group]);
    for (int64_t i = 0; i < s.group; i += lanes)
      hn::StoreU(hn::Add(hn::Mul(hn::ConvertTo(d, numbers<Bits>(words, i)), scale), bias), d, out + i);
  }
}

}  // namespace

void unpack(const QuantizedTake& t, int64_t row, float* out) {
  if (t.shape.bits == 4)
    unpack_row<4>(t, row, out);
  else
    unpack_row<8>(t, row, out);
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(unpack);

void quantized_take(const QuantizedTake& t, float* out, ThreadPool& pool) {
  choose_isa();
  const auto unpack_one = HWY_DYNAMIC_DISPATCH(unpack);
  const int64_t n = t.shape.n, k = t.shape.k;
  pool.parallel_for(t.count, 1 + (1 << 14) / (k + 1), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = t.index_type == DType::i64 ? static_cast<const int64_t*>(t.indices)[i]
                                                     : static_cast<const int32_t*>(t.indices)[i];
      unpack_one(t, std::clamp<int64_t>(row < 0 ? row + n : row, 0, n - 1), out + i * k);
    }
  });
}

}  // namespace godwit::kernels
#endif

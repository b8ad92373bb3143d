#include "kernels/quantized.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantized.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/quantized_layout.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<D>;
using DU = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
using VI = hn::Vec<DI>;
using VU = hn::Vec<DU>;

constexpr int lanes = HWY_LANES(float) < 16 ? HWY_LANES(float) : 16;
constexpr int panel_vectors = 16 / lanes;
// Sums in int32 and in float32 have to fit into the registers together.
constexpr int max_rows = lanes == 16 ? 6 : 3, max_panels = lanes == 16 ? 2 : 1;

// sums + products of both 16-bit halves of a lane
HWY_INLINE VI add_pairs(VI sums, VU w, VI x) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_add_epi32(sums.raw, _mm256_madd_epi16(w.raw, x.raw))};
#elif HWY_TARGET == HWY_AVX3
  return VI{_mm512_add_epi32(sums.raw, _mm512_madd_epi16(w.raw, x.raw))};
#else
  const DI d;
  const VI low = hn::And(hn::BitCast(d, w), hn::Set(d, 0xffff)), high = hn::BitCast(d, hn::ShiftRight<16>(w));
  const VI x_low = hn::ShiftRight<16>(hn::ShiftLeft<16>(x)), x_high = hn::ShiftRight<16>(x);
  return hn::Add(sums, hn::Add(hn::Mul(low, x_low), hn::Mul(high, x_high)));
#endif
}

// How 64 bytes of a panel are multiplied by the inputs that they stand for. Parts of the bytes go with one word of 32
// bits of the activations each, in order.
struct PairDot {
  using Value = int16_t;
  template <int Bits>
  static constexpr int parts = Bits == 8 ? 2 : 4;
  static constexpr bool is_narrow = false;

  template <int Bits, int Part>
  static HWY_INLINE VU part(VU bytes) {
    constexpr int shift = Bits == 8 ? 8 * Part : 8 * (Part % 2) + 4 * (Part / 2);
    return hn::And(hn::ShiftRight<shift>(bytes), hn::Set(DU(), Bits == 8 ? 0xff00ff : 0xf000f));
  }
  static HWY_INLINE VI add(VI sums, VU w, VI x) { return add_pairs(sums, w, x); }
  // Rounded activations of one vector.
  static HWY_INLINE void store(VI x, Value* to) {
    const hn::Rebind<int16_t, DI> d;
    hn::StoreU(hn::DemoteTo(d, x), d, to);
  }
};

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
struct Bytes {
  using Value = int8_t;
  template <int Bits>
  static constexpr int parts = Bits == 8 ? 1 : 2;

  template <int Bits, int Part>
  static HWY_INLINE VU part(VU bytes) {
    if constexpr (Bits == 8) return bytes;
    return hn::And(hn::ShiftRight<4 * Part>(bytes), hn::Set(DU(), 0x0f0f0f0f));
  }
  static HWY_INLINE void store(VI x, Value* to) {
    const hn::Rebind<int8_t, DI> d;
    alignas(16) static constexpr int8_t order[] = {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15};
    hn::StoreU(hn::TableLookupBytes(hn::DemoteTo(d, x), hn::LoadU(d, order)), d, to);
  }
};

// Two products of bytes to a sum of 16 bits, which holds those of 32 inputs with 4 bits: 32 / 2 * 15 * 127 < 2^15.
struct NibbleDot : Bytes {
  static constexpr bool is_narrow = true;
  static HWY_INLINE VI add(VI sums, VU w, VI x) {
#if HWY_TARGET == HWY_AVX2
    return VI{_mm256_add_epi16(sums.raw, _mm256_maddubs_epi16(w.raw, x.raw))};
#else
    return VI{_mm512_add_epi16(sums.raw, _mm512_maddubs_epi16(w.raw, x.raw))};
#endif
  }
  static HWY_INLINE VI widen(VI sums) { return add_pairs(hn::Zero(DI()), hn::Set(DU(), 0x10001), sums); }
};
#endif

#if HWY_TARGET == HWY_AVX3
// With VNNI: four products of unsigned and signed bytes a lane in one instruction, for which Highway has no name yet.
struct ByteDot : Bytes {
  static constexpr bool is_narrow = false;
  static HWY_INLINE VI add(VI sums, VU w, VI x) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(w.raw), "v"(x.raw));
    return sums;
  }
};
#endif

// The scratch of a product: rounded activations, then a scale and a sum for each group of each row.
template <class Dot>
struct Rounded {
  explicit Rounded(const QuantizedGemm& g)
      : k(g.shape.k),
        groups(g.shape.k / g.shape.group),
        values(reinterpret_cast<typename Dot::Value*>(g.scratch)),
        factors(reinterpret_cast<float*>(g.scratch + g.m * g.shape.k * static_cast<int64_t>(sizeof(*values)))) {}
  int64_t k, groups;
  typename Dot::Value* values;
  float* factors;
};

template <class Dot>
void round_group(const float* x, int64_t size, typename Dot::Value* values, float* factors) {
  const D d;
  const DI di;
  V largest = hn::Zero(d), poison = hn::Zero(d);
  for (int64_t i = 0; i < size; i += lanes) {
    const V v = hn::LoadU(d, x + i);
    largest = hn::Max(largest, hn::Abs(v));
    poison = hn::MulAdd(v, hn::Zero(d), poison);  // NaN from what is not finite
  }
  const float most = hn::GetLane(hn::MaxOfLanes(d, largest)), bad = hn::GetLane(hn::SumOfLanes(d, poison));
  constexpr float smallest = 1e-35f;  // below, 127 / most would overflow
  const bool all_zero = std::isnan(bad) || most < smallest;
  const V inverse = hn::Set(d, all_zero ? 0.0f : 127.0f / most);
  VI sum = hn::Zero(di);
  for (int64_t i = 0; i < size; i += lanes) {
    const VI q = all_zero ? hn::Zero(di) : hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
    sum = hn::Add(sum, q);
    Dot::store(q, values + i);
  }
  factors[0] = std::isnan(bad) ? bad : all_zero ? 0.0f : most / 127.0f;
  factors[1] = factors[0] * static_cast<float>(hn::GetLane(hn::SumOfLanes(di, sum)));
}

template <class Dot>
void prepare(const QuantizedGemm& g, int64_t first, int64_t last) {
  const Rounded<Dot> x(g);
  for (int64_t row = first; row < last; ++row)
    for (int64_t at = 0; at < x.groups; ++at)
      round_group<Dot>(g.a + row * g.a_stride + at * g.shape.group, g.shape.group,
                       x.values + row * x.k + at * g.shape.group, x.factors + (row * x.groups + at) * 2);
}

// Rows x Panels of C over some groups.
struct Part {
  const std::byte* values;  // of the first row
  int64_t value_stride;     // bytes
  const float* factors;
  int64_t factor_stride;
  const std::byte* weight;
  int64_t panel_bytes, group_bytes, numbers, groups;
  float* c;
  int64_t c_stride, columns;
  const float* bias;  // at these columns
  bool accumulate;
};

template <int Count, class F>
HWY_INLINE void each_column(int64_t columns, F f) {
  const D d;
#pragma GCC unroll 16
  for (int v = 0; v < Count; ++v) {
    const int64_t rest = columns - v * lanes;
    if (rest >= lanes)
      f(
          v, [d, v](const float* p) HWY_ATTR { return hn::LoadU(d, p + v * lanes); },
          [d, v](V x, float* p) HWY_ATTR { hn::StoreU(x, d, p + v * lanes); });
    else if (rest > 0)
      f(
          v, [d, v, rest](const float* p) HWY_ATTR { return hn::MaskedLoad(hn::FirstN(d, rest), d, p + v * lanes); },
          [d, v, rest](V x, float* p) HWY_ATTR { hn::BlendedStore(x, hn::FirstN(d, rest), d, p + v * lanes); });
  }
}

constexpr int64_t ahead = 8192;

template <class Dot, int Bits, int Rows, int Panels>
void micro(const Part& t) {
  constexpr int N = Panels * panel_vectors;
  const D d;
  const DI di;
  V out[Rows][N];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v) out[r][v] = hn::Zero(d);
  each_column<N>(t.columns, [&](int v, auto load, auto) HWY_ATTR {
    if (!t.accumulate && !t.bias) return;
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) out[r][v] = load(t.accumulate ? t.c + r * t.c_stride : t.bias);
  });
  VI narrow[Rows][N];  // for dots that sum in 16 bits at first
  if constexpr (Dot::is_narrow)
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v) narrow[r][v] = hn::Zero(di);
  const std::byte* weight = t.weight;
  for (int64_t group = 0; group < t.groups; ++group, weight += t.group_bytes) {
    VI sum[Rows][N];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v) sum[r][v] = hn::Zero(di);
    const std::byte* x = t.values + group * t.numbers / (2 * Bits) * static_cast<int64_t>(sizeof(typename Dot::Value));
    auto bytes_of = [&](int64_t at, int v) HWY_ATTR {
      const std::byte* from = weight + v / panel_vectors * t.panel_bytes + at + v % panel_vectors * lanes * 4;
      return hn::LoadU(DU(), reinterpret_cast<const uint32_t*>(from));
    };
    auto part = [&](const VU* bytes, auto index) HWY_ATTR {
      VU w[N];
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v) w[v] = Dot::template part<Bits, decltype(index)::value>(bytes[v]);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        int32_t word;
        std::memcpy(&word, x + r * t.value_stride + decltype(index)::value * 4, 4);
        const VI broadcast = hn::Set(di, word);
#pragma GCC unroll 16
        for (int v = 0; v < N; ++v) {
          VI& to = Dot::is_narrow ? narrow[r][v] : sum[r][v];
          to = Dot::add(to, w[v], broadcast);
        }
      }
    };
    for (int64_t at = 0; at < t.numbers; at += 64) {
      // One row waits for memory alone: further ahead than the processor looks by itself.
      if constexpr (Rows == 1)
        for (int p = 0; p < Panels; ++p) __builtin_prefetch(weight + p * t.panel_bytes + at + ahead, 0, 2);
      VU bytes[N];
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v) bytes[v] = bytes_of(at, v);
      [&]<int... Index>(std::integer_sequence<int, Index...>) HWY_ATTR {
        (part(bytes, std::integral_constant<int, Index>()), ...);
      }
      (std::make_integer_sequence<int, Dot::template parts<Bits>>());
      x += 4 * Dot::template parts<Bits>;
      if constexpr (Dot::is_narrow)
        if (at % 256 == 192) {  // 32 inputs
#pragma GCC unroll 16
          for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
            for (int v = 0; v < N; ++v) {
              sum[r][v] = hn::Add(sum[r][v], Dot::widen(narrow[r][v]));
              narrow[r][v] = hn::Zero(di);
            }
        }
    }
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v) {
      const auto* tail = reinterpret_cast<const float*>(weight + v / panel_vectors * t.panel_bytes + t.numbers) +
                         v % panel_vectors * lanes;
      const V scale = hn::LoadU(d, tail), bias = hn::LoadU(d, tail + 16);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const float* factors = t.factors + r * t.factor_stride + group * 2;
        const V x_scale = hn::Set(d, factors[0]);
        out[r][v] = hn::MulAdd(hn::ConvertTo(d, sum[r][v]), hn::Mul(scale, x_scale), out[r][v]);
        out[r][v] = hn::MulAdd(bias, hn::Set(d, factors[1]), out[r][v]);
      }
    }
  }
  each_column<N>(t.columns, [&](int v, auto, auto store) HWY_ATTR {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) store(out[r][v], t.c + r * t.c_stride);
  });
}

using Micro = void (*)(const Part&);
template <class Dot, int Bits, int Panels, size_t... Row>
Micro micro_for(int64_t rows, std::index_sequence<Row...>) {
  static constexpr Micro table[] = {micro<Dot, Bits, Row + 1, Panels>...};
  return table[rows - 1];
}
template <class Dot, int Bits>
Micro micro_for(int64_t rows, int64_t panels) {
  constexpr std::make_index_sequence<max_rows> all{};
  return panels == 1 ? micro_for<Dot, Bits, 1>(rows, all) : micro_for<Dot, Bits, max_panels>(rows, all);
}

constexpr int64_t k_block = 512;  // 32 columns of it stay in the first-level cache

template <class Dot, int Bits>
void multiply(const QuantizedGemm& g, int64_t first_row, int64_t last_row, int64_t first_panel, int64_t last_panel) {
  const Rounded<Dot> x(g);
  const PackedLayout layout(g.shape);
  const int64_t rows = last_row - first_row, tiles = (rows + max_rows - 1) / max_rows;
  const int64_t step = tiles == 1 ? std::max<int64_t>(x.groups, 1) : k_block / g.shape.group;
  const int64_t panels = rows == 1 ? 1 : max_panels;  // one row reads the weights as one stream
  for (int64_t group = 0; group == 0 || group < x.groups; group += step)
    for (int64_t p = first_panel; p < last_panel; p += panels)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t r0 = first_row + tile * rows / tiles, r1 = first_row + (tile + 1) * rows / tiles;
        const int64_t here = std::min(panels, last_panel - p), column = p * panel_width;
        micro_for<Dot, Bits>(r1 - r0, here)(
            {reinterpret_cast<const std::byte*>(x.values + r0 * x.k + group * g.shape.group),
             x.k * static_cast<int64_t>(sizeof(typename Dot::Value)), x.factors + (r0 * x.groups + group) * 2,
             x.groups * 2, g.weight + p * layout.panel_bytes + group * layout.group_bytes, layout.panel_bytes,
             layout.group_bytes, layout.numbers, std::min(step, x.groups - group), g.c + r0 * g.c_stride + column,
             g.c_stride, std::min(here * panel_width, g.shape.n - column), g.bias ? g.bias + column : nullptr,
             group > 0});
      }
}

}  // namespace

template <class Dot, int Bits>
constexpr QuantizedFunctions functions_of{1, prepare<Dot>, multiply<Dot, Bits>};

QuantizedFunctions block_functions(int64_t bits, [[maybe_unused]] bool has_int8_dots) {
#if HWY_TARGET == HWY_AVX3
  if (has_int8_dots) return bits == 4 ? functions_of<ByteDot, 4> : functions_of<ByteDot, 8>;
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  if (bits == 4) return functions_of<NibbleDot, 4>;
#endif
  return bits == 4 ? functions_of<PairDot, 4> : functions_of<PairDot, 8>;
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(block_functions);

namespace {

constexpr int64_t few_rows = 32;  // with fewer, unpacking weights for tiles takes longer than the product

QuantizedFunctions functions(int64_t rows, int64_t bits) {
  choose_isa();
  if (rows >= few_rows && uses_tiles()) return tile_functions();
  return HWY_DYNAMIC_DISPATCH(block_functions)(bits, uses_int8_dots());
}

// Four bits at the low end of each byte.
uint32_t spread(uint32_t nibbles) {
  return (nibbles & 0xf) | (nibbles & 0xf0) << 4 | (nibbles & 0xf00) << 8 | (nibbles & 0xf000) << 12;
}
// Bytes 0 1 2 3 as 0 2 1 3.
uint32_t swap_middle(uint32_t w) { return (w & 0xff0000ff) | (w & 0xff00) << 8 | (w & 0xff0000) >> 8; }

// Rounding to bfloat16 by addition would carry out of a NaN with all bits set.
float plain_nan(float x) { return std::isnan(x) ? std::numeric_limits<float>::quiet_NaN() : x; }

void pack_panel(const QuantizedShape& s, const uint32_t* weight, const float* scales, const float* biases,
                int64_t panel, std::byte* out) {
  const PackedLayout layout(s);
  const int64_t words = s.k * s.bits / 32, group_words = s.group * s.bits / 32;
  const int64_t first = panel * panel_width, here = std::min(panel_width, s.n - first);
  for (int64_t group = 0; group < layout.groups; ++group, out += layout.group_bytes) {
    auto* numbers = reinterpret_cast<uint32_t*>(out);
    auto* tail = reinterpret_cast<float*>(out + layout.numbers);
    std::memset(out, 0, static_cast<size_t>(layout.group_bytes));
    for (int64_t o = 0; o < here; ++o) {
      const uint32_t* from = weight + (first + o) * words + group * group_words;
      for (int64_t i = 0; i < group_words; ++i)
        numbers[i * panel_width + o] =
            swap_middle(s.bits == 8 ? from[i] : spread(from[i] & 0xffff) | spread(from[i] >> 16) << 4);
      tail[o] = plain_nan(scales[(first + o) * layout.groups + group]);
      tail[panel_width + o] = plain_nan(biases[(first + o) * layout.groups + group]);
    }
  }
}

// Rows of C that are rounded and multiplied together.
void block(const QuantizedGemm& g, int64_t first_row, ThreadPool& pool, const Done& done) {
  const QuantizedFunctions f = functions(g.m, g.shape.bits);
  pool.parallel_for(g.m, std::max<int64_t>(f.row_step, (1 << 15) / (g.shape.k + 1)),
                    [&](int64_t first, int64_t last) { f.prepare(g, first, last); });
  const int64_t panels = PackedLayout(g.shape).panels, pairs = (panels + 1) / 2;
  const int64_t steps = (g.m + f.row_step - 1) / f.row_step, wanted = pool.threads() * 4;
  const int64_t column_parts = std::min(pairs, wanted);
  const int64_t row_parts = std::min({wanted / column_parts, steps, (g.m + 31) / 32});
  const int64_t parts = column_parts * row_parts;
  const double work = 2.0 * static_cast<double>(g.m) * static_cast<double>(g.shape.n) * static_cast<double>(g.shape.k);
  const auto grain = static_cast<int64_t>(1e6 * static_cast<double>(parts) / std::max(work, 1.0));
  pool.parallel_for(parts, std::clamp<int64_t>(grain, 1, parts), [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      const int64_t rows = part / column_parts, columns = part % column_parts;
      const int64_t r0 = rows * steps / row_parts * f.row_step;
      const int64_t r1 = std::min(g.m, (rows + 1) * steps / row_parts * f.row_step);
      const int64_t p0 = columns * pairs / column_parts * 2,
                    p1 = std::min(panels, (columns + 1) * pairs / column_parts * 2);
      f.multiply(g, r0, r1, p0, p1);
      if (done) done(first_row + r0, first_row + r1, p0 * panel_width, std::min(g.shape.n, p1 * panel_width));
    }
  });
}

}  // namespace

size_t packed_quantized_size(const QuantizedShape& shape) {
  const PackedLayout layout(shape);
  return static_cast<size_t>(layout.panels * layout.panel_bytes);
}

void pack_quantized(const QuantizedShape& shape, const uint32_t* weight, const float* scales, const float* biases,
                    std::byte* packed, ThreadPool* pool) {
  const PackedLayout layout(shape);
  auto part = [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p)
      pack_panel(shape, weight, scales, biases, p, packed + p * layout.panel_bytes);
  };
  if (pool)
    pool->parallel_for(layout.panels, 1 + (1 << 16) / (layout.panel_bytes + 1), part);
  else
    part(0, layout.panels);
}

size_t quantized_scratch(const QuantizedShape& shape, int64_t m) {
  const int64_t rows = (std::min(m, max_block_rows) + 15) / 16 * 16;  // whole tiles
  return static_cast<size_t>(rows * (shape.k * 2 + shape.k / shape.group * 8));
}

void quantized_gemm(const QuantizedGemm& g, ThreadPool& pool, const Done& done) {
  if (g.m <= 0 || g.shape.n <= 0) return;
  const int64_t blocks = (g.m + max_block_rows - 1) / max_block_rows;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first = i * g.m / blocks, last = (i + 1) * g.m / blocks;
    QuantizedGemm part = g;
    part.m = last - first, part.a += first * g.a_stride, part.c += first * g.c_stride;
    block(part, first, pool, done);
  }
}

void quantized_take(const QuantizedTake& t, float* out, ThreadPool& pool) {
  const QuantizedShape& s = t.shape;
  const int64_t per_word = 32 / s.bits, words = s.k / per_word, groups = s.k / s.group;
  const uint32_t mask = (1u << s.bits) - 1;
  pool.parallel_for(t.count, 1 + (1 << 14) / (s.k + 1), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      int64_t row = t.index_type == DType::i64 ? static_cast<const int64_t*>(t.indices)[i]
                                               : static_cast<const int32_t*>(t.indices)[i];
      row = std::clamp<int64_t>(row < 0 ? row + s.n : row, 0, s.n - 1);
      float* to = out + i * s.k;
      for (int64_t w = 0; w < words; ++w) {
        const uint32_t word = t.weight[row * words + w];
        const int64_t group = row * groups + w * per_word / s.group;
        for (int64_t j = 0; j < per_word; ++j)
          to[w * per_word + j] = t.scales[group] * static_cast<float>(word >> (j * s.bits) & mask) + t.biases[group];
      }
    }
  });
}

}  // namespace godwit::kernels
#endif

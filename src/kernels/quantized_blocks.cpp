// Products with quantised weights in int8: activations are rounded group by group, numbers are multiplied as they are.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantized_blocks.cpp"
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
constexpr int64_t chunk = 32;  // inputs; every group is a few chunks

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
// Compilers like to add products in trees, for which the registers of a tile do not suffice.
template <class R>
HWY_INLINE VI in_order(R sums) {
  asm("" : "+v"(sums));
  return VI{sums};
}
#endif

// sums + products of both 16-bit halves of a lane
HWY_INLINE VI add_pairs(VI sums, VU w, VI x) {
#if HWY_TARGET == HWY_AVX2
  return in_order(_mm256_add_epi32(sums.raw, _mm256_madd_epi16(w.raw, x.raw)));
#elif HWY_TARGET == HWY_AVX3
  return in_order(_mm512_add_epi32(sums.raw, _mm512_madd_epi16(w.raw, x.raw)));
#else
  const DI d;
  const VI low = hn::And(hn::BitCast(d, w), hn::Set(d, 0xffff)), high = hn::BitCast(d, hn::ShiftRight<16>(w));
  const VI x_low = hn::ShiftRight<16>(hn::ShiftLeft<16>(x)), x_high = hn::ShiftRight<16>(x);
  return hn::Add(sums, hn::Add(hn::Mul(low, x_low), hn::Mul(high, x_high)));
#endif
}

// One word of activations in all lanes.
HWY_INLINE VI word_at(const std::byte* x) {
  int32_t word;
  std::memcpy(&word, x, 4);
  return hn::Set(DI(), word);
}

// How 64 bytes of a panel are multiplied by the inputs that they stand for. Parts of the bytes go with one word of 32
// bits of the activations each, in order. Tiles have as many rows as leave the inner sums in registers.
struct PairDot {
  using Value = int16_t;
  template <int Bits>
  static constexpr int parts = Bits == 8 ? 2 : 4;
  static constexpr bool is_narrow = false;
  static constexpr int max_rows = lanes == 16 ? 10 : HWY_TARGET == HWY_AVX2 ? 4 : 3, latency = 1;

  template <int Bits, int Part>
  static HWY_INLINE VU part(VU bytes) {
    constexpr int shift = Bits == 8 ? 8 * Part : 8 * (Part % 2) + 4 * (Part / 2);
    return hn::And(hn::ShiftRight<shift>(bytes), hn::Set(DU(), Bits == 8 ? 0xff00ff : 0xf000f));
  }
  static HWY_INLINE VI add(VI sums, VU w, const std::byte* x) { return add_pairs(sums, w, word_at(x)); }
  // 32 rounded activations.
  static HWY_INLINE void store(const VI* x, Value* to) {
    const hn::Rebind<int16_t, DI> d;
    for (int64_t i = 0; i < chunk / lanes; ++i) hn::StoreU(hn::DemoteTo(d, x[i]), d, to + i * lanes);
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
  // Packing keeps fours together and puts those of one 128-bit block of each vector side by side.
  static HWY_INLINE void store(const VI* x, Value* to) {
#if HWY_TARGET == HWY_AVX2
    const __m256i low = _mm256_packs_epi32(x[0].raw, x[1].raw), high = _mm256_packs_epi32(x[2].raw, x[3].raw);
    const __m256i swap = _mm256_setr_epi32(0x03010200, 0x07050604, 0x0b090a08, 0x0f0d0e0c,  //
                                           0x03010200, 0x07050604, 0x0b090a08, 0x0f0d0e0c);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_packs_epi16(low, high), swap);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
#else
    const __m512i words = _mm512_packs_epi32(x[0].raw, x[1].raw);
    const __m512i swapped = _mm512_shuffle_epi8(_mm512_packs_epi16(words, words),
                                                _mm512_set4_epi32(0x0f0d0e0c, 0x0b090a08, 0x07050604, 0x03010200));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, swapped)));
#endif
  }
};

// Two products of bytes to a sum of 16 bits, which holds those of 32 inputs with 4 bits: 32 / 2 * 15 * 127 < 2^15.
struct NibbleDot : Bytes {
  static constexpr bool is_narrow = true;
  static constexpr int max_rows = lanes == 16 ? 8 : 4, latency = 1;
  static HWY_INLINE VI add(VI sums, VU w, const std::byte* x) {
#if HWY_TARGET == HWY_AVX2
    return in_order(_mm256_add_epi16(sums.raw, _mm256_maddubs_epi16(w.raw, word_at(x).raw)));
#else
    return in_order(_mm512_add_epi16(sums.raw, _mm512_maddubs_epi16(w.raw, word_at(x).raw)));
#endif
  }
  static HWY_INLINE VI widen(VI sums, VI narrow) { return add_pairs(sums, hn::Set(DU(), 0x10001), narrow); }
};
#endif

#if HWY_TARGET == HWY_AVX3
// With VNNI: four products of unsigned and signed bytes a lane in one instruction, for which Highway has no name yet.
struct ByteDot : Bytes {
  static constexpr bool is_narrow = false;
  static constexpr int max_rows = 12, latency = 4;
  static HWY_INLINE VI add(VI sums, VU w, const std::byte* x) {
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sums.raw) : "v"(w.raw), "m"(*reinterpret_cast<const int32_t*>(x)));
    return sums;
  }
};
#endif

// Tiles of nearly the same number of rows.
template <class Dot>
int64_t row_step(int64_t m) {
  const int64_t tiles = (m + Dot::max_rows - 1) / Dot::max_rows;
  return (m + tiles - 1) / tiles;
}

// The scratch of a product. Activations of a tile lie in the order in which the tile reads them: 32 inputs of its first
// row, of its second row, and so on, then the next 32 inputs. For each group a tile has a scale, then a scaled sum of
// each row.
template <class Dot>
struct Rounded {
  explicit Rounded(const QuantizedGemm& g)
      : m(g.m),
        k(g.shape.k),
        groups(g.shape.k / g.shape.group),
        step(row_step<Dot>(g.m)),
        first_value(reinterpret_cast<typename Dot::Value*>(g.scratch)),
        first_factor(reinterpret_cast<float*>(g.scratch + m * k * static_cast<int64_t>(sizeof(typename Dot::Value)))) {}
  int64_t rows(int64_t tile) const { return std::min(step, m - tile * step); }
  typename Dot::Value* values(int64_t tile, int64_t input) const {
    return first_value + tile * step * k + input * rows(tile);
  }
  float* factors(int64_t tile, int64_t group) const {
    return first_factor + 2 * (tile * step * groups + group * rows(tile));
  }
  int64_t m, k, groups, step;
  typename Dot::Value* first_value;
  float* first_factor;
};

HWY_INLINE VI nearest(V x) {
#if HWY_TARGET == HWY_AVX2  // without Highway's care for what is too large
  return VI{_mm256_cvtps_epi32(x.raw)};
#elif HWY_TARGET == HWY_AVX3
  return VI{_mm512_cvtps_epi32(x.raw)};
#else
  return hn::NearestInt(x);
#endif
}

// Rounded activations of a group to values, 32 of which lie `rows` * 32 behind the 32 before them; their scale to
// factors[0], their scaled sum to factors[rows].
template <class Dot, int64_t size>
HWY_INLINE void round_group(const float* x, int64_t rows, typename Dot::Value* values, float* factors) {
  const D d;
  const DI di;
  // As whole numbers, sizes of floats are in order, and what is not finite is above the rest.
  VI largest = hn::Zero(di);
#pragma GCC unroll 32
  for (int64_t i = 0; i < size; i += lanes)
    largest = hn::Max(largest, hn::And(hn::BitCast(di, hn::LoadU(d, x + i)), hn::Set(di, 0x7fffffff)));
  const int32_t most_bits = hn::GetLane(hn::MaxOfLanes(di, largest));
  float most;
  std::memcpy(&most, &most_bits, 4);
  constexpr float smallest = 1e-35f;  // below, 127 / most would overflow
  const bool bad = !std::isfinite(most);
  // What is not finite is rounded to anything: its scale is NaN.
  const V inverse = hn::Set(d, bad || most < smallest ? 0.0f : 127.0f / most);
  VI sum = hn::Zero(di);
#pragma GCC unroll 4
  for (int64_t i = 0; i < size; i += chunk, values += rows * chunk) {
    VI q[chunk / lanes];
#pragma GCC unroll 16
    for (int64_t j = 0; j < chunk / lanes; ++j) {
      q[j] = nearest(hn::Mul(hn::LoadU(d, x + i + j * lanes), inverse));
      sum = hn::Add(sum, q[j]);
    }
    Dot::store(q, values);
  }
  factors[0] = bad ? std::numeric_limits<float>::quiet_NaN() : most < smallest ? 0.0f : most / 127.0f;
  factors[rows] = factors[0] * static_cast<float>(hn::GetLane(hn::SumOfLanes(di, sum)));
}

template <class Dot, int64_t size>
void round_rows(const QuantizedGemm& g, int64_t first, int64_t last) {
  const Rounded<Dot> x(g);
  for (int64_t row = first; row < last; ++row) {
    const int64_t tile = row / x.step, r = row % x.step, rows = x.rows(tile);
    const float* from = g.a + row * g.a_stride;
    auto* values = x.values(tile, 0) + r * chunk;
    float* factors = x.factors(tile, 0) + r;
    for (int64_t at = 0; at < x.groups; ++at, from += size, values += size * rows, factors += 2 * rows)
      round_group<Dot, size>(from, rows, values, factors);
  }
}

template <class Dot>
void prepare(const QuantizedGemm& g, int64_t first, int64_t last) {
  if (g.shape.group == 32) return round_rows<Dot, 32>(g, first, last);
  if (g.shape.group == 64) return round_rows<Dot, 64>(g, first, last);
  round_rows<Dot, 128>(g, first, last);
}

// A tile of C: rows by one panel, over some groups.
struct Part {
  const std::byte* values;
  const float* factors;
  const std::byte* weight;
  int64_t groups, chunks;  // chunks of a group
  const float* start;      // rows of what the sums start with; null: zeros
  int64_t start_stride;
  float* c;
  int64_t c_stride, columns;
};

template <class F>
HWY_INLINE void each_column(int64_t columns, F f) {
  const D d;
#pragma GCC unroll 16
  for (int v = 0; v < panel_vectors; ++v) {
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

// Sums of integers; several to a result where few rows would leave a dot waiting for the one before.
template <class Dot, int Rows>
struct Sums {
  static constexpr int splits = Rows == 1 ? Dot::latency : Rows <= 3 ? (Dot::latency + 1) / 2 : 1;
  VI at[splits][Rows][panel_vectors];

  HWY_INLINE Sums() {
#pragma GCC unroll 16
    for (int s = 0; s < splits; ++s)
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (int v = 0; v < panel_vectors; ++v) at[s][r][v] = hn::Zero(DI());
  }
  HWY_INLINE VI total(int r, int v) const {
    VI sum = at[0][r][v];
#pragma GCC unroll 16
    for (int s = 1; s < splits; ++s) sum = hn::Add(sum, at[s][r][v]);
    return sum;
  }
};

// Adds 32 inputs.
template <class Dot, int Bits, int Rows>
HWY_INLINE void add_chunk(const std::byte* weight, const std::byte* x, Sums<Dot, Rows>& sums) {
  constexpr int parts = Dot::template parts<Bits>, row_bytes = chunk * sizeof(typename Dot::Value);
  Sums<Dot, Rows> narrow;
  auto& to = Dot::is_narrow ? narrow : sums;
#pragma GCC unroll 16
  for (int at = 0; at < Bits; ++at) {  // 64 bytes each
    VU bytes[panel_vectors];
#pragma GCC unroll 16
    for (int v = 0; v < panel_vectors; ++v)
      bytes[v] = hn::LoadU(DU(), reinterpret_cast<const uint32_t*>(weight + at * 64 + v * lanes * 4));
    auto add_part = [&](auto part) HWY_ATTR {
      VU w[panel_vectors];
#pragma GCC unroll 16
      for (int v = 0; v < panel_vectors; ++v) w[v] = Dot::template part<Bits, decltype(part)::value>(bytes[v]);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (int v = 0; v < panel_vectors; ++v) {
          const int word = at * parts + decltype(part)::value;
          VI& sum = to.at[word % to.splits][r][v];
          sum = Dot::add(sum, w[v], x + r * row_bytes + word * 4);
        }
    };
    [&]<int... Index>(std::integer_sequence<int, Index...>) HWY_ATTR {
      (add_part(std::integral_constant<int, Index>()), ...);
    }
    (std::make_integer_sequence<int, parts>());
  }
  if constexpr (Dot::is_narrow)
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < panel_vectors; ++v) sums.at[0][r][v] = Dot::widen(sums.at[0][r][v], narrow.at[0][r][v]);
}

template <class Dot, int Bits, int Rows>
void micro(const Part& t) {
  constexpr int N = panel_vectors;
  const D d;
  V out[Rows][N];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v) out[r][v] = hn::Zero(d);
  each_column(t.columns, [&](int v, auto load, auto) HWY_ATTR {
    if (!t.start) return;
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) out[r][v] = load(t.start + r * t.start_stride);
  });
  const std::byte *weight = t.weight, *x = t.values;
  const float* factors = t.factors;
  for (int64_t group = 0; group < t.groups; ++group, factors += 2 * Rows) {
    Sums<Dot, Rows> sums;
    for (int64_t i = 0; i < t.chunks; ++i) {
      // One row waits for memory alone: further ahead than the processor looks by itself.
      if constexpr (Rows == 1)
#pragma GCC unroll 16
        for (int at = 0; at < Bits; ++at) __builtin_prefetch(weight + at * 64 + ahead, 0, 2);
      add_chunk<Dot, Bits, Rows>(weight, x, sums);
      weight += Bits * 64;
      x += Rows * chunk * sizeof(typename Dot::Value);
    }
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v) {
      const auto* tail = reinterpret_cast<const float*>(weight) + v * lanes;
      const V scale = hn::LoadU(d, tail), bias = hn::LoadU(d, tail + 16);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const V total = hn::ConvertTo(d, sums.total(r, v));
        out[r][v] = hn::MulAdd(total, hn::Mul(scale, hn::Set(d, factors[r])), out[r][v]);
        out[r][v] = hn::MulAdd(bias, hn::Set(d, factors[Rows + r]), out[r][v]);
      }
    }
    weight += 2 * panel_width * 4;
  }
  each_column(t.columns, [&](int v, auto, auto store) HWY_ATTR {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) store(out[r][v], t.c + r * t.c_stride);
  });
}

using Micro = void (*)(const Part&);
template <class Dot, int Bits, size_t... Row>
Micro micro_for(int64_t rows, std::index_sequence<Row...>) {
  static constexpr Micro table[] = {micro<Dot, Bits, Row + 1>...};
  return table[rows - 1];
}

constexpr int64_t k_block = 512;  // a panel of it stays in the first-level cache

// Brings part `index` of `count` of what is read next near.
void look_ahead(const std::byte* next, int64_t bytes, int64_t index, int64_t count) {
  for (int64_t at = index * bytes / count / 64 * 64; at < (index + 1) * bytes / count; at += 64)
    __builtin_prefetch(next + at, 0, 2);
}

template <class Dot, int Bits>
void multiply(const QuantizedGemm& g, int64_t first_row, int64_t last_row, int64_t first_panel, int64_t last_panel) {
  const Rounded<Dot> x(g);
  const PackedLayout layout(g.shape);
  const int64_t first = first_row / x.step, tiles = (last_row + x.step - 1) / x.step - first;
  const int64_t step = tiles == 1 ? std::max<int64_t>(x.groups, 1) : k_block / g.shape.group;
  // What a block of inputs leaves to the next one. Not in C, rows of which may compete for places in the caches.
  alignas(64) float sums[max_block_rows * panel_width];
  for (int64_t panel = first_panel; panel < last_panel; ++panel)
    for (int64_t group = 0; group == 0 || group < x.groups; group += step) {
      const bool is_last = group + step >= x.groups;
      const int64_t here = std::min(step, x.groups - group), column = panel * panel_width;
      const std::byte* weight = g.weight + panel * layout.panel_bytes + group * layout.group_bytes;
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t tile = first + i, row = tile * x.step;
        float* kept = sums + i * x.step * panel_width;
        if (tiles > 1) look_ahead(weight + here * layout.group_bytes, here * layout.group_bytes, i, tiles);
        const Part part{reinterpret_cast<const std::byte*>(x.values(tile, group * g.shape.group)),
                        x.factors(tile, group),
                        weight,
                        here,
                        g.shape.group / chunk,
                        group > 0 ? kept
                        : g.bias  ? g.bias + column
                                  : nullptr,
                        group > 0 ? panel_width : 0,
                        is_last ? g.c + row * g.c_stride + column : kept,
                        is_last ? g.c_stride : panel_width,
                        std::min(panel_width, g.shape.n - column)};
        micro_for<Dot, Bits>(x.rows(tile), std::make_index_sequence<Dot::max_rows>{})(part);
      }
    }
}

}  // namespace

template <class Dot, int Bits>
constexpr QuantizedFunctions functions_of{true, row_step<Dot>, prepare<Dot>, multiply<Dot, Bits>};

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

QuantizedFunctions block_functions(int64_t bits) {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(block_functions)(bits, uses_int8_dots());
}

}  // namespace godwit::kernels
#endif

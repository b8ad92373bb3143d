#include "kernels/gemm.h"

#include <algorithm>
#include <cstring>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/half-inl.h"
#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// The sums of a tile, a vector row of B and one element of A have to fit into the vector registers, and the addresses
// of its rows into the others: twelve rows make a compiler fetch some of them anew each step.
#if HWY_TARGET == HWY_AVX2
constexpr int64_t max_vectors = 2;
constexpr int max_rows[] = {12, 6};  // of panels of one vector, of two ...
#else
constexpr int64_t max_vectors = 4;
constexpr int max_rows[] = {12, 10, 8, 6};
#endif

// Few rows leave too few independent sums to hide the latency of a fused multiply-add: k is then split.
template <int Rows>
constexpr int splits = Rows == 1   ? 4
                       : Rows <= 3 ? 2
                                   : 1;

// A panel of B, from the row that a tile starts at, and what comes after it.
template <class T>
struct PanelPart {
  const T* b;
  const std::byte* ahead;
  int64_t ahead_step, column;
};

// Rows x Vectors sums stay in registers over the whole of k.
template <class T, int Rows, int Vectors>
void micro(const Tile& t, const PanelPart<T>& part) {
  constexpr int S = splits<Rows>;
  const D d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  V sum[S][Rows][Vectors];
  // Sums start from the bias; rows of C are brought near meanwhile. What is there already is added at the end: one
  // chain over all parts of k would lose digits.
  auto start = [&](auto load) HWY_ATTR {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const int64_t at = part.column + v * lanes;
      const V bias = t.bias && !t.accumulate ? load(t.bias + at, v) : hn::Zero(d);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) sum[0][r][v] = bias;
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(t.c[r] + part.column + v * lanes, 1, 3);
  };
  auto finish = [&](auto load, auto store) HWY_ATTR {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        float* c = t.c[r] + part.column + v * lanes;
        store(t.accumulate ? hn::Add(sum[0][r][v], load(c, v)) : sum[0][r][v], c, v);
      }
  };
  // Only the last vector of the last panel may reach over the end.
  const int64_t rest = t.n - part.column - (Vectors - 1) * lanes;
  const bool whole = rest >= lanes;
  const auto mask = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(rest, 0, lanes)));
  auto load_whole = [&](const float* p, int) HWY_ATTR { return hn::LoadU(d, p); };
  auto load_part = [&](const float* p, int v)
                       HWY_ATTR { return v < Vectors - 1 ? hn::LoadU(d, p) : hn::MaskedLoad(mask, d, p); };
  whole ? start(load_whole) : start(load_part);
#pragma GCC unroll 16
  for (int s = 1; s < S; ++s)
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[s][r][v] = hn::Zero(d);
  auto step = [&](const float* const* a, int64_t k, const T* row, int s) HWY_ATTR {
    V x[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) x[v] = load_float(d, row + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const V w = hn::Set(d, a[r][k]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[s][r][v] = hn::MulAdd(w, x[v], sum[s][r][v]);
    }
  };
  constexpr int64_t width = lanes * Vectors;
  const T* b = part.b;
  const std::byte* ahead = part.ahead;
  for (int64_t segment = 0; segment < t.segments; ++segment) {
    const float* a[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) a[r] = t.a[segment * t.rows + r];
    int64_t k = 0;
    for (; k + S <= t.segment; k += S) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) step(a, k + s, b + s * width, s);
      __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(b + 8 * width + v * lanes, 0, 3);
      ahead += S * part.ahead_step;
      b += S * width;
    }
    for (; k < t.segment; ++k, b += width) step(a, k, b, 0);
  }
#pragma GCC unroll 4
  for (int s = 1; s < S; ++s)
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[0][r][v] = hn::Add(sum[0][r][v], sum[s][r][v]);
  if (whole)
    finish(load_whole, [&](V x, float* p, int) HWY_ATTR { hn::StoreU(x, d, p); });
  else
    finish(load_part, [&](V x, float* p, int v)
                          HWY_ATTR { v < Vectors - 1 ? hn::StoreU(x, d, p) : hn::BlendedStore(x, mask, d, p); });
}

template <class T>
using Micro = void (*)(const Tile&, const PanelPart<T>&);
template <class T, int Vectors, size_t... Row>
Micro<T> micro_for(int rows, std::index_sequence<Row...>) {
  static constexpr Micro<T> table[] = {micro<T, Row + 1, Vectors>...};
  return table[rows - 1];
}
template <class T, int Vectors>
Micro<T> micro_for(int rows) {
  return micro_for<T, Vectors>(rows, std::make_index_sequence<static_cast<size_t>(max_rows[Vectors - 1])>{});
}
template <class T>
Micro<T> micro_for(int rows, int64_t vectors) {
  if (vectors == 1) return micro_for<T, 1>(rows);
  if (vectors == 2) return micro_for<T, 2>(rows);
#if HWY_TARGET != HWY_AVX2
  if (vectors == 3) return micro_for<T, 3>(rows);
#endif
  return micro_for<T, max_vectors>(rows);
}

}  // namespace

int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

// Vectors of a panel: three give the most products a load; four vectors are one panel, and up to two make a narrow one,
// which leaves room for more rows.
int64_t widest(int64_t vectors) {
  if (vectors == 4) return max_vectors;
  return std::min<int64_t>(max_vectors, vectors <= 2 ? 2 : 3);
}

// The columns' vectors are spread evenly over panels.
struct Panels {
  explicit Panels(int64_t n)
      : width(lanes()),
        vectors(static_cast<uint32_t>((n + width - 1) / width)),
        count((vectors + static_cast<uint32_t>(widest(vectors)) - 1) / static_cast<uint32_t>(widest(vectors))),
        small(count ? vectors / count : 0),
        large(vectors - small * count) {}
  int64_t width;
  uint32_t vectors, count, small, large;  // the first `large` panels have one vector more
  int64_t vectors_of(int64_t panel) const { return small + (panel < large); }
  int64_t start(int64_t panel) const { return (panel * small + std::min<int64_t>(panel, large)) * width; }
};

int64_t count_panels(int64_t n) { return Panels(n).count; }
int rows_of_tile(int64_t n) { return max_rows[widest(std::max<int64_t>(Panels(n).vectors, 1)) - 1]; }
int64_t start_of_panel(int64_t n, int64_t panel) { return std::min(n, Panels(n).start(panel)); }

template <class T>
void run_tile_of(const Tile& t, int64_t first, int64_t last) {
  const Panels panels(t.n);
  auto at = [&](int64_t panel, int64_t row) {
    return static_cast<const T*>(t.b.data) + panels.start(panel) * t.k + row * panels.vectors_of(panel) * panels.width;
  };
  for (int64_t p = first; p < last; ++p) {
    PanelPart<T> part{at(p, t.k0), nullptr, 0, panels.start(p)};
    part.ahead = reinterpret_cast<const std::byte*>(part.b);
    if (const Ahead& next = t.ahead; next.panel >= 0) {
      const auto item = static_cast<int64_t>(sizeof(T));
      part.ahead_step = (panels.vectors_of(next.panel) * panels.width * item + next.count - 1) / next.count;
      part.ahead = reinterpret_cast<const std::byte*>(at(next.panel, next.k0)) +
                   next.index * part.ahead_step * t.segments * t.segment;
    }
    micro_for<T>(t.rows, panels.vectors_of(p))(t, part);
  }
}

void run_tile(const Tile& t, int64_t first, int64_t last) {
  if (t.b.type == DType::f16) return run_tile_of<F16>(t, first, last);
  if (t.b.type == DType::bf16) return run_tile_of<BF16>(t, first, last);
  run_tile_of<float>(t, first, last);
}

#if HWY_TARGET != HWY_SCALAR
// Four columns of B, contiguous in memory and column_stride apart, to four rows of four.
void transpose4(const float* b, int64_t column_stride, float* out, int64_t width) {
  const hn::Full128<float> d;
  const auto c0 = hn::LoadU(d, b), c1 = hn::LoadU(d, b + column_stride);
  const auto c2 = hn::LoadU(d, b + 2 * column_stride), c3 = hn::LoadU(d, b + 3 * column_stride);
  const auto low01 = hn::InterleaveLower(d, c0, c1), high01 = hn::InterleaveUpper(d, c0, c1);
  const auto low23 = hn::InterleaveLower(d, c2, c3), high23 = hn::InterleaveUpper(d, c2, c3);
  hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, out);
  hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, out + width);
  hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, out + 2 * width);
  hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, out + 3 * width);
}

void transpose4(const uint16_t* b, int64_t column_stride, uint16_t* out, int64_t width) {
  const hn::Full64<uint16_t> d;
  const hn::Full64<uint32_t> pairs;
  const auto c0 = hn::LoadU(d, b), c1 = hn::LoadU(d, b + column_stride);
  const auto c2 = hn::LoadU(d, b + 2 * column_stride), c3 = hn::LoadU(d, b + 3 * column_stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, c0, c1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, c2, c3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, c0, c1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, c2, c3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, out + width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, out + 2 * width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, out + 3 * width);
}
#endif

// Rows of B that are columns in memory.
template <class T>
void pack_transposed(const T* b, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns, T* out,
                     int64_t width) {
  int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  const int64_t whole = row_stride == 1 ? rows / 4 * 4 : 0;
  for (; c + 4 <= columns && whole > 0; c += 4) {
    for (int64_t r = 0; r < whole; r += 4)
      transpose4(b + r + c * column_stride, column_stride, out + r * width + c, width);
    for (int64_t r = whole; r < rows; ++r)
      for (int64_t i = c; i < c + 4; ++i) out[r * width + i] = b[r * row_stride + i * column_stride];
  }
#endif
  for (; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r) out[r * width + c] = b[r * row_stride + c * column_stride];
}

// Rows [first, last) of all panels.
template <class T>
void pack_rows(const T* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, int64_t first, int64_t last,
               T* packed) {
  const Panels panels(n);
  b += first * row_stride;
  for (int64_t panel = 0; panel < panels.count; ++panel) {
    const int64_t start = panels.start(panel), width = panels.vectors_of(panel) * panels.width;
    const int64_t here = std::min(width, n - start);
    const T* from = b + start * column_stride;
    T* out = packed + start * k + first * width;
    if (column_stride == 1) {
      for (int64_t row = 0; row < last - first; ++row)
        std::memcpy(out + row * width, from + row * row_stride, static_cast<size_t>(here) * sizeof(T));
    } else {
      pack_transposed(from, row_stride, column_stride, last - first, here, out, width);
    }
    for (int64_t row = 0; row < last - first && here < width; ++row)
      std::fill(out + row * width + here, out + (row + 1) * width, T{});
  }
}

GemmFunctions gemm_functions() {
  return {lanes(), rows_of_tile, count_panels, start_of_panel, run_tile, pack_rows<float>, pack_rows<uint16_t>};
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(gemm_functions);

namespace {

GemmFunctions functions() {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(gemm_functions)();
}

}  // namespace

int64_t panel_count(int64_t n) { return functions().panel_count(n); }
int64_t panel_start(int64_t n, int64_t panel) { return functions().panel_start(n, panel); }

int64_t packed_size(int64_t k, int64_t n) {
  const int64_t width = functions().lanes;
  return k * ((n + width - 1) / width * width);
}

TileKernel tile_kernel() { return functions().tile; }
int tile_rows(int64_t n) { return functions().rows(n); }

namespace {

template <class T, class Rows>
void pack_chunks(Rows rows, const T* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, T* packed,
                 ThreadPool* pool) {
  constexpr int64_t chunk = 64;  // of B's rows: a panel's part stays in the first-level cache
  auto part = [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c)
      rows(b, row_stride, column_stride, k, n, c * chunk, std::min(k, (c + 1) * chunk), packed);
  };
  const int64_t chunks = (k + chunk - 1) / chunk;
  if (pool && k * n > 1 << 15)
    pool->parallel_for(chunks, 1, part);
  else
    part(0, chunks);
}

}  // namespace

void pack(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, float* packed,
          ThreadPool* pool) {
  pack_chunks(functions().pack_rows, b, row_stride, column_stride, k, n, packed, pool);
}

void pack(DType type, const void* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, void* packed,
          ThreadPool* pool) {
  if (type == DType::f32)
    return pack(static_cast<const float*>(b), row_stride, column_stride, k, n, static_cast<float*>(packed), pool);
  pack_chunks(functions().pack_half_rows, static_cast<const uint16_t*>(b), row_stride, column_stride, k, n,
              static_cast<uint16_t*>(packed), pool);
}

namespace {

constexpr int64_t k_block = 1024;           // 8 rows of A stay in the first-level cache
constexpr int64_t a_block_bytes = 3 << 18;  // and a block of rows in the second
// What is finished by others should still be near: in the second-level cache, or nearly in the first where all of B is
// close enough to be read again for every block of rows.
constexpr int64_t c_block_bytes = 1 << 19, small_c_block_bytes = 1 << 16, small_b_bytes = 1 << 18;
constexpr int64_t least_rows = 64;

// Rows [first, last) of panels [left, right), all of k.
void block(const Gemm& g, TileKernel kernel, int tile_rows, int64_t first, int64_t last, int64_t left, int64_t right) {
  const int64_t tiles = (last - first + tile_rows - 1) / tile_rows;
  for (int64_t k0 = 0; k0 < g.k || k0 == 0; k0 += k_block) {
    const int64_t segment = std::min(k_block, g.k - k0);
    for (int64_t panel = left; panel < right; ++panel)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t r0 = first + tile * (last - first) / tiles, r1 = first + (tile + 1) * (last - first) / tiles;
        const float* a[max_tile_rows];
        float* c[max_tile_rows];
        for (int64_t r = r0; r < r1; ++r) a[r - r0] = g.a + r * g.a_stride + k0, c[r - r0] = g.c + r * g.c_stride;
        Tile part{static_cast<int>(r1 - r0), a, 1, segment, g.b, g.n, g.bias, c, k0 > 0, k0, g.k};
        if (panel + 1 < right) part.ahead = {panel + 1, k0, tile, tiles};
        kernel(part, panel, panel + 1);
      }
  }
}

}  // namespace

void gemm(const Gemm& g, ThreadPool& pool, const Done& done) {
  if (g.m <= 0 || g.n <= 0) return;
  const TileKernel kernel = tile_kernel();
  const int tile_rows = kernels::tile_rows(g.n);
  const int64_t panels = panel_count(g.n);
  const int64_t depth = std::max<int64_t>(std::min(g.k, k_block), 1);
  int64_t rows = std::clamp<int64_t>(a_block_bytes / (depth * 4) / tile_rows * tile_rows, 4 * tile_rows, 512);
  if (done) {
    const int64_t bytes = g.k * g.n * 4 <= small_b_bytes ? small_c_block_bytes : c_block_bytes;
    const int64_t most = std::max(least_rows, bytes / (g.n * 4)) / tile_rows * tile_rows;
    rows = std::min(rows, most);
  }
  const int64_t wanted = pool.threads() * 2;  // parts of work
  if ((g.m + rows - 1) / rows < wanted)
    rows = std::max<int64_t>((g.m / wanted + tile_rows - 1) / tile_rows, 4) * tile_rows;
  const int64_t row_blocks = (g.m + rows - 1) / rows;
  const int64_t column_blocks = std::min(panels, row_blocks >= wanted ? 1 : (wanted + row_blocks - 1) / row_blocks);
  const double work = 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  const int64_t parts = row_blocks * column_blocks;
  const int64_t grain =
      std::max<int64_t>(1, static_cast<int64_t>(4e5 * static_cast<double>(parts) / std::max(work, 1.0)));
  pool.parallel_for(parts, std::min(grain, parts), [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      const int64_t r0 = part / column_blocks * rows, r1 = std::min(g.m, r0 + rows);
      const int64_t at = part % column_blocks;
      const int64_t left = at * panels / column_blocks, right = (at + 1) * panels / column_blocks;
      block(g, kernel, tile_rows, r0, r1, left, right);
      if (done) done(r0, r1, panel_start(g.n, left), panel_start(g.n, right));
    }
  });
}

}  // namespace godwit::kernels
#endif

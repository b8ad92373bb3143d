// Many rows by quantised weights with AMX: weights are unpacked to bfloat16 for a part of the columns and inputs at a
// time, and multiplied in tiles of 16 x 16 results.
//
// Tiles of int8 would be twice as fast to multiply, but a tile is done with a group after one or two instructions, and
// to scale its sums then costs more than it saves: bfloat16 sums stay in the tiles.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "kernels/quantized_layout.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC's own headers
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#define GODWIT_TILES __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16")))

namespace godwit::kernels {
namespace {

constexpr int64_t tile = 16, tile_inputs = 32, tile_size = tile * tile_inputs;
constexpr int64_t k_block = 512,
                  block_steps = k_block / tile_inputs;  // a block of weights stays in the first-level cache

// float32 to the nearest bfloat16, in the high half of each lane.
GODWIT_TILES inline __m512i rounded(__m512 x) {
  return _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
}

// The high halves of two vectors, alternating.
GODWIT_TILES inline __m512i paired(__m512i even, __m512i odd) {
  return _mm512_mask_mov_epi16(_mm512_srli_epi32(even, 16), 0xaaaaaaaau, odd);
}

// Two neighbouring vectors as 32 bfloat16 in order.
GODWIT_TILES inline __m512i joined(__m512i low, __m512i high) {
  alignas(64) static constexpr uint16_t odd[] = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
                                                 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
  return _mm512_permutex2var_epi16(low, _mm512_load_si512(odd), high);
}

// Rows of A as tiles: 16 rows of 32 inputs each, all inputs of 16 rows in a row. Rows behind the last are zero.
GODWIT_TILES void prepare(const QuantizedGemm& g, int64_t first, int64_t last) {
  constexpr int not_finite = 0x99;  // quiet and signalling NaN, both infinities
  const int64_t steps = g.shape.k / tile_inputs;
  auto* tiles = reinterpret_cast<uint16_t*>(g.scratch);
  // Finite numbers stay so.
  const __m512 most = _mm512_castsi512_ps(_mm512_set1_epi32(0x7f7f0000));
  const __m512 least = _mm512_sub_ps(_mm512_setzero_ps(), most);
  const int64_t end = last == g.m ? (g.m + tile - 1) / tile * tile : last;
  for (int64_t row = first; row < end; ++row) {
    uint16_t* out = tiles + row / tile * tile * g.shape.k + row % tile * tile_inputs;
    const float* x = g.a + row * g.a_stride;
    __mmask16 bad = 0;
    for (int64_t s = 0; s < steps; ++s) {
      __m512i both = _mm512_setzero_si512();
      if (row < g.m) {
        const __m512 low = _mm512_loadu_ps(x + s * tile_inputs), high = _mm512_loadu_ps(x + s * tile_inputs + 16);
        bad |= _mm512_fpclass_ps_mask(low, not_finite) | _mm512_fpclass_ps_mask(high, not_finite);
        both = joined(rounded(_mm512_max_ps(_mm512_min_ps(low, most), least)),
                      rounded(_mm512_max_ps(_mm512_min_ps(high, most), least)));
      }
      _mm512_store_si512(out + s * tile_size, both);
    }
    if (bad) out[0] = 0x7fc0;  // a NaN reaches every output of the row
  }
}

// Four inputs of 16 outputs, a byte each, as two rows of a tile.
GODWIT_TILES inline void unpack_four(__m512i bytes, __m512 scale, __m512 bias, uint16_t* out) {
  const __m512i low = _mm512_set1_epi32(0xff);
  const __m512i q[] = {_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_srli_epi32(bytes, 16), low),
                       _mm512_and_si512(_mm512_srli_epi32(bytes, 8), low), _mm512_srli_epi32(bytes, 24)};
  __m512i w[4];
  for (int i = 0; i < 4; ++i) w[i] = rounded(_mm512_fmadd_ps(_mm512_cvtepi32_ps(q[i]), scale, bias));
  _mm512_store_si512(out, paired(w[0], w[1]));
  _mm512_store_si512(out + 32, paired(w[2], w[3]));
}

// Groups of a panel, from `from` on.
GODWIT_TILES void unpack(const PackedLayout& layout, int64_t bits, const std::byte* from, int64_t groups,
                         uint16_t* out) {
  const __m512i nibble = _mm512_set1_epi8(0xf);
  for (int64_t group = 0; group < groups; ++group, from += layout.group_bytes) {
    const __m512 scale = _mm512_loadu_ps(from + layout.numbers), bias = _mm512_loadu_ps(from + layout.numbers + 64);
    for (int64_t at = 0; at < layout.numbers; at += 64) {
      const __m512i bytes = _mm512_loadu_si512(from + at);
      if (bits == 8) {
        unpack_four(bytes, scale, bias, out);
        out += 64;
      } else {
        unpack_four(_mm512_and_si512(bytes, nibble), scale, bias, out);
        unpack_four(_mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble), scale, bias, out + 64);
        out += 128;
      }
    }
  }
}

// Adds 32 x 32 results to `sums`, four tiles; or 16 x 32, where `one` row of tiles is left.
GODWIT_TILES void multiply_block(const uint16_t* a, int64_t a_step, const uint16_t* b, int64_t steps, bool one,
                                 bool is_first, float* sums) {
  constexpr int64_t next = tile * tile;
  const uint16_t *a1 = a + a_step, *b1 = b + k_block * tile;
  asm volatile("" ::: "memory");  // loads of tiles do not tell the compiler that they read memory
  if (is_first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + next, 64);
    _tile_loadd(2, sums + 2 * next, 64);
    _tile_loadd(3, sums + 3 * next, 64);
  }
  if (one) a1 = a;  // what it gives is not asked for
  for (int64_t s = 0; s < steps; ++s) {
    _tile_loadd(4, a + s * tile_size, 64);
    _tile_loadd(6, b + s * tile_size, 64);
    _tile_loadd(7, b1 + s * tile_size, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if (one) continue;
    _tile_loadd(5, a1 + s * tile_size, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + next, 64);
  _tile_stored(2, sums + 2 * next, 64);
  _tile_stored(3, sums + 3 * next, 64);
}

// Sums of panels [left, right) to C. Pairs of panels lie after one another, each 32 rows by 32 columns at a time.
GODWIT_TILES void write_out(const QuantizedGemm& g, int64_t first_row, int64_t last_row, int64_t left, int64_t right,
                            const float* sums, int64_t pair_size) {
  for (int64_t row = first_row; row < last_row; ++row) {
    const int64_t i = row - first_row;
    const float* tiles = sums + i / tile * 2 * tile * tile + i % tile * tile;
    for (int64_t panel = left; panel < right; ++panel) {
      const int64_t column = panel * tile, rest = g.shape.n - column, p = panel - left;
      const auto mask = static_cast<__mmask16>(rest >= tile ? 0xffff : (1 << rest) - 1);
      const __m512 bias = g.bias ? _mm512_maskz_loadu_ps(mask, g.bias + column) : _mm512_setzero_ps();
      const __m512 sum = _mm512_load_ps(tiles + p / 2 * pair_size + p % 2 * tile * tile);
      _mm512_mask_storeu_ps(g.c + row * g.c_stride + column, mask, _mm512_add_ps(sum, bias));
    }
  }
}

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr int64_t sum_panels = 16;  // their sums and the rows of a block of inputs stay in the second-level cache
struct alignas(64) Sums {
  float values[max_block_rows * sum_panels * tile];
};

GODWIT_TILES void multiply(const QuantizedGemm& g, int64_t first_row, int64_t last_row, int64_t first_panel,
                           int64_t last_panel) {
  static constexpr TileConfig config;  // not on the stack: the load does not tell the compiler all that it reads
  _tile_loadconfig(&config);
  static thread_local const auto sums = std::make_unique_for_overwrite<Sums>();
  const PackedLayout layout(g.shape);
  const auto* a = reinterpret_cast<const uint16_t*>(g.scratch);
  alignas(64) uint16_t b[2 * k_block * tile];
  const int64_t pair_size = (last_row - first_row + 2 * tile - 1) / (2 * tile) * 4 * tile * tile;
  for (int64_t left = first_panel; left < last_panel; left += sum_panels) {
    const int64_t right = std::min(left + sum_panels, last_panel);
    for (int64_t k = 0; k == 0 || k < g.shape.k; k += k_block) {
      const int64_t inputs = std::min(k_block, g.shape.k - k), groups = inputs / g.shape.group;
      for (int64_t panel = left; panel < right; panel += 2) {
        const std::byte* weight = g.weight + panel * layout.panel_bytes + k / g.shape.group * layout.group_bytes;
        float* to = sums->values + (panel - left) / 2 * pair_size;
        unpack(layout, g.shape.bits, weight, groups, b);
        if (panel + 1 < last_panel)
          unpack(layout, g.shape.bits, weight + layout.panel_bytes, groups, b + k_block * tile);
        for (int64_t row = first_row; row < last_row; row += 2 * tile, to += 4 * tile * tile)
          multiply_block(a + row * g.shape.k + k * tile, tile * g.shape.k, b, inputs / tile_inputs,
                         row + tile >= last_row, k == 0, to);
      }
    }
    write_out(g, first_row, last_row, left, right, sums->values, pair_size);
  }
  _tile_release();
}

}  // namespace

QuantizedFunctions tile_functions() {
  return {false, [](int64_t) -> int64_t { return 2 * tile; }, prepare, multiply};
}

}  // namespace godwit::kernels

#else

namespace godwit::kernels {

QuantizedFunctions tile_functions() { raise<InternalError>("this processor has no tiles"); }

}  // namespace godwit::kernels

#endif

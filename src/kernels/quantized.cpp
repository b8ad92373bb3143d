#include "kernels/quantized.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/isa.h"
#include "kernels/quantized_layout.h"

namespace godwit::kernels {
namespace {

constexpr int64_t few_rows = 32;  // with fewer, unpacking weights for tiles takes longer than the product

QuantizedFunctions functions(int64_t rows, int64_t bits) {
  choose_isa();
  if (rows >= few_rows && uses_tiles()) return tile_functions();
  return block_functions(bits);
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

// Panels of C after which its block is handed on, while the caches still hold it.
constexpr int64_t done_panels = 16;

// Rows of C that are rounded together and multiplied in parts of columns.
void by_columns(const QuantizedGemm& g, const QuantizedFunctions& f, int64_t first_row, ThreadPool& pool,
                const Done& done) {
  const int64_t row_step = f.row_step(g.m), steps = (g.m + row_step - 1) / row_step;
  pool.parallel_for(steps, 1 + (1 << 15) / (row_step * g.shape.k + 1), [&](int64_t first, int64_t last) {
    f.prepare(g, first * row_step, std::min(g.m, last * row_step));
  });
  const int64_t panels = PackedLayout(g.shape).panels, pairs = (panels + 1) / 2;
  const int64_t wanted = pool.threads() * 4;
  const int64_t column_parts = std::min(pairs, wanted);
  const int64_t row_parts = std::min({wanted / column_parts, steps, (g.m + 31) / 32});
  const int64_t parts = column_parts * row_parts;
  const double work = 2.0 * static_cast<double>(g.m) * static_cast<double>(g.shape.n) * static_cast<double>(g.shape.k);
  const auto grain = static_cast<int64_t>(1e6 * static_cast<double>(parts) / std::max(work, 1.0));
  pool.parallel_for(parts, std::clamp<int64_t>(grain, 1, parts), [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      const int64_t rows = part / column_parts, columns = part % column_parts;
      const int64_t r0 = rows * steps / row_parts * row_step;
      const int64_t r1 = std::min(g.m, (rows + 1) * steps / row_parts * row_step);
      const int64_t p0 = columns * pairs / column_parts * 2,
                    p1 = std::min(panels, (columns + 1) * pairs / column_parts * 2);
      f.multiply(g, r0, r1, p0, p1);
      if (done) done(first_row + r0, first_row + r1, p0 * panel_width, std::min(g.shape.n, p1 * panel_width));
    }
  });
}

std::byte* thread_scratch(size_t bytes) {
  static thread_local std::vector<std::byte> room;
  if (room.size() < bytes + 64) room.resize(bytes + 64);
  return room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64;
}

// Parts of many rows, each rounded by the thread that multiplies it: nobody waits, and what was rounded stays near.
void by_rows(const QuantizedGemm& g, const QuantizedFunctions& f, int64_t parts, ThreadPool& pool, const Done& done) {
  const int64_t panels = PackedLayout(g.shape).panels;
  pool.parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      const int64_t r0 = part * g.m / parts, r1 = (part + 1) * g.m / parts;
      QuantizedGemm p = g;
      p.m = r1 - r0, p.a += r0 * g.a_stride, p.c += r0 * g.c_stride;
      p.scratch = thread_scratch(quantized_scratch(g.shape, p.m));
      f.prepare(p, 0, p.m);
      for (int64_t left = 0; left < panels; left += done_panels) {
        const int64_t right = std::min(panels, left + done_panels);
        f.multiply(p, 0, p.m, left, right);
        if (done) done(r0, r1, left * panel_width, std::min(g.shape.n, right * panel_width));
      }
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
  const QuantizedFunctions f = functions(g.m, g.shape.bits);
  constexpr int64_t fewest = 24, wanted = 128;  // rows of a part
  const int64_t threads = pool.threads();
  if (f.splits_rows && g.m >= fewest * threads) {
    const int64_t parts = std::max((g.m + wanted - 1) / wanted, std::min(4 * threads, g.m / fewest));
    return by_rows(g, f, parts / threads * threads, pool, done);
  }
  const int64_t blocks = (g.m + max_block_rows - 1) / max_block_rows;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first = i * g.m / blocks, last = (i + 1) * g.m / blocks;
    QuantizedGemm part = g;
    part.m = last - first, part.a += first * g.a_stride, part.c += first * g.c_stride;
    by_columns(part, f, first, pool, done);
  }
}

}  // namespace godwit::kernels

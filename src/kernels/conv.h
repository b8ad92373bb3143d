// Convolutions over three spatial axes (fewer: sizes of 1), channels last: x (N, D, H, W, C), y (N, D', H', W', F).
// Nothing is unrolled to columns: the tiles of the matrix product read the rows of the input where they lie.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/gemm.h"

namespace godwit::kernels {

using Three = std::array<int64_t, 3>;

// What one family of output points reads: point q reads x at q * in_stride + base + offset of every tap, and is written
// at q * out_stride + out_base. A convolution is one family; a transposed one is a family for each phase of its stride.
struct Taps {
  std::vector<Three> offsets;
  int64_t run = 1;  // taps that come in runs of this length lie side by side along W
  Three in_stride{1, 1, 1}, base{0, 0, 0}, out_stride{1, 1, 1}, out_base{0, 0, 0}, points{1, 1, 1};
  // Set by prepare(): the extent of the offsets along each axis, and each as a distance in x.
  Three lowest{0, 0, 0}, highest{0, 0, 0};
  std::vector<int64_t> distance;
};

struct Conv {
  int64_t batch, channels, filters, groups;
  Three in, out;
  const float* x;
  Packed weight;       // (taps * C / groups, F / groups) for each group; depthwise: as said there
  const float* bias;   // (F), may be null
  const float* zeros;  // run * C floats
  float* y;
};

void prepare(Taps& taps, const Conv& c);

// Calls done(first, last, left, right) with points of `taps` (of all items) and filters; points are rows of y only
// where out_stride is 1.
void conv(const Conv& c, const Taps& taps, ThreadPool& pool, const Done& done = nullptr);

// One filter a channel: weight (taps, C) in float32, not packed.
void depthwise_conv(const Conv& c, const Taps& taps, ThreadPool& pool, const Done& done = nullptr);

enum class Pool : uint8_t { max, sum };
// y = scale[point] * sum of what lies inside, or the maximum; `scale` has one entry for each point of an item.
void pool(const Conv& c, const Taps& taps, Pool kind, const float* scale, ThreadPool& pool);

}  // namespace godwit::kernels

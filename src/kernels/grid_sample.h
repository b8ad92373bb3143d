// Sampling at given places over two or three spatial axes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/rows.h"

namespace godwit::kernels {

// x (batch, spatial..., channels), grid (batch, places, d) with coordinates in [-1, 1], the last spatial axis first;
// y (batch, places, channels). All row-major f32, d is 2 or 3.
struct GridSample {
  enum class Mode : uint8_t { nearest, linear, cubic };
  enum class Padding : uint8_t { zeros, border, reflection };
  int64_t batch, places, channels;
  std::vector<int64_t> spatial;
  Mode mode;
  Padding padding;
  bool align_corners;

  void run(const float* x, const float* grid, float* y, ThreadPool& pool) const;

 private:
  struct Tap {
    int64_t index;  // -1: outside
    float weight;
  };
  int taps(float coordinate, int64_t size, Tap* out) const;
  float padded(float x, int64_t size) const;
  Tap tap_at(float x, int64_t size, float weight) const;
  void sample(const RowFunctions& f, const float* x, const float* place, float* y) const;
};

}  // namespace godwit::kernels

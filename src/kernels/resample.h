// Resampling along one axis: every result is a weighted sum of a few elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace godwit::kernels {

// Along the middle axis of (outer, in, inner), row-major, to (outer, out, inner). Without weights elements of `item`
// bytes (1, 2, 4, 8) are copied; else they are f32.
class Resample {
 public:
  // index and weight are (out, count); without weights count is 1. Indices lie inside of the axis.
  Resample(int64_t outer, int64_t in, int64_t inner, int64_t out, int count, std::vector<int32_t> index,
           std::vector<float> weight, size_t item);
  void run(const std::byte* x, std::byte* y, ThreadPool& pool) const;

 private:
  void rows(const float* x, float* y, ThreadPool& pool) const;
  void lines(const float* x, float* y, ThreadPool& pool) const;
  template <class T>
  void copy(const T* x, T* y, ThreadPool& pool) const;

  int64_t outer_, in_, inner_, out_;
  int count_;
  std::vector<int32_t> index_;  // (out, count); of lines (count, out * inner)
  std::vector<float> weight_;
  size_t item_;
  bool by_rows_;
};

}  // namespace godwit::kernels

// Orders within lines of elements: sorts, the first few, positions of extremes, places in a sorted line.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/thread_pool.h"

namespace godwit::kernels {

// f32, f16, bf16, i64, i32, u8, i8 and bool.
bool has_order(DType dtype);

// The first k of each line of n elements once it is sorted; equals keep their order, a NaN is above all numbers.
struct Sort {
  DType dtype;
  int64_t lines, n, k;
  bool descending;
  // `values` and `indices` hold k a line; either may be null.
  void run(const std::byte* x, std::byte* values, int64_t* indices, ThreadPool& pool) const;
};

// The position of the largest or smallest element of each line: of equals the first, or the last; a NaN is both.
struct ArgExtreme {
  DType dtype;
  int64_t lines, n;
  bool largest, last;
  void run(const std::byte* x, int64_t* out, ThreadPool& pool) const;
};

// For each of m values a line, how many elements of the sorted line are less (right: not greater).
struct SearchSorted {
  DType dtype;
  int64_t lines, n, m;
  bool right;
  bool ranks_nans;  // a NaN is above all numbers; else it is nowhere: 0
  void run(const std::byte* sequence, const std::byte* values, int64_t* out, ThreadPool& pool) const;
};

}  // namespace godwit::kernels

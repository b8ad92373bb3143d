// How a tensor lies in memory: concrete dimensions and strides.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"

namespace godwit::executors::plan {

using Ints = std::vector<int64_t>;

struct Layout {
  DType dtype = DType::f32;
  Ints shape, strides;  // strides in elements; 0 repeats
  int64_t offset = 0;   // of the first element in its buffer, in elements

  static Layout row_major(DType dtype, Ints shape);
  // Dense, with the axes in memory from slowest to fastest as given: {0, 2, 3, 1} is channels last.
  static Layout ordered(DType dtype, Ints shape, const std::vector<int>& axes);

  int rank() const { return static_cast<int>(shape.size()); }
  int64_t size() const;
  size_t nbytes() const { return static_cast<size_t>(size()) * item_size(dtype); }
  bool is_row_major() const;
  // No element twice and no gap: some order of the axes is row-major. `axes` gives that order.
  bool is_dense(std::vector<int>* axes = nullptr) const;
  bool same_strides(const Layout& other) const;  // axes of one element aside
};

Ints row_major_strides(const Ints& shape);
// Of the dimensions [first, last).
int64_t product(const Ints& shape, size_t first, size_t last);

// An axis that may count from the end.
inline int64_t positive(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

// Strides of the same elements under another shape; empty where that needs a copy.
bool reshaped(const Layout& from, const Ints& shape, Layout& to);

// A loop nest over several operands of one shape, with axes merged where every operand allows it.
struct Loops {
  Ints shape;
  std::vector<Ints> strides;  // of each operand
};
// Axes are taken from slowest to fastest by the strides of the first operand.
Loops merged(const Ints& shape, std::vector<Ints> strides);

}  // namespace godwit::executors::plan

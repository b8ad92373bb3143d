// Elements picked by integer indices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "base/thread_pool.h"

namespace godwit::kernels {

// out[i...] = x[i... . strides + sum over picks of index[i... . pick.strides] * pick.x_stride], out row-major over
// shape. Negative indices count from the end; those beyond stop at the last element.
struct Gather {
  struct Pick {
    DType dtype;                   // i64 or i32
    std::vector<int64_t> strides;  // of the indices, over shape
    int64_t x_stride, size;        // of the axis that is picked from
  };
  std::vector<int64_t> shape, strides;  // strides of x in elements; 0 along axes of the indices alone
  size_t item;
  std::vector<Pick> picks;

  void run(const std::byte* x, const std::byte* const* indices, std::byte* out, ThreadPool& pool) const;

 private:
  int64_t offset(int64_t row, const std::byte* const* indices) const;
  bool picks_vary_inside() const;
};

}  // namespace godwit::kernels

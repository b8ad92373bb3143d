// Running sums and products along an axis.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/thread_pool.h"

namespace godwit::kernels {

// Along the middle axis of (outer, n, inner), row-major; f32, i64 or i32. Integers wrap around.
struct Scan {
  DType dtype;
  int64_t outer, n, inner;
  bool product, exclusive, reverse;
  void run(const std::byte* x, std::byte* out, ThreadPool& pool) const;
};
bool has_scan(DType dtype);

}  // namespace godwit::kernels

// Elements put to places that integer indices name: the inverse of gather.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "kernels/gather.h"

namespace godwit::kernels {

// out[i... . strides + sum over picks of index * pick.x_stride] = updates[i... . update_strides], or joined with what
// is there, for i over `shape` in row-major order: of equal places the last one counts. Indices as in Gather.
struct Scatter {
  enum class Reduction : uint8_t { none, add, multiply, minimum, maximum };
  DType dtype;
  Reduction reduction = Reduction::none;
  std::vector<int64_t> shape, strides, update_strides;
  std::vector<Gather::Pick> picks;

  void run(const std::byte* updates, const std::byte* const* indices, std::byte* out) const;

  // Whether there is a kernel: any type where nothing is joined, else f32, i64 and i32.
  static bool has(DType dtype, Reduction reduction);

 private:
  template <class T, class Join>
  void each(const std::byte* updates, const std::byte* const* indices, std::byte* out, Join join) const;
  template <class T>
  void joined(const std::byte* updates, const std::byte* const* indices, std::byte* out) const;
};

}  // namespace godwit::kernels

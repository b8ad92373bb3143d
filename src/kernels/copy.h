// Copies between tensors of any strides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace godwit::kernels {

class Copy {
 public:
  // Strides in elements of `item` bytes (1, 2, 4, 8 or 16); axes from slowest to fastest of the destination.
  Copy(std::vector<int64_t> shape, std::vector<int64_t> from, std::vector<int64_t> to, size_t item);
  void run(const std::byte* from, std::byte* to, ThreadPool& pool) const;

 private:
  template <class T>
  void rows(const T* from, T* to, int64_t first, int64_t last) const;
  template <class T>
  void transpose(const T* from, T* to, int64_t first, int64_t last) const;
  int64_t strip_rows() const;
  template <class T>
  void run_as(const std::byte* from, std::byte* to, ThreadPool& pool) const;

  std::vector<int64_t> shape_, from_, to_;
  size_t item_;
  bool transposes_ = false;  // the last two axes swap: moved in blocks that stay in cache
};

}  // namespace godwit::kernels

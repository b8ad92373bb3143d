// Reading memory as fast as the machine can, for figures to compare kernels with.
#pragma once

#include <cstddef>
#include <cstdlib>

#include "base/error.h"
#include "base/thread_pool.h"

namespace godwit::bench {

constexpr size_t line = 64;

// Seconds of reading so many bytes, on cache lines, with all threads of the pool.
double read(const std::byte* from, size_t bytes, ThreadPool& pool);

struct Buffer {
  explicit Buffer(size_t bytes)
      : at(static_cast<std::byte*>(std::aligned_alloc(line, (bytes + line - 1) / line * line))) {
    require<UsageError>(at, "no memory for {} bytes", bytes);
  }
  ~Buffer() { std::free(at); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* at;
};

}  // namespace godwit::bench

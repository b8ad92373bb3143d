#include "kernels/scan.h"

#include <algorithm>
#include <type_traits>

namespace godwit::kernels {
namespace {

template <class T>
T joined(T a, T b, bool product) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(product ? static_cast<U>(a) * static_cast<U>(b) : static_cast<U>(a) + static_cast<U>(b));
  } else {
    return product ? a * b : a + b;
  }
}

// Columns [left, right) of one (n, inner) block.
template <class T>
void scan(const Scan& s, const T* x, T* out, int64_t left, int64_t right) {
  const int64_t step = s.reverse ? -s.inner : s.inner, start = s.reverse ? (s.n - 1) * s.inner : 0;
  for (int64_t i = 0; i < s.n; ++i) {
    T* to = out + start + i * step;
    if (i == 0) {
      for (int64_t c = left; c < right; ++c) to[c] = s.exclusive ? static_cast<T>(s.product) : x[start + c];
      continue;
    }
    const T* before = to - step;
    const T* from = x + start + (s.exclusive ? i - 1 : i) * step;
    for (int64_t c = left; c < right; ++c) to[c] = joined(before[c], from[c], s.product);
  }
}

template <class T>
void run_as(const Scan& s, const std::byte* x, std::byte* out, ThreadPool& pool) {
  constexpr int64_t strip = 512;
  const int64_t strips = (s.inner + strip - 1) / strip;
  const int64_t each = std::max<int64_t>(1, s.n * std::min(s.inner, strip));
  pool.parallel_for(s.outer * strips, std::max<int64_t>(1, 16384 / each), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t at = i / strips * s.n * s.inner, left = i % strips * strip;
      scan(s, reinterpret_cast<const T*>(x) + at, reinterpret_cast<T*>(out) + at, left,
           std::min(s.inner, left + strip));
    }
  });
}

}  // namespace

bool has_scan(DType dtype) { return dtype == DType::f32 || dtype == DType::i64 || dtype == DType::i32; }

void Scan::run(const std::byte* x, std::byte* out, ThreadPool& pool) const {
  if (dtype == DType::f32) return run_as<float>(*this, x, out, pool);
  if (dtype == DType::i64) return run_as<int64_t>(*this, x, out, pool);
  run_as<int32_t>(*this, x, out, pool);
}

}  // namespace godwit::kernels

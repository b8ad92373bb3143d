#include "kernels/copy.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "kernels/interleave.h"

namespace godwit::kernels {
namespace {

constexpr int64_t block = 16;

struct Wide {
  uint64_t low, high;
};

int64_t product(const std::vector<int64_t>& v, size_t count) {
  return std::accumulate(v.begin(), v.begin() + static_cast<int64_t>(count), int64_t{1}, std::multiplies<>());
}

}  // namespace

Copy::Copy(std::vector<int64_t> shape, std::vector<int64_t> from, std::vector<int64_t> to, size_t item)
    : shape_(std::move(shape)), from_(std::move(from)), to_(std::move(to)), item_(item) {
  if (shape_.empty()) shape_ = {1}, from_ = {0}, to_ = {0};
  const size_t rank = shape_.size();
  // The axis that is contiguous in the source becomes the last but one.
  if (from_[rank - 1] != 1 && to_[rank - 1] == 1)
    for (size_t axis = 0; axis + 1 < rank; ++axis)
      if (from_[axis] == 1 && shape_[axis] > 3) {
        auto last = [&](std::vector<int64_t>& v) {
          std::rotate(v.begin() + static_cast<int64_t>(axis), v.begin() + static_cast<int64_t>(axis) + 1, v.end() - 1);
        };
        last(shape_), last(from_), last(to_);
        transposes_ = true;
        break;
      }
}

template <class T>
void Copy::rows(const T* from, T* to, int64_t first, int64_t last) const {
  const size_t rank = shape_.size();
  const int64_t inner = shape_[rank - 1], fs = from_[rank - 1], ts = to_[rank - 1];
  for (int64_t row = first; row < last; ++row) {
    int64_t f = 0, t = 0, rest = row;
    for (size_t axis = rank - 1; axis-- > 0; rest /= shape_[axis]) {
      const int64_t at = rest % shape_[axis];
      f += at * from_[axis], t += at * to_[axis];
    }
    if (fs == 1 && ts == 1) {
      std::memcpy(to + t, from + f, static_cast<size_t>(inner) * sizeof(T));
    } else if (fs == 0 && ts == 1) {
      std::fill(to + t, to + t + inner, from[f]);
    } else {
      for (int64_t i = 0; i < inner; ++i) to[t + i * ts] = from[f + i * fs];
    }
  }
}

// Narrow results are cheap to write in long strips.
int64_t Copy::strip_rows() const { return shape_.back() < block ? 1024 : block; }

template <class T>
void Copy::transpose(const T* from, T* to, int64_t first, int64_t last) const {
  const size_t rank = shape_.size();
  const int64_t rows = shape_[rank - 2], columns = shape_[rank - 1], fs = from_[rank - 1], ts = to_[rank - 2];
  const int64_t strip = strip_rows(), strips = (rows + strip - 1) / strip;
  const Interleave side_by_side = sizeof(T) == 4 && ts == columns ? interleave(columns) : nullptr;
  for (int64_t item = first; item < last; ++item) {
    int64_t f = 0, t = 0, rest = item / strips;
    for (size_t axis = rank - 2; axis-- > 0; rest /= shape_[axis]) {
      const int64_t at = rest % shape_[axis];
      f += at * from_[axis], t += at * to_[axis];
    }
    const int64_t r0 = item % strips * strip, r1 = std::min(rows, r0 + strip);
    if (side_by_side) {
      side_by_side(reinterpret_cast<const float*>(from + f + r0), fs, r1 - r0,
                   reinterpret_cast<float*>(to + t + r0 * ts));
      continue;
    }
    if constexpr (sizeof(T) == 4) {
      kernels::transpose(reinterpret_cast<const float*>(from + f + r0), fs, r1 - r0, columns,
                         reinterpret_cast<float*>(to + t + r0 * ts), ts);
      continue;
    }
    for (int64_t c0 = 0; c0 < columns; c0 += block) {
      const int64_t c1 = std::min(columns, c0 + block);
      for (int64_t r = r0; r < r1; ++r) {
        const T* source = from + f + r;
        T* target = to + t + r * ts;
        for (int64_t c = c0; c < c1; ++c) target[c] = source[c * fs];
      }
    }
  }
}

template <class T>
void Copy::run_as(const std::byte* from, std::byte* to, ThreadPool& pool) const {
  const T* f = reinterpret_cast<const T*>(from);
  T* t = reinterpret_cast<T*>(to);
  const size_t rank = shape_.size();
  if (transposes_) {
    const int64_t strip = strip_rows(), strips = (shape_[rank - 2] + strip - 1) / strip;
    const int64_t grain = std::max<int64_t>(1, (1 << 14) / (strip * std::max<int64_t>(shape_[rank - 1], 1)));
    pool.parallel_for(product(shape_, rank - 2) * strips, grain, [&](int64_t a, int64_t b) { transpose(f, t, a, b); });
    return;
  }
  const int64_t grain = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(shape_[rank - 1], 1));
  const int64_t count = product(shape_, rank - 1);
  if (count == 1 && from_[0] == 1 && to_[0] == 1) {  // one long row
    pool.parallel_for(shape_[0], 1 << 16,
                      [&](int64_t a, int64_t b) { std::memcpy(t + a, f + a, static_cast<size_t>(b - a) * sizeof(T)); });
    return;
  }
  pool.parallel_for(count, grain, [&](int64_t a, int64_t b) { rows(f, t, a, b); });
}

void Copy::run(const std::byte* from, std::byte* to, ThreadPool& pool) const {
  if (product(shape_, shape_.size()) == 0) return;
  switch (item_) {
    case 1: return run_as<uint8_t>(from, to, pool);
    case 2: return run_as<uint16_t>(from, to, pool);
    case 4: return run_as<uint32_t>(from, to, pool);
    case 8: return run_as<uint64_t>(from, to, pool);
    case 16: return run_as<Wide>(from, to, pool);
    default: raise<InternalError>("no copy of elements of {} bytes", item_);
  }
}

}  // namespace godwit::kernels

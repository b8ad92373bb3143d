#include "kernels/scatter.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

namespace godwit::kernels {
namespace {

struct Wide {
  uint64_t a, b;
};

int64_t chosen(const Gather::Pick& p, const std::byte* indices, int64_t at) {
  int64_t index = p.dtype == DType::i64 ? reinterpret_cast<const int64_t*>(indices)[at]
                                        : reinterpret_cast<const int32_t*>(indices)[at];
  if (index < 0) index += p.size;
  return std::clamp<int64_t>(index, 0, p.size - 1) * p.x_stride;
}

template <class T>
T larger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(a)) return a;
  return b > a || b != b ? b : a;
}
template <class T>
T smaller(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(a)) return a;
  return b < a || b != b ? b : a;
}

// Overflow wraps around.
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
  else
    return a + b;
}
template <class T>
T times(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) * static_cast<std::make_unsigned_t<T>>(b));
  else
    return a * b;
}

}  // namespace

bool Scatter::has(DType dtype, Reduction reduction) {
  return reduction == Reduction::none || dtype == DType::f32 || dtype == DType::i64 || dtype == DType::i32;
}

template <class T, class Join>
void Scatter::each(const std::byte* updates, const std::byte* const* indices, std::byte* out, Join join) const {
  const T* from = reinterpret_cast<const T*>(updates);
  T* to = reinterpret_cast<T*>(out);
  const size_t rank = shape.size();
  const int64_t inner = rank ? shape.back() : 1;
  const int64_t rows = rank ? std::accumulate(shape.begin(), shape.end() - 1, int64_t{1}, std::multiplies<>()) : 1;
  const int64_t from_step = rank ? update_strides.back() : 0, to_step = rank ? strides.back() : 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t source = 0, target = 0, place[8] = {}, rest = row;
    for (size_t axis = rank ? rank - 1 : 0; axis-- > 0; rest /= shape[axis]) {
      const int64_t i = rest % shape[axis];
      source += i * update_strides[axis], target += i * strides[axis];
      for (size_t k = 0; k < picks.size(); ++k) place[k] += i * picks[k].strides[axis];
    }
    bool moves = false;  // whether a pick changes along the row
    for (size_t k = 0; k < picks.size(); ++k) {
      const int64_t step = rank ? picks[k].strides.back() : 0;
      moves = moves || step != 0;
      if (step == 0) target += chosen(picks[k], indices[k], place[k]);
    }
    for (int64_t i = 0; i < inner; ++i) {
      int64_t at = target + i * to_step;
      if (moves)
        for (size_t k = 0; k < picks.size(); ++k)
          if (const int64_t step = picks[k].strides.back()) at += chosen(picks[k], indices[k], place[k] + i * step);
      to[at] = join(to[at], from[source + i * from_step]);
    }
  }
}

template <class T>
void Scatter::joined(const std::byte* updates, const std::byte* const* indices, std::byte* out) const {
  switch (reduction) {
    case Reduction::add: return each<T>(updates, indices, out, plus<T>);
    case Reduction::multiply: return each<T>(updates, indices, out, times<T>);
    case Reduction::minimum: return each<T>(updates, indices, out, smaller<T>);
    default: return each<T>(updates, indices, out, larger<T>);
  }
}

void Scatter::run(const std::byte* updates, const std::byte* const* indices, std::byte* out) const {
  if (reduction != Reduction::none) {
    if (dtype == DType::f32) return joined<float>(updates, indices, out);
    return dtype == DType::i64 ? joined<int64_t>(updates, indices, out) : joined<int32_t>(updates, indices, out);
  }
  auto put = [](auto, auto b) { return b; };
  switch (item_size(dtype)) {
    case 1: return each<uint8_t>(updates, indices, out, put);
    case 2: return each<uint16_t>(updates, indices, out, put);
    case 4: return each<uint32_t>(updates, indices, out, put);
    case 8: return each<uint64_t>(updates, indices, out, put);
    default: return each<Wide>(updates, indices, out, put);
  }
}

}  // namespace godwit::kernels

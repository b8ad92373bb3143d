#include "kernels/gather.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace godwit::kernels {

// Of element `index` of the result, in elements of x.
int64_t Gather::offset(int64_t index, const std::byte* const* indices) const {
  int64_t at = 0, rest = index;
  std::vector<int64_t>::size_type axis = shape.size();
  int64_t place[8] = {};
  while (axis-- > 0) {
    const int64_t i = rest % shape[axis];
    rest /= shape[axis];
    at += i * strides[axis];
    for (size_t k = 0; k < picks.size(); ++k) place[k] += i * picks[k].strides[axis];
  }
  for (size_t k = 0; k < picks.size(); ++k) {
    const Pick& p = picks[k];
    int64_t chosen = p.dtype == DType::i64 ? reinterpret_cast<const int64_t*>(indices[k])[place[k]]
                                           : reinterpret_cast<const int32_t*>(indices[k])[place[k]];
    if (chosen < 0) chosen += p.size;
    at += std::clamp<int64_t>(chosen, 0, p.size - 1) * p.x_stride;
  }
  return at;
}

bool Gather::picks_vary_inside() const {
  return std::any_of(picks.begin(), picks.end(), [](const Pick& p) { return p.strides.back() != 0; });
}

void Gather::run(const std::byte* x, const std::byte* const* indices, std::byte* out, ThreadPool& pool) const {
  const int64_t all = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  const bool whole_rows = !shape.empty() && strides.back() == 1 && !picks_vary_inside();
  const int64_t inner = whole_rows ? shape.back() : 1;
  if (all == 0) return;
  pool.parallel_for(all / inner, std::max<int64_t>(1, 8192 / inner), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      std::memcpy(out + static_cast<size_t>(i * inner) * item,
                  x + offset(i * inner, indices) * static_cast<int64_t>(item), static_cast<size_t>(inner) * item);
  });
}

}  // namespace godwit::kernels

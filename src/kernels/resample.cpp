#include "kernels/resample.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/resample.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

// y[i] = sum of weight[k] x[index[k] n + i]
void weighted_rows(const float* x, const int32_t* index, const float* weight, int count, int64_t n, float* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto sum = hn::Mul(hn::Set(d, weight[0]), hn::LoadU(d, x + index[0] * n + i));
    for (int k = 1; k < count; ++k) sum = hn::MulAdd(hn::Set(d, weight[k]), hn::LoadU(d, x + index[k] * n + i), sum);
    hn::StoreU(sum, d, y + i);
  }
  for (; i < n; ++i) {
    float sum = weight[0] * x[index[0] * n + i];
    for (int k = 1; k < count; ++k) sum += weight[k] * x[index[k] * n + i];
    y[i] = sum;
  }
}

// y[i] = sum of weight[k, i] x[index[k, i]]
void weighted_line(const float* x, const int32_t* index, const float* weight, int count, int64_t n, float* y) {
  const D d;
  const hn::RebindToSigned<D> di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto sum = hn::Zero(d);
    for (int k = 0; k < count; ++k)
      sum = hn::MulAdd(hn::LoadU(d, weight + k * n + i), hn::GatherIndex(d, x, hn::LoadU(di, index + k * n + i)), sum);
    hn::StoreU(sum, d, y + i);
  }
  for (; i < n; ++i) {
    float sum = 0;
    for (int k = 0; k < count; ++k) sum += weight[k * n + i] * x[index[k * n + i]];
    y[i] = sum;
  }
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {
// Rows of fewer elements are resampled as one line of all of them.
constexpr int64_t shortest_row = 8;

Resample::Resample(int64_t outer, int64_t in, int64_t inner, int64_t out, int count, std::vector<int32_t> index,
                   std::vector<float> weight, size_t item)
    : outer_(outer),
      in_(in),
      inner_(inner),
      out_(out),
      count_(count),
      index_(std::move(index)),
      weight_(std::move(weight)),
      item_(item),
      by_rows_(weight_.empty() || inner >= shortest_row) {
  if (by_rows_) return;
  const int64_t n = out * inner;
  std::vector<int32_t> wide_index(static_cast<size_t>(count * n));
  std::vector<float> wide_weight(wide_index.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < count; ++k) {
      const auto from = static_cast<size_t>(i / inner * count + k), to = static_cast<size_t>(k * n + i);
      wide_index[to] = static_cast<int32_t>(index_[from] * inner + i % inner);
      wide_weight[to] = weight_[from];
    }
  index_ = std::move(wide_index), weight_ = std::move(wide_weight);
}

void Resample::run(const std::byte* x, std::byte* y, ThreadPool& pool) const {
  if (!weight_.empty()) {
    const float* from = reinterpret_cast<const float*>(x);
    float* to = reinterpret_cast<float*>(y);
    return by_rows_ ? rows(from, to, pool) : lines(from, to, pool);
  }
  switch (item_) {
    case 1: return copy(reinterpret_cast<const uint8_t*>(x), reinterpret_cast<uint8_t*>(y), pool);
    case 2: return copy(reinterpret_cast<const uint16_t*>(x), reinterpret_cast<uint16_t*>(y), pool);
    case 4: return copy(reinterpret_cast<const uint32_t*>(x), reinterpret_cast<uint32_t*>(y), pool);
    default: return copy(reinterpret_cast<const uint64_t*>(x), reinterpret_cast<uint64_t*>(y), pool);
  }
}

template <class T>
void Resample::copy(const T* x, T* y, ThreadPool& pool) const {
  pool.parallel_for(outer_ * out_, std::max<int64_t>(1, 8192 / inner_), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* from = x + (r / out_ * in_ + index_[static_cast<size_t>(r % out_)]) * inner_;
      if (inner_ == 1)
        y[r] = *from;
      else
        std::memcpy(y + r * inner_, from, static_cast<size_t>(inner_) * sizeof(T));
    }
  });
}

HWY_EXPORT(weighted_rows);
HWY_EXPORT(weighted_line);

void Resample::rows(const float* x, float* y, ThreadPool& pool) const {
  choose_isa();
  const int64_t grain = std::max<int64_t>(1, 8192 / (inner_ * count_));
  pool.parallel_for(outer_ * out_, grain, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const auto at = static_cast<size_t>(r % out_ * count_);
      HWY_DYNAMIC_DISPATCH(weighted_rows)
      (x + r / out_ * in_ * inner_, &index_[at], &weight_[at], count_, inner_, y + r * inner_);
    }
  });
}

void Resample::lines(const float* x, float* y, ThreadPool& pool) const {
  choose_isa();
  const int64_t n = out_ * inner_, grain = std::max<int64_t>(1, 8192 / (n * count_));
  pool.parallel_for(outer_, grain, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      HWY_DYNAMIC_DISPATCH(weighted_line)(x + r * in_ * inner_, index_.data(), weight_.data(), count_, n, y + r * n);
  });
}

}  // namespace godwit::kernels
#endif

#include "executors/cpu_plan/layout.h"

#include <algorithm>
#include <numeric>

namespace godwit::executors::plan {

Ints row_major_strides(const Ints& shape) {
  Ints strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0; step *= std::max<int64_t>(shape[i], 1)) strides[i] = step;
  return strides;
}

Layout Layout::row_major(DType dtype, Ints shape) {
  Ints strides = row_major_strides(shape);
  return {dtype, std::move(shape), std::move(strides), 0};
}

Layout Layout::ordered(DType dtype, Ints shape, const std::vector<int>& axes) {
  Ints strides(shape.size());
  int64_t step = 1;
  for (size_t i = axes.size(); i-- > 0; step *= shape[static_cast<size_t>(axes[i])])
    strides[static_cast<size_t>(axes[i])] = step;
  return {dtype, std::move(shape), std::move(strides), 0};
}

int64_t product(const Ints& shape, size_t first, size_t last) {
  return std::accumulate(shape.begin() + static_cast<int64_t>(first), shape.begin() + static_cast<int64_t>(last),
                         int64_t{1}, std::multiplies<>());
}

int64_t Layout::size() const { return product(shape, 0, shape.size()); }

bool Layout::is_row_major() const {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0; step *= shape[i])
    if (shape[i] != 1 && strides[i] != step) return size() == 0;
  return true;
}

bool Layout::is_dense(std::vector<int>* axes) const {
  auto at = [](const Ints& v, int i) { return v[static_cast<size_t>(i)]; };
  std::vector<int> real;  // axes of one element have no say
  for (int a = 0; a < rank(); ++a)
    if (at(shape, a) != 1) real.push_back(a);
  std::stable_sort(real.begin(), real.end(), [&](int a, int b) { return at(strides, a) > at(strides, b); });
  int64_t step = 1;
  for (size_t i = real.size(); i-- > 0; step *= at(shape, real[i]))
    if (at(strides, real[i]) != step) return size() == 0;
  if (axes) {
    axes->clear();
    for (int a = 0; a < rank(); ++a)
      if (at(shape, a) == 1) axes->push_back(a);
    axes->insert(axes->end(), real.begin(), real.end());
  }
  return true;
}

bool Layout::same_strides(const Layout& other) const {
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1 && strides[i] != other.strides[i]) return false;
  return true;
}

bool reshaped(const Layout& from, const Ints& shape, Layout& to) {
  to = {from.dtype, shape, Ints(shape.size()), from.offset};
  if (from.size() == 0 || from.is_row_major()) {
    to.strides = row_major_strides(shape);
    return true;
  }
  // Groups of axes of equal product on both sides; each group of the source must be contiguous in itself.
  size_t i = 0, j = 0;
  while (i < from.shape.size() || j < shape.size()) {
    const size_t first = i, out = j;
    int64_t a = i < from.shape.size() ? from.shape[i++] : 1, b = j < shape.size() ? shape[j++] : 1;
    while (a != b) {
      if (a < b) {
        if (i == from.shape.size()) return false;
        a *= from.shape[i++];
      } else {
        if (j == shape.size()) return false;
        b *= shape[j++];
      }
    }
    bool seen = false;
    int64_t inner = 0, span = 0;  // stride of the fastest axis (zero where it is broadcast), what the axes so far cover
    for (size_t k = i; k-- > first;) {
      if (from.shape[k] == 1) continue;
      if (!seen) {
        seen = true;
        inner = from.strides[k];
        span = inner * from.shape[k];
      } else if (from.strides[k] != span) {
        return false;
      } else {
        span *= from.shape[k];
      }
    }
    int64_t step = inner;
    for (size_t k = j; k-- > out; step *= shape[k]) to.strides[k] = step;
  }
  return true;
}

Loops merged(const Ints& shape, std::vector<Ints> strides) {
  std::vector<size_t> axes;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) axes.push_back(i);
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return strides[0][a] > strides[0][b]; });
  Loops out;
  out.strides.resize(strides.size());
  for (size_t axis : axes) {
    bool joins = !out.shape.empty();
    for (size_t k = 0; joins && k < strides.size(); ++k)
      joins = out.strides[k].back() == strides[k][axis] * shape[axis];
    if (joins) {
      out.shape.back() *= shape[axis];
      for (size_t k = 0; k < strides.size(); ++k) out.strides[k].back() = strides[k][axis];
    } else {
      out.shape.push_back(shape[axis]);
      for (size_t k = 0; k < strides.size(); ++k) out.strides[k].push_back(strides[k][axis]);
    }
  }
  if (out.shape.empty()) {
    out.shape.push_back(1);
    for (Ints& s : out.strides) s.push_back(0);
  }
  return out;
}

}  // namespace godwit::executors::plan

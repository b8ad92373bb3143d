#include "kernels/order.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/tensor.h"

namespace godwit::kernels {
namespace {

struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

// What elements are compared as.
float key(float x) { return x; }
float key(Half x) { return half_to_float(x.bits); }
float key(BFloat x) { return bfloat_to_float(x.bits); }
template <class T>
T key(T x) {
  return x;
}

template <class K>
bool is_nan(K x) {
  if constexpr (std::is_floating_point_v<K>) return std::isnan(x);
  return false;
}

template <class K>
bool below(K a, K b) {
  return a < b || (is_nan(b) && !is_nan(a));
}

template <class F>
bool with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(float()), true;
    case DType::f16: return f(Half()), true;
    case DType::bf16: return f(BFloat()), true;
    case DType::i64: return f(int64_t()), true;
    case DType::i32: return f(int32_t()), true;
    case DType::u8:
    case DType::boolean: return f(uint8_t()), true;
    case DType::i8: return f(int8_t()), true;
    default: return false;
  }
}

template <class T>
void sort_line(const Sort& s, const T* x, T* values, int64_t* indices) {
  struct Item {
    decltype(key(T())) value;
    int64_t index;
  };
  static thread_local std::vector<Item> items;
  items.resize(static_cast<size_t>(s.n));
  for (int64_t i = 0; i < s.n; ++i) items[static_cast<size_t>(i)] = {key(x[i]), i};
  auto before = [&](const Item& a, const Item& b) {
    if (s.descending ? below(b.value, a.value) : below(a.value, b.value)) return true;
    if (s.descending ? below(a.value, b.value) : below(b.value, a.value)) return false;
    return a.index < b.index;
  };
  if (s.k * 8 < s.n)
    std::partial_sort(items.begin(), items.begin() + s.k, items.end(), before);
  else
    std::sort(items.begin(), items.end(), before);
  for (int64_t i = 0; i < s.k; ++i) {
    const int64_t at = items[static_cast<size_t>(i)].index;
    if (values) values[i] = x[at];
    if (indices) indices[i] = at;
  }
}

template <class T>
int64_t extreme_of(const ArgExtreme& a, const T* x) {
  const int64_t first = a.last ? a.n - 1 : 0, step = a.last ? -1 : 1;
  int64_t best = first;
  auto value = key(x[first]);
  for (int64_t i = first + step; i >= 0 && i < a.n && !is_nan(value); i += step) {
    const auto v = key(x[i]);
    if ((a.largest ? v > value : v < value) || is_nan(v)) best = i, value = v;
  }
  return best;
}

template <class T>
int64_t place_of(const SearchSorted& s, const T* line, T element) {
  const auto v = key(element);
  if (is_nan(v) && !s.ranks_nans) return 0;
  if (s.right) return std::upper_bound(line, line + s.n, v, [](auto a, T b) { return below(a, key(b)); }) - line;
  return std::lower_bound(line, line + s.n, v, [](T a, auto b) { return below(key(a), b); }) - line;
}

int64_t grain(int64_t each) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(each, 1)); }

}  // namespace

bool has_order(DType dtype) {
  return with_type(dtype, [](auto) {});
}

void Sort::run(const std::byte* x, std::byte* values, int64_t* indices, ThreadPool& pool) const {
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    const T* from = reinterpret_cast<const T*>(x);
    T* to = reinterpret_cast<T*>(values);
    pool.parallel_for(lines, grain(n * 8), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        sort_line<T>(*this, from + i * n, to ? to + i * k : nullptr, indices ? indices + i * k : nullptr);
    });
  });
}

void ArgExtreme::run(const std::byte* x, int64_t* out, ThreadPool& pool) const {
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    const T* from = reinterpret_cast<const T*>(x);
    pool.parallel_for(lines, grain(n), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) out[i] = extreme_of<T>(*this, from + i * n);
    });
  });
}

void SearchSorted::run(const std::byte* sequence, const std::byte* values, int64_t* out, ThreadPool& pool) const {
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    const T* line = reinterpret_cast<const T*>(sequence);
    const T* v = reinterpret_cast<const T*>(values);
    pool.parallel_for(lines * m, 1024, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) out[i] = place_of<T>(*this, line + i / m * n, v[i]);
    });
  });
}

}  // namespace godwit::kernels

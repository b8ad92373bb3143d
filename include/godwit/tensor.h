// A tensor in host memory: dtype, shape, strides and bytes that something else may own (a mapped file).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "godwit/dtype.h"

namespace godwit {

struct Tensor {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;       // in elements; empty means row-major contiguous
  std::shared_ptr<const void> owner;  // keeps `data` alive; null for borrowed bytes
  const std::byte* data = nullptr;    // first element of the view

  // New, zeroed, contiguous.
  static Tensor zeros(DType dtype, std::vector<int64_t> shape);
  static Tensor of_bytes(DType dtype, std::vector<int64_t> shape, std::span<const std::byte> bytes);
  template <class T>
  static Tensor of(DType dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
    return of_bytes(dtype, std::move(shape), std::as_bytes(std::span(values)));
  }
  static Tensor scalar(DType dtype, double value);
  static Tensor ints(const std::vector<int64_t>& values);  // i64[n]

  int64_t size() const;  // number of elements
  size_t nbytes() const { return static_cast<size_t>(size()) * item_size(dtype); }
  bool is_contiguous() const;
  Tensor contiguous() const;  // itself where it already is

  // Bytes of a contiguous tensor; throws InternalError otherwise.
  std::span<const std::byte> bytes() const;
  template <class T>
  std::span<const T> values() const {
    auto b = bytes();
    return {reinterpret_cast<const T*>(b.data()), b.size() / sizeof(T)};
  }
  // Writable bytes of a tensor made by zeros().
  std::byte* mutable_data() { return const_cast<std::byte*>(data); }

  // Element i (row-major) as a number, whatever the dtype (float8 and complex excluded).
  double number(int64_t i) const;
  int64_t integer(int64_t i) const;
};

// Conversions between the 16-bit float formats and float.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
inline float bfloat_to_float(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, 4);
  return value;
}
uint16_t float_to_bfloat(float value);

// "f32[2, 3]"
std::string describe(const Tensor& tensor);

// Product of non-negative dimensions; throws FileError on a negative one or when the product leaves int64.
int64_t checked_size(std::span<const int64_t> shape);

}  // namespace godwit

#include "base/tensor.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace godwit {

int64_t checked_size(std::span<const int64_t> shape) {
  bool empty = false;
  for (int64_t d : shape) {
    require<FileError>(d >= 0, "negative dimension {} in a shape", d);
    empty = empty || d == 0;
  }
  int64_t size = 1;
  if (empty) return 0;
  for (int64_t d : shape)
    require<FileError>(!__builtin_mul_overflow(size, d, &size) && size <= (int64_t{1} << 48),
                       "the product of the dimensions is too large");
  return size;
}

Tensor Tensor::zeros(DType dtype, std::vector<int64_t> shape) {
  Tensor t;
  t.dtype = dtype;
  const std::shared_ptr<std::byte> memory = zeroed_memory(static_cast<size_t>(checked_size(shape)) * item_size(dtype));
  t.owner = memory;
  t.data = memory.get();
  t.shape = std::move(shape);
  return t;
}

Tensor Tensor::of_bytes(DType dtype, std::vector<int64_t> shape, std::span<const std::byte> bytes) {
  Tensor t = zeros(dtype, std::move(shape));
  require<InternalError>(bytes.size() == t.nbytes(), "{} bytes given for {}", bytes.size(), describe(t));
  if (!bytes.empty()) std::memcpy(t.mutable_data(), bytes.data(), bytes.size());
  return t;
}

namespace {

template <class T>
Tensor scalar_of(DType dtype, T value) {
  return Tensor::of<T>(dtype, {}, std::vector<T>{value});
}

}  // namespace

Tensor Tensor::scalar(DType dtype, double v) {
  switch (dtype) {
    case DType::boolean: return scalar_of<uint8_t>(dtype, v != 0);
    case DType::u8:
    case DType::u4:
    case DType::u2: return scalar_of(dtype, static_cast<uint8_t>(v));
    case DType::i8:
    case DType::i4:
    case DType::i2: return scalar_of(dtype, static_cast<int8_t>(v));
    case DType::u16: return scalar_of(dtype, static_cast<uint16_t>(v));
    case DType::i16: return scalar_of(dtype, static_cast<int16_t>(v));
    case DType::u32: return scalar_of(dtype, static_cast<uint32_t>(v));
    case DType::i32: return scalar_of(dtype, static_cast<int32_t>(v));
    case DType::u64: return scalar_of(dtype, static_cast<uint64_t>(v));
    case DType::i64: return scalar_of(dtype, static_cast<int64_t>(v));
    case DType::f16: return scalar_of(dtype, float_to_half(static_cast<float>(v)));
    case DType::bf16: return scalar_of(dtype, float_to_bfloat(static_cast<float>(v)));
    case DType::f32: return scalar_of(dtype, static_cast<float>(v));
    case DType::f64: return scalar_of(dtype, v);
    case DType::c64: return of<float>(dtype, {}, {static_cast<float>(v), 0.0f});
    default: raise<UsageError>("numbers of type {} are only stored, not computed with", name(dtype));
  }
}

Tensor Tensor::ints(const std::vector<int64_t>& values) {
  return of(DType::i64, {static_cast<int64_t>(values.size())}, values);
}

int64_t Tensor::size() const {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

bool Tensor::is_contiguous() const {
  if (strides.empty()) return true;
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) {
    Tensor same = *this;
    same.strides.clear();
    return same;
  }
  Tensor out = zeros(dtype, shape);
  const size_t item = item_size(dtype), rank = shape.size();
  std::vector<int64_t> index(rank, 0);
  std::byte* to = out.mutable_data();
  const std::byte* from = data;
  for (int64_t left = size(); left > 0; --left, to += item) {
    std::memcpy(to, from, item);
    for (size_t axis = rank; axis-- > 0;) {
      from += strides[axis] * static_cast<int64_t>(item);
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis] * static_cast<int64_t>(item);
      index[axis] = 0;
    }
  }
  return out;
}

std::span<const std::byte> Tensor::bytes() const {
  require<InternalError>(is_contiguous(), "bytes() of a strided tensor {}", describe(*this));
  return {data, nbytes()};
}

namespace {

template <class T>
T load(const Tensor& t, int64_t i) {
  const std::byte* at = t.data + i * static_cast<int64_t>(sizeof(T));
  if (!t.is_contiguous()) {
    at = t.data;
    for (size_t axis = t.shape.size(); axis-- > 0;) {
      at += (i % t.shape[axis]) * t.strides[axis] * static_cast<int64_t>(sizeof(T));
      i /= t.shape[axis];
    }
  }
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

}  // namespace

double Tensor::number(int64_t i) const {
  switch (dtype) {
    case DType::f16: return half_to_float(load<uint16_t>(*this, i));
    case DType::bf16: return bfloat_to_float(load<uint16_t>(*this, i));
    case DType::f32: return load<float>(*this, i);
    case DType::f64: return load<double>(*this, i);
    case DType::u64: return static_cast<double>(load<uint64_t>(*this, i));
    default: return static_cast<double>(integer(i));
  }
}

int64_t Tensor::integer(int64_t i) const {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
    case DType::u4:
    case DType::u2: return load<uint8_t>(*this, i);
    case DType::i8:
    case DType::i4:
    case DType::i2: return load<int8_t>(*this, i);
    case DType::u16: return load<uint16_t>(*this, i);
    case DType::i16: return load<int16_t>(*this, i);
    case DType::u32: return load<uint32_t>(*this, i);
    case DType::i32: return load<int32_t>(*this, i);
    case DType::u64: return static_cast<int64_t>(load<uint64_t>(*this, i));
    case DType::i64: return load<int64_t>(*this, i);
    case DType::f16:
    case DType::bf16:
    case DType::f32:
    case DType::f64: return static_cast<int64_t>(number(i));
    default: raise<InternalError>("no number in a tensor of type {}", name(dtype));
  }
}

float half_to_float(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31, mantissa = bits & 0x3ff;
  float value;
  if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -value : value;
  }
  uint32_t wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | (mantissa << 13);
  std::memcpy(&value, &wide, 4);
  return value;
}

uint16_t float_to_half(float value) {
  uint32_t wide;
  std::memcpy(&wide, &value, 4);
  uint16_t sign = static_cast<uint16_t>((wide >> 16) & 0x8000u);
  float magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520.0f) return sign | 0x7c00;
  if (magnitude < 6.103515625e-05f)  // subnormal: units of 2^-24, rounded to even
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  uint32_t rounded = (wide & 0x7fffffffu) + 0xfffu + ((wide >> 13) & 1);
  return sign | static_cast<uint16_t>((rounded - (112u << 23)) >> 13);
}

uint16_t float_to_bfloat(float value) {
  uint32_t wide;
  std::memcpy(&wide, &value, 4);
  if (std::isnan(value)) return static_cast<uint16_t>((wide >> 16) | 0x40);
  return static_cast<uint16_t>((wide + 0x7fffu + ((wide >> 16) & 1)) >> 16);
}

std::string describe(const Tensor& tensor) {
  return fmt::format("{}[{}]", name(tensor.dtype), fmt::join(tensor.shape, ", "));
}

}  // namespace godwit

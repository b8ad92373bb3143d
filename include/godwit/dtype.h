// Element types of tensors, and what is known about each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace godwit {

// Sub-byte types (i4, u4, i2, u2, f4e2m1) are held unpacked: one element in one byte.
// float8 and float4 elements are held as their bit patterns.
enum class DType : uint8_t {
  boolean,
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  f16,
  bf16,
  f32,
  f64,
  c64,
  c128,
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  f8e8m0,
  f4e2m1,
  f6e2m3,
  f6e3m2,
  i4,
  u4,
  i2,
  u2,
  text,
};

// "f32", "i64", "bool" ...: the spelling of the IR's text form.
std::string_view name(DType dtype);
// "float32", "int64", "bool" ...: the spelling of PyTorch and NumPy, used by the command line.
std::string_view long_name(DType dtype);
// Accepts either spelling.
std::optional<DType> parse_dtype(std::string_view text);

size_t item_size(DType dtype);
bool is_float(DType dtype);    // f16 bf16 f32 f64 (not float8, not complex)
bool is_integer(DType dtype);  // signed or unsigned, bool excluded
bool is_signed_integer(DType dtype);
bool is_complex(DType dtype);
bool is_small_float(DType dtype);  // float8, float6, float4: bit patterns, computed on only after a cast

}  // namespace godwit

#include "base/dtype.h"

#include <array>

namespace godwit {
namespace {

struct Row {
  DType dtype;
  std::string_view name, long_name;
  uint8_t size;
};

constexpr std::array rows{
    Row{DType::boolean, "bool", "bool", 1},
    Row{DType::u8, "u8", "uint8", 1},
    Row{DType::i8, "i8", "int8", 1},
    Row{DType::u16, "u16", "uint16", 2},
    Row{DType::i16, "i16", "int16", 2},
    Row{DType::u32, "u32", "uint32", 4},
    Row{DType::i32, "i32", "int32", 4},
    Row{DType::u64, "u64", "uint64", 8},
    Row{DType::i64, "i64", "int64", 8},
    Row{DType::f16, "f16", "float16", 2},
    Row{DType::bf16, "bf16", "bfloat16", 2},
    Row{DType::f32, "f32", "float32", 4},
    Row{DType::f64, "f64", "float64", 8},
    Row{DType::c64, "c64", "complex64", 8},
    Row{DType::c128, "c128", "complex128", 16},
    Row{DType::f8e4m3fn, "f8e4m3fn", "float8_e4m3fn", 1},
    Row{DType::f8e4m3fnuz, "f8e4m3fnuz", "float8_e4m3fnuz", 1},
    Row{DType::f8e5m2, "f8e5m2", "float8_e5m2", 1},
    Row{DType::f8e5m2fnuz, "f8e5m2fnuz", "float8_e5m2fnuz", 1},
    Row{DType::f8e8m0, "f8e8m0", "float8_e8m0fnu", 1},
    Row{DType::f4e2m1, "f4e2m1", "float4_e2m1fn", 1},
    Row{DType::f6e2m3, "f6e2m3", "float6_e2m3fn", 1},
    Row{DType::f6e3m2, "f6e3m2", "float6_e3m2fn", 1},
    Row{DType::i4, "i4", "int4", 1},
    Row{DType::u4, "u4", "uint4", 1},
    Row{DType::i2, "i2", "int2", 1},
    Row{DType::u2, "u2", "uint2", 1},
    Row{DType::text, "text", "string", 1},
};

const Row& row(DType dtype) { return rows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view name(DType dtype) { return row(dtype).name; }
std::string_view long_name(DType dtype) { return row(dtype).long_name; }
size_t item_size(DType dtype) { return row(dtype).size; }

std::optional<DType> parse_dtype(std::string_view text) {
  for (const Row& r : rows)
    if (r.name == text || r.long_name == text) return r.dtype;
  return std::nullopt;
}

bool is_float(DType d) { return d >= DType::f16 && d <= DType::f64; }
bool is_complex(DType d) { return d == DType::c64 || d == DType::c128; }
bool is_small_float(DType d) { return d >= DType::f8e4m3fn && d <= DType::f6e3m2; }
bool is_integer(DType d) { return (d >= DType::u8 && d <= DType::i64) || (d >= DType::i4 && d <= DType::u2); }
bool is_signed_integer(DType d) {
  return d == DType::i8 || d == DType::i16 || d == DType::i32 || d == DType::i64 || d == DType::i4 || d == DType::i2;
}

}  // namespace godwit

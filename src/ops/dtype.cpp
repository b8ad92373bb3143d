#include "ops/dtype.h"

#include "base/error.h"

namespace godwit::ops {

namespace mx = mlx::core;

mx::Dtype mlx_dtype(DType dtype) {
  switch (dtype) {
    case DType::boolean: return mx::bool_;
    case DType::u8: return mx::uint8;
    case DType::i8: return mx::int8;
    case DType::u16: return mx::uint16;
    case DType::i16: return mx::int16;
    case DType::u32: return mx::uint32;
    case DType::i32: return mx::int32;
    case DType::u64: return mx::uint64;
    case DType::i64: return mx::int64;
    case DType::f16: return mx::float16;
    case DType::bf16: return mx::bfloat16;
    case DType::f32: return mx::float32;
    case DType::f64: return mx::float64;
    case DType::c64:
    case DType::c128: return mx::complex64;
    case DType::i4:
    case DType::i2: return mx::int8;
    case DType::u4:
    case DType::u2: return mx::uint8;
    case DType::text: raise<InternalError>("a text tensor has no MLX array");
    default: return mx::uint8;
  }
}

}  // namespace godwit::ops

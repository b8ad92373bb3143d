// Element types in MLX.
#pragma once

#include <mlx/dtype.h>

#include "base/dtype.h"

namespace godwit::ops {

// What MLX holds a type as: float8, float6, float4 and unsigned sub-byte types as uint8, signed ones as int8,
// complex128 as complex64. Text has no array: InternalError.
mlx::core::Dtype mlx_dtype(DType dtype);

}  // namespace godwit::ops

// Runs of float16 and bfloat16 as float32 and back, rounded to nearest even.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace godwit::kernels {

inline bool is_half(DType d) { return d == DType::f16 || d == DType::bf16; }

void widen(DType half, const void* data, int64_t n, float* out);
void narrow(DType half, const float* values, int64_t n, void* out);

}  // namespace godwit::kernels

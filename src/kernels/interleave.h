// Planes of channels as rows of channels: what an image is before its first convolution, and the way back.
#pragma once

#include <cstdint>

namespace godwit::kernels {

// out[i * planes + p] = x[p * distance + i] for i < n, of floats (or any four bytes); two to four planes.
using Interleave = void (*)(const float* x, int64_t distance, int64_t n, float* out);
Interleave interleave(int64_t planes);  // null for other counts; for the chosen ISA

// out[r * out_stride + c] = x[c * x_stride + r] for r < rows, c < columns.
void transpose(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride);

}  // namespace godwit::kernels

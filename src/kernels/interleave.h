// Planes of few channels as rows of channels: what an image is before its first convolution.
#pragma once

#include <cstdint>

namespace godwit::kernels {

// out[i * planes + p] = x[p * distance + i] for i < n, of floats (or any four bytes); two to four planes.
using Interleave = void (*)(const float* x, int64_t distance, int64_t n, float* out);
Interleave interleave(int64_t planes);  // null for other counts; for the chosen ISA

}  // namespace godwit::kernels

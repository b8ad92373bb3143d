// Weights in MLX's affine format: unsigned numbers q of 4 or 8 bits, packed into u32 from the low bits up, and for
// every `group_size` of them along the input axis a scale and a bias, so that w = scale * q + bias. `mx::quantize`
// writes it.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// weight u32 (out, in * bits / 32), scales and biases (out, in / group_size): x (..., in) -> (..., out).
array quantized_linear(const array& x, const array& weight, const array& scales, const array& biases,
                       const std::optional<array>& bias, int bits, int group_size);
// Rows of such a matrix, as numbers again: indices (i...) -> (i..., in), in the dtype of the scales.
array quantized_take(const array& indices, const array& weight, const array& scales, const array& biases, int bits,
                     int group_size);

// What the format knows.
bool is_affine_bits(int64_t bits);
bool is_affine_group(int64_t group_size);

}  // namespace godwit::ops

// Normalizations. Half types are computed in float32, variances around the mean (two passes).
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// Over the last axes_count axes; weight and bias have their shape.
array layer_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias, int axes_count,
                 double eps);
array rms_norm(const array& x, const std::optional<array>& weight, int axes_count, double eps);
// x (N, C, ...), weight and bias (C)
array group_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias, int groups,
                 double eps);
// x (N, C, ...), everything else (C)
array batch_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias,
                 const array& mean, const array& variance, double eps);
// x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta, ONNX's window
array local_response_norm(const array& x, int size, double alpha, double beta, double bias);

}  // namespace godwit::ops

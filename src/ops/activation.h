// Activation functions that are more than one MLX call. Float operands; the result has the operand's shape and dtype.
#pragma once

#include <string>

#include "ops/op.h"

namespace godwit::ops {

array relu(const array& x);
array sigmoid(const array& x);
array silu(const array& x);
array mish(const array& x);
array softsign(const array& x);
array log_sigmoid(const array& x);
array hard_swish(const array& x);
array leaky_relu(const array& x, double slope);
array prelu(const array& x, const array& slope);  // slope broadcasts to x
array elu(const array& x, double alpha, double scale, double input_scale);
array hard_sigmoid(const array& x, double alpha, double beta);
array softplus(const array& x, double beta, double threshold);  // x itself where beta * x > threshold
array gelu(const array& x, const std::string& approximate);     // "none", "tanh" or "sigmoid"
array softmax(const array& x, int axis);                        // sums in float32 at least
array log_softmax(const array& x, int axis);
array glu(const array& x, int axis);  // (..., 2 n, ...) -> (..., n, ...)

}  // namespace godwit::ops

// Matrix products and what is built on them.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

array matmul(const array& a, const array& b);  // NumPy semantics; integers are exact
array linear(const array& x, const array& weight, const std::optional<array>& bias);  // weight (out, in)

}  // namespace godwit::ops

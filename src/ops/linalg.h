// Matrix products and what is built on them.
#pragma once

#include <string>

#include "ops/op.h"

namespace godwit::ops {

array matmul(const array& a, const array& b);  // NumPy semantics; integers are exact
array linear(const array& x, const array& weight, const std::optional<array>& bias);  // weight (out, in)
// NumPy's equations: explicit or implicit result, repeated letters, ellipsis.
array einsum(const std::vector<array>& xs, const std::string& equation);
array determinant(const array& x);                      // (..., n, n) -> (...)
array inverse(const array& x);                          // (..., n, n); a singular matrix is an error
array cholesky(const array& x);                         // (..., n, n), the lower factor
array cdist(const array& a, const array& b, double p);  // (..., m, d), (..., n, d) -> (..., m, n)

}  // namespace godwit::ops

// Axes summed, searched and accumulated. `axes` lists what is reduced; an empty list reduces nothing.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// The half types are summed in float32 and rounded once.
array sum(const array& x, const Ints& axes, bool keepdims);
array mean(const array& x, const Ints& axes, bool keepdims);
array product(const array& x, const Ints& axes, bool keepdims);
array max(const array& x, const Ints& axes, bool keepdims);  // NaN wins; of nothing: -inf or the smallest integer
array min(const array& x, const Ints& axes, bool keepdims);
array all(const array& x, const Ints& axes, bool keepdims);
array any(const array& x, const Ints& axes, bool keepdims);
array logsumexp(const array& x, const Ints& axes, bool keepdims);
array variance(const array& x, const Ints& axes, bool keepdims, double correction);  // divides by n - correction
array norm(const array& x, const Ints& axes, bool keepdims, double order);
array argmax(const array& x, int axis, bool keepdims, bool last);  // i64; last: the last of equals
array argmin(const array& x, int axis, bool keepdims, bool last);
array cumsum(const array& x, int axis, bool exclusive, bool reverse);
array cumprod(const array& x, int axis, bool exclusive, bool reverse);
std::vector<array> cummax(const array& x, int axis);  // values and i64 indices, of equals the last
std::vector<array> cummin(const array& x, int axis);
std::vector<array> median(const array& x, int axis, bool keepdims);  // the lower one; values and i64 indices

}  // namespace godwit::ops

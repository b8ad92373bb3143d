// Arrays made from numbers.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

array constant(const Tensor& value);                // copies
array dims(const Ints& values);                     // i64[n]
array dim(int value);                               // i64[]
array full(const array& value, const Ints& shape);  // value is 0-d
array eye(int rows, int columns, int offset, DType dtype);
array arange(int start, int step, int count, DType dtype);
array range(const array& start, const array& limit, const array& delta);  // 0-d operands; length from the values
array linspace(const array& start, const array& stop, int count);         // 0-d operands
array tri_lower(const array& x, int offset);                              // zeros above the diagonal
array tri_upper(const array& x, int offset);                              // zeros below the diagonal
array random_uniform(const Ints& shape, DType dtype);                     // [0, 1)
array random_normal(const Ints& shape, DType dtype);                      // mean 0, variance 1

}  // namespace godwit::ops

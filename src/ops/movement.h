// Shapes changed, elements moved. Axes may be negative.
#pragma once

#include <mlx/array.h>

#include <string>

#include "ops/op.h"

namespace godwit::ops {

array shape(const array& x);  // i64[rank]
// One -1 is inferred. zero_copies: a 0 stands for the operand's dimension at the same place.
array reshape(const array& x, const Ints& shape, bool zero_copies);
// NumPy broadcasting of x with `shape`: a 1 in `shape` keeps the operand's dimension, and so does a -1.
array broadcast(const array& x, const Ints& shape);
array concat(const std::vector<array>& xs, int axis);
std::vector<array> split(const array& x, const Ints& sizes, int axis);
// Python slices: negative positions count from the end, all are clamped; empty steps are all 1.
array slice(const array& x, const Ints& axes, const Ints& starts, const Ints& stops, const Ints& steps);
array slice_update(const array& x, const array& update, const Ints& axes, const Ints& starts, const Ints& stops,
                   const Ints& steps);
// low, high: one entry per axis, negative crops. mode: constant, reflect, edge, wrap.
array pad(const array& x, const std::optional<array>& value, const Ints& low, const Ints& high,
          const std::string& mode);
array roll(const array& x, const Ints& shifts, const Ints& axes);
array tile(const array& x, const Ints& repeats);
array unfold(const array& x, int axis, int size, int step);  // (..., n, ...) -> (..., windows, ..., size)
array as_strided(const array& x, const Ints& shape, const Ints& strides, int offset);  // over the flat elements of x
array diagonal(const array& x, int offset, int axis1, int axis2);  // the diagonal becomes the last axis

}  // namespace godwit::ops

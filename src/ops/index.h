// Elements picked, placed, ordered and counted. Indices are i64; negative ones count from the end.
#pragma once

#include <string>

#include "ops/op.h"

namespace godwit::ops {

// x (a..., n, b...), indices (i...) -> (a..., i..., b...)
array take(const array& x, const array& indices, int axis);
// As torch.gather: indices may be shorter than x on the other axes.
array take_along(const array& x, const array& indices, int axis);

}  // namespace godwit::ops

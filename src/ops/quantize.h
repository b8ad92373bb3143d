// Linear quantization: x = (q - zero_point) * scale. A scale is 0-d (or one element) for the whole tensor, a vector
// along `axis`, or with block > 0 one number per `block` elements of that axis, of the tensor's rank.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// Rounds half to even and saturates. saturate only concerns float8, whose overflow else becomes infinity or NaN.
array quantize(const array& x, const array& scale, const std::optional<array>& zero_point, int axis, int block,
               DType to, bool saturate);
// `from` is the type of x; the result has the type of scale.
array dequantize(const array& x, const array& scale, const std::optional<array>& zero_point, int axis, int block,
                 DType from);

}  // namespace godwit::ops

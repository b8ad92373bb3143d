// Convolutions over 1 to 3 spatial axes, channels first: x (N, C, spatial...). Lists have one entry per spatial axis.
// Half types are summed in float32; integers exactly.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// weight (O, C / groups, k...), bias (O) -> (N, O, out...), a correlation as in every framework
array conv(const array& x, const array& weight, const std::optional<array>& bias, const Ints& stride, const Ints& low,
           const Ints& high, const Ints& dilation, int groups);

// weight (C, O / groups, k...), bias (O); out = (in - 1) * stride - low - high + dilation * (k - 1) + 1 +
// output_padding
array conv_transpose(const array& x, const array& weight, const std::optional<array>& bias, const Ints& stride,
                     const Ints& low, const Ints& high, const Ints& output_padding, const Ints& dilation, int groups);

// Columns to image: x (N, C * k..., windows) -> (N, C, output_size...), sums where windows overlap.
array fold(const array& x, const Ints& output_size, const Ints& kernel, const Ints& stride, const Ints& low,
           const Ints& high, const Ints& dilation);

// Deformable convolution, two spatial axes: offset (N, offset_groups * kh * kw * 2, oh, ow) with y before x,
// mask (N, offset_groups * kh * kw, oh, ow). Samples outside of the input are zero.
array deform_conv(const array& x, const array& offset, const array& weight, const std::optional<array>& mask,
                  const std::optional<array>& bias, const Ints& stride, const Ints& low, const Ints& high,
                  const Ints& dilation, int groups, int offset_groups);

}  // namespace godwit::ops

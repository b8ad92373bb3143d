// What convolutions, pools and overlap-add share: spatial axes, sliding windows, and where numbers are accumulated.
#pragma once

#include <mlx/ops.h>

#include "ops/infer.h"
#include "ops/op.h"

namespace godwit::ops::window {

namespace mx = mlx::core;

bool on_cpu();

// The type in which sums over `dtype` are kept: float32 for the half types, else itself.
mx::Dtype accumulator(mx::Dtype dtype);
array widen(const array& x);

// The sum over `axes` (counted from the front) of a tensor whose type is wide enough. MLX adds on the CPU in one run,
// whose rounding grows with its length; here a long sum is made of short runs.
array total(array x, std::vector<int> axes, bool keepdims);

// Row-major without gaps. MLX cannot write its Contiguous to a function file: a traced array is multiplied by one.
array packed(const array& x);

// x (N, C, spatial...) with `low` and `high` elements of `value` around its last low.size() axes; negative crops.
array pad_spatial(const array& x, const Ints& low, const Ints& high, const array& value);

// x (N, C, spatial...) -> (N, C, out..., k...), without a copy where x is contiguous.
array windows(const array& x, const Ints& kernel, const Ints& stride, const Ints& dilation);

// The inverse, with sums where windows overlap: x (N, C, k..., out...) -> (N, C, (out - 1) * stride + reach...).
array unwindow(const array& x, const Ints& stride, const Ints& dilation);

// (..., frames, size) -> (..., (frames - 1) * step + size)
array overlap(const array& x, int step);

// Number of windows that fit.
int extent(int in, int low, int high, int kernel, int stride, int dilation);
// The same with torch's ceil_mode: a last window may be incomplete but must start inside the input or the low pad.
// Throws UsageError where an axis would outgrow 32 bits.
int pooled_extent(int in, int low, int high, int kernel, int stride, int dilation, bool ceil_mode);

// Elements from the start of the first window to the end of the last.
int pooled_reach(int out, int kernel, int stride, int dilation);

// Throws UsageError for a tensor of more than 2^38 elements: what no memory holds must not overflow a size either.
void check_volume(const mx::Shape& shape);

// Product of elements from `first` on.
int volume(const mx::Shape& shape, size_t first);

// Checks for inference functions. The number of spatial axes of operand 0, 1 to 3.
size_t spatial_rank(const InferContext& c);
// One entry per spatial axis, each known one at least `least`.
const ir::Dims& per_axis(const InferContext& c, std::string_view name, size_t count, int64_t least);
// False where both are known and differ.
bool agree(const ir::Dim& a, const ir::Dim& b);
ir::Dim extent(const InferContext& c, const ir::Dim& in, const ir::Dim& low, const ir::Dim& high, const ir::Dim& kernel,
               const ir::Dim& stride, const ir::Dim& dilation);

}  // namespace godwit::ops::window

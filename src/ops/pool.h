// Pools over 1 to 3 spatial axes, x (N, C, spatial...). Lists have one entry per spatial axis. ceil_mode is torch's:
// the last window may be incomplete but starts inside the input or the low pad.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

array max_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
               const Ints& dilation, bool ceil_mode);

// Values, and i64 positions in the flattened spatial axes of each plane (pads not counted), the first of equals.
std::vector<array> max_pool_indices(const array& x, const Ints& kernel, const Ints& stride, const Ints& low,
                                    const Ints& high, const Ints& dilation, bool ceil_mode);

// Divides by `divisor` where it is not 0, else by the elements in the window; pads count when count_padding, what
// ceil_mode adds never does.
array avg_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
               const Ints& dilation, bool ceil_mode, bool count_padding, int divisor);

// (sum |x|^order)^(1/order)
array lp_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
              const Ints& dilation, bool ceil_mode, double order);

// Window i of an axis reaches from floor(i * in / size) to ceil((i + 1) * in / size).
array adaptive_avg_pool(const array& x, const Ints& size);
std::vector<array> adaptive_max_pool(const array& x, const Ints& size);  // values, i64 indices as max_pool_indices

}  // namespace godwit::ops

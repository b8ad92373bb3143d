// Weights that lie in the same bytes of a file.
#pragma once

#include "base/tensor.h"

namespace godwit::frontends {

// Whether an element of one may be an element of the other: their bytes, first to last, overlap.
bool share_memory(const Tensor& a, const Tensor& b);

}  // namespace godwit::frontends

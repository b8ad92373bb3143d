// A float32 model in half precision.
#pragma once

#include "ir/graph.h"

namespace godwit::passes {

// Weights, constants and intermediate values of type float32 become `to` (float16 or bfloat16); inputs, outputs and
// state keep their types, with casts at the border. Throws UsageError for another type.
void convert_dtype(ir::Module& module, DType to);

}  // namespace godwit::passes

// Large constants as weights.
#pragma once

#include "ir/graph.h"

namespace godwit::ops {

// `constant` nodes of more than `limit` elements become weights of the module, named after their scope: the text of a
// graph stays readable, the numbers go where the others are.
void hoist_constants(ir::Module& module, int64_t limit = 64);

}  // namespace godwit::ops

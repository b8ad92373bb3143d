// A package says the types of its values; a kernel believes them.
#pragma once

#include "executors/cpu_plan/lowering.h"

namespace godwit::executors::plan {

// Throws CannotPlan where a node does not give what the graph declares of its results, as far as these sizes tell: such
// a graph was written by no frontend, and MLX, which goes by the arrays at hand, is to run it.
void check_declared(const ir::Node& node, const ir::Dim::Env& env);

}  // namespace godwit::executors::plan

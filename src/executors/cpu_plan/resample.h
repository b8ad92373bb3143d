// Weighted sums along single axes, one pass an axis: what resizing and pools of uneven windows come to.
#pragma once

#include <vector>

#include "executors/cpu_plan/lowering.h"
#include "ops/resize.h"

namespace godwit::executors::plan {

struct AxisPass {
  size_t axis;
  int64_t out;
  ops::ResizeTable table;
};
// The node's operand goes through the passes, in its own order in memory, to the node's result.
void emit_passes(Lowering& l, const ir::Node& node, std::vector<AxisPass> passes, const char* kernel);

}  // namespace godwit::executors::plan

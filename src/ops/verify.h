// Checks that the nodes of a graph are calls of rows of the op table.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::ops {

// Every defect found, in words, the first 20 of them: an op without a row (`unsupported.*` passes), operands that are
// missing or too many, attributes that are missing, unknown or of another kind, a wrong number of regions, and symbols
// that no input, state, `bind` or result gives a value.
std::vector<std::string> defects(const ir::Graph& graph);

}  // namespace godwit::ops

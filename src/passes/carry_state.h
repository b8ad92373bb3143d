// Models that take their state as an input and give the new one as an output: the pair becomes state of the graph.
#pragma once

#include <string>

#include "ir/graph.h"

namespace godwit::passes {

// What `output` gives is what the next call reads in place of `input`, which starts as zeros and is no input any more.
// The output stays. Throws UsageError where a name is unknown or the two cannot hold the same values.
void carry_state(ir::Graph& graph, const std::string& input, const std::string& output);

}  // namespace godwit::passes

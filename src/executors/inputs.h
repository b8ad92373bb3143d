// What every executor asks of its inputs before it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "executors/executor.h"

namespace godwit::executors {

// Throws UsageError for an input that is missing, unknown, of another dtype or not one tensor where one is expected.
void check_inputs(const ir::Graph& graph, const HostValues& given);

// The shapes of the graph's inputs in their order; none for a sequence.
using InputShapes = std::vector<std::optional<std::vector<int64_t>>>;

// The values of the symbols that occur in the inputs' types. Throws UsageError on a contradiction.
ir::Dim::Env bind_symbols(const ir::Graph& graph, const InputShapes& shapes);

}  // namespace godwit::executors

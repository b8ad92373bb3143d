// Goldens: inputs of a model with the outputs that its own framework gave (docs/interfaces.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ir/graph.h"

namespace godwit::parity {

using Tensors = std::map<std::string, Tensor>;

struct Golden {
  std::string name;       // "golden", "test_data_set_0"
  std::string reference;  // what gave the outputs: "onnxruntime 1.31.1"; empty where a file does not say
  Tensors inputs;
  Tensors outputs;
  Tensors layers;            // intermediate tensors under the source's names; may be empty
  bool is_recorded = false;  // read from a file, not asked from the original now
  int64_t steps = 0;         // 0: one call. Else every tensor has a leading axis of so many calls that share state
};

// Splits tensors named input/NAME, output/NAME, layer/NAME. Throws FileError (naming `path`) on other names, and where
// a tensor lacks the axis of steps.
Golden golden_of(const Tensors& tensors, int64_t steps, const std::string& path);
// The other way round.
Tensors tensors_of(const Golden& golden);

// What a golden file's header says: steps, reference.
std::map<std::string, std::string> metadata_of(const Golden& golden);

// Row `step` of the leading axis.
Tensor step_of(const Tensor& tensor, int64_t step);

// Random values for the inputs of a graph: floats normal, integers 0 or 1 (valid as index and as mask), the same for
// the same seed. Symbols take their value from `sizes`, else 2. Throws UsageError where a size cannot be.
Tensors random_inputs(const ir::Graph& graph, uint64_t seed, const ir::Dim::Env& sizes = {});

}  // namespace godwit::parity

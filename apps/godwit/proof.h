// What convert, validate and bench share: example inputs, goldens, the words for a result.
#pragma once

#include <string>
#include <vector>

#include "parity/validate.h"

namespace godwit::app {

// Inputs from a .safetensors file, else random ones; `sizes` are SYMBOL=N.
parity::Tensors example_inputs(const ir::Graph& graph, const std::string& file, const std::vector<std::string>& sizes);

std::string describe(const parity::ValidateResult& result);

}  // namespace godwit::app

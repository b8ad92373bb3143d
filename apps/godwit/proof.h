// What convert, validate and bench share: example inputs, goldens, the words for a result.
#pragma once

#include <string>
#include <vector>

#include "frontends/frontend.h"
#include "parity/validate.h"

namespace godwit::app {

// Inputs from a .safetensors file, else random ones; `sizes` are SYMBOL=N.
parity::Tensors example_inputs(const ir::Graph& graph, const std::string& file, const std::vector<std::string>& sizes);

// Inputs that became constants at conversion (`--input sr=16000`): the package remembers them, since the original
// still asks for them.
void remember_fixed(ir::Module& module, const frontends::ImportOptions& options);
parity::Tensors with_fixed(const ir::Module& module, parity::Tensors inputs);

std::string describe(const parity::ValidateResult& result);

}  // namespace godwit::app

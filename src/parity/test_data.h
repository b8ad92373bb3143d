// Goldens in the layout of ONNX's test suites: test_data_set_K/input_I.pb and output_I.pb, one tensor a file.
#pragma once

#include <filesystem>
#include <vector>

#include "ir/graph.h"
#include "parity/golden.h"

namespace godwit::parity {

// `folder` is one data set, or holds several. Tensors are matched by the names that they carry; those of a data set
// without names by their place among the inputs (outputs) of the graph. Values of inputs that became constants at
// conversion (`constants`) must be equal. Throws FileError where a file is damaged or does not fit the graph.
std::vector<Golden> load_test_data(const std::filesystem::path& folder, const ir::Graph& graph,
                                   const Tensors& constants = {});

bool is_test_data(const std::filesystem::path& folder);

}  // namespace godwit::parity

// Packages: what `convert` leaves and everything else reads.
//
//   model.json                 format, graphs, metadata
//   graphs/NAME.gir            one graph each, in the IR's text form
//   weights.safetensors        the tensors that the graphs name
//   golden.safetensors         recorded inputs and outputs (docs/interfaces.md), where there are any
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "ir/graph.h"

namespace godwit::emit {

inline constexpr const char* golden_name = "golden.safetensors";

// Writes into an existing folder. Throws UsageError when writing fails.
void write_package(const ir::Module& module, const std::filesystem::path& folder);
void write_golden(const std::filesystem::path& folder, const std::map<std::string, Tensor>& tensors);

bool is_package(const std::filesystem::path& path);
// Throws FileError: no package, a version that this build does not read, a graph or weight that is missing or malformed.
ir::Module read_package(const std::filesystem::path& folder);

}  // namespace godwit::emit

// Packages: what `convert` leaves and everything else reads.
//
//   model.json                 format, graphs, metadata
//   graphs/NAME.gir            one graph each, in the IR's text form
//   weights.safetensors        the tensors that the graphs name
//   golden.safetensors         recorded inputs and outputs (docs/interfaces.md), where there are any
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "ir/graph.h"

namespace godwit::emit {

inline constexpr const char* golden_name = "golden.safetensors";

// Writes into an existing folder (base/atomic_output.h makes it appear whole). Weights stream from where they lie to
// the file, so that memory stays small. Large constants belong among the weights: ops/hoist.h, before.
// Throws UsageError when writing fails, InternalError for a graph that read_package would refuse.
void write_package(const ir::Module& module, const std::filesystem::path& folder);
// `metadata` says how many steps the golden has and what gave it (parity::metadata_of).
void write_golden(const std::filesystem::path& folder, const std::map<std::string, Tensor>& tensors,
                  const std::map<std::string, std::string>& metadata = {});

// Throws UsageError unless the path is free, an empty folder or a package: nothing else may be replaced by one.
void check_replaceable(const std::filesystem::path& folder);

bool is_package(const std::filesystem::path& path);
// Throws FileError: no package, a version that this build does not read, a graph or weight that is missing or
// malformed.
ir::Module read_package(const std::filesystem::path& folder);
// The same from memory: the text of model.json, what gives the text of a graph, and the weights. `name` is for
// messages.
ir::Module assemble_package(const std::string& description,
                            const std::function<std::string(const std::string&)>& graph_text,
                            std::map<std::string, Tensor> weights, const std::string& name);

}  // namespace godwit::emit

// A model from wherever it lies: a package, or a source file that a frontend imports.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "frontends/frontend.h"
#include "frontends/outline.h"
#include "ir/graph.h"

namespace godwit::app {

struct Loaded {
  ir::Module module;
  std::string format;  // "package", "onnx", "torchscript", "pt2", "safetensors", "torch"
  size_t source_nodes = 0;
  std::vector<std::string> warnings;
  std::optional<frontends::Outline> outline;  // instead of graphs, where the file does not say enough to make them
};

// Whatever can be said of the file: graphs as imported, or only tensors where the format has no graph.
Loaded load_for_inspection(const std::filesystem::path& path, const frontends::ImportOptions& options);

// A module that runs. Throws FileError that lists every unsupported op with count and places.
Loaded load_to_run(const std::filesystem::path& path, const frontends::ImportOptions& options = {});

// Ops that nothing translates, all of them: names with counts.
class UnsupportedOps : public FileError {
 public:
  UnsupportedOps(const std::string& message, std::map<std::string, int> ops)
      : FileError(message), ops(std::move(ops)) {}
  std::map<std::string, int> ops;
};

// Throws UnsupportedOps.
void require_supported(const ir::Module& module, const std::filesystem::path& path);

int64_t parameter_count(const ir::Module& module);  // elements of all weights, packed ones counted as what they hold

}  // namespace godwit::app

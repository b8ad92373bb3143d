// Emitters turn a module into source code, or into another program's format. One row of the list each.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace godwit::emit {

struct Options {
  std::string class_name = "Model";
  std::string weights = "../weights.safetensors";  // where the written code finds the weights, seen from its folder
  std::string golden = "../golden.safetensors";    // and the recorded inputs and outputs (package.h)
  int64_t golden_steps = 0;                        // 0: one call; else recorded tensors have an axis of so many calls
  double tolerance = 1e-5;                         // of each output's scale, in the written test
  std::map<std::string, int64_t> symbols;          // sizes of symbolic dimensions, for formats of fixed shapes
};

// Each writes into `dir`, which it makes, and throws UsageError where the module cannot be written in that form.
void write_cpp(const ir::Module& module, const std::filesystem::path& dir, const Options& options = {});
void write_python(const ir::Module& module, const std::filesystem::path& dir, const Options& options = {});
// One <graph>.mlxfn for each graph ("model.mlxfn" for main).
void write_mlxfn(const ir::Module& module, const std::filesystem::path& dir, const Options& options = {});

struct Emitter {
  std::string_view name;  // of `--emit` and of the folder
  void (*write)(const ir::Module&, const std::filesystem::path&, const Options&);
};
inline constexpr Emitter emitters[] = {{"cpp", write_cpp}, {"python", write_python}, {"mlxfn", write_mlxfn}};

}  // namespace godwit::emit

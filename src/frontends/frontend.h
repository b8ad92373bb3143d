// Frontends turn a model file into a module of graphs. One folder per source format; this is their common face.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace godwit::frontends {

struct ImportOptions {
  // What the user says about an input: a shape to specialise on (symbols allowed), a dtype, or a value that makes
  // the input a constant (`--input sr=16000`). A single number on the command line sets both shape and value: the
  // value counts where the source says that the input is a scalar or a number, the shape otherwise.
  struct Input {
    std::optional<ir::Shape> shape;
    std::optional<DType> dtype;
    std::optional<Tensor> value;
  };
  std::map<std::string, Input> inputs;
};

struct Imported {
  ir::Module module;        // weights still point into the mapped source file
  std::string format;       // "onnx", "torchscript", "pt2"
  size_t source_nodes = 0;  // nodes of the source program, subgraphs included
  std::vector<std::string> warnings;
};

// Each throws FileError for a damaged file and UsageError for options that do not fit; ops without a translator
// become `unsupported.*` nodes instead, so that all of them can be reported together.
Imported import_onnx(const std::filesystem::path& path, const ImportOptions& options = {});
Imported import_torchscript(const std::filesystem::path& path, const ImportOptions& options = {});
Imported import_pt2(const std::filesystem::path& path, const ImportOptions& options = {});

// Looks at the bytes, not at the name. Throws FileError with what it found when the format has no graph.
Imported import_model(const std::filesystem::path& path, const ImportOptions& options = {});

// The tensors of a file that holds nothing else: safetensors, a PyTorch state dict, .npy, .npz; unset for any other.
struct BareTensors {
  std::string format;
  std::map<std::string, Tensor> tensors;
};
std::optional<BareTensors> tensors_of(const std::filesystem::path& path);

// Op of a node that only reads the result of an unsupported one: nothing is known of its operands.
inline constexpr std::string_view kBlockedOp = "unsupported.blocked";

struct UnsupportedOp {
  std::string name;  // the source's name, "aten.histc", "com.microsoft.MoE"
  int count = 0;
  std::vector<std::string> places;  // the first few
};
std::vector<UnsupportedOp> unsupported_ops(const ir::Module& module);

}  // namespace godwit::frontends

// Which format a path holds, from its bytes; the name of a file does not matter.
#pragma once

#include <filesystem>
#include <string_view>

namespace godwit::formats {

enum class Format {
  unknown,
  onnx,
  torchscript,
  pt2,
  torch_zip,     // a state dict (or any other pickled object), torch >= 1.6
  torch_legacy,  // the same before 1.6
  safetensors,
  gguf,
  npy,
  npz,
  config_folder,   // a folder with config.json
  package_folder,  // a folder with model.json: ours
  sharded_folder,  // a folder with a *.safetensors.index.json or *.bin.index.json and no config
};

// "onnx", "torchscript", "pt2", "torch state dict" ...
std::string_view name(Format format);

// Throws FileError when the path cannot be read or is a damaged zip.
Format detect(const std::filesystem::path& path);

}  // namespace godwit::formats

// Named tensors of a .safetensors file, as goldens and reference processes use them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "parity/golden.h"

namespace godwit::parity {

struct TensorFile {
  Tensors tensors;  // point into the mapped file
  std::map<std::string, std::string> metadata;
};

// Throws FileError naming path and tensor.
TensorFile load_tensors(const std::filesystem::path& path);
void save_tensors(const std::filesystem::path& path, const TensorFile& file);

// A golden file: its metadata entry `steps` says how many calls it records.
Golden load_golden(const std::filesystem::path& path);

}  // namespace godwit::parity

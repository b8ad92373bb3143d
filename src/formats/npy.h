// NumPy's .npy and .npz files.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/tensor.h"

namespace godwit::formats {

// Throws FileError: no .npy file, a version above 3, types without numbers (objects, texts, records), a size that does
// not fit the shape. Fortran order comes as strides; big-endian numbers are turned.
Tensor read_npy(const std::filesystem::path& path);
Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name);
// Arrays under their names, ".npy" taken off.
std::map<std::string, Tensor> read_npz(const std::filesystem::path& path);
std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                        const std::string& name);

// Throws UsageError for types that NumPy lacks (bfloat16, 8-bit floats; 4-bit integers), or when writing fails.
void write_npy(const std::filesystem::path& path, const Tensor& tensor);
void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors);

}  // namespace godwit::formats

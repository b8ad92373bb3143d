// State dicts in torch's own files (.pt, .pth, .bin): the zip layout of torch 1.6 and later, and the one before.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/tensor.h"
#include "base/zip.h"

namespace godwit::formats {

struct TorchCheckpoint {
  // Names are keys joined by '.'. A wrapping key (state_dict, model ...) and `module.` in front of all keys are gone.
  // Tensors point into the mapped file, with its strides; those that share a storage share memory here too.
  std::map<std::string, Tensor> tensors;
  std::vector<std::string> ignored;  // entries that hold no tensors: "epoch", "optimizer.state"
  std::string wrapped_in;            // the wrapping key; empty where there was none
};

// Either layout, by its bytes. Throws FileError; a pickle that names a class outside the allow-list is refused by name.
TorchCheckpoint read_torch_checkpoint(const std::filesystem::path& path);
TorchCheckpoint read_torch_zip(const ZipArchive& zip);
// `bytes` outlives the tensors through `owner`.
TorchCheckpoint read_torch_legacy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                  const std::string& name);
bool looks_like_torch_legacy(std::span<const std::byte> bytes);

}  // namespace godwit::formats

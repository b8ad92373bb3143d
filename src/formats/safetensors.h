// safetensors: an 8-byte header length, a JSON header, the tensors' bytes.
//
// Types that the format does not name (4-bit integers, further 8-bit floats) lie in it as U8, one element a byte; the
// metadata entry "godwit.dtypes" says which they are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/tensor.h"

namespace godwit::formats {

struct Safetensors {
  std::map<std::string, Tensor> tensors;  // pointing into the mapped file
  std::map<std::string, std::string> metadata;
};

// A .safetensors file, a `*.safetensors.index.json` with its shards, or a folder that holds either.
// Throws FileError: a header above 100 MB or outside the file, names or shards that occur twice, unknown types, shapes
// whose product overflows, offsets that overlap, leave the file or do not fit the shape, shard names with a path.
Safetensors read_safetensors(const std::filesystem::path& path);
// `owner` keeps the bytes alive; `name` is for messages.
Safetensors parse_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                              const std::string& name);
// Whether the bytes begin like such a file.
bool looks_like_safetensors(std::span<const std::byte> bytes);

// Writes in chunks, strided tensors too; pages of mapped sources are given back as they have been written, so that
// memory stays small whatever the size. `progress` is told the bytes of each chunk. Not atomic (base/atomic_output.h).
// Throws UsageError for a type that cannot be stored (complex128, text), or when writing fails.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       const std::function<void(uint64_t)>& progress = {});

}  // namespace godwit::formats

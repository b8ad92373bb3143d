// Tensors as torch pickles spell them: storages named by persistent ids, and the calls that make views of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/tensor.h"
#include "formats/pickle.h"

namespace godwit::formats {

struct TorchStorage {
  DType dtype = DType::f32;
  std::string key;  // storages with one key share memory
  int64_t count = 0;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// "FloatStorage" -> f32; unset for types that are no tensors of ours (quantized, sparse).
std::optional<DType> storage_dtype(std::string_view name);

// Bytes of the storage with this key and dtype. `bytes` may be longer than needed, never shorter.
using FindStorage = std::function<TorchStorage(DType dtype, const std::string& key, int64_t count)>;

// Checks a ('storage', type, key, location, count) id and finds its bytes. Throws FileError.
TorchStorage read_storage(const pickle::Node& id, const FindStorage& find, const std::string& what);

// Whether a node is a call that makes a tensor (or a parameter).
bool is_tensor_call(const pickle::Node& node);

// The tensor of such a call: bounds of offset, shape and strides are checked against the storage.
struct TorchTensor {
  Tensor tensor;
  std::string storage_key;
};
TorchTensor read_tensor(const pickle::Node& call, const FindStorage& find, const std::string& what);

// The globals that tensors need, storages and dtypes included.
bool is_tensor_global(std::string_view name);

}  // namespace godwit::formats

// ONNX files as plain structs (onnx.proto, IR versions 3 to 14).
//
// The reader is bounded: nesting, counts and tensor sizes are checked before anything of that size is allocated.
// Large raw tensors point into the mapped file (or the mapped external data file) and are not copied.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/tensor.h"

namespace godwit::onnx {

struct NamedTensor {
  std::string name;
  Tensor tensor;                     // dtype `text`: only the shape counts
  std::vector<std::string> strings;  // elements of a text tensor
};

struct Dimension {
  std::optional<int64_t> value;
  std::string param;  // empty and no value: unset
};

struct ValueType {
  enum class Kind : uint8_t { none, tensor, sequence, optional, map, sparse, opaque };
  Kind kind = Kind::none;
  std::optional<DType> dtype;                   // tensor, sparse
  std::optional<std::vector<Dimension>> shape;  // unset: unknown rank
  std::shared_ptr<const ValueType> element;     // sequence, optional
};

struct ValueInfo {
  std::string name;
  ValueType type;
};

struct Graph;

struct Attribute {
  enum class Type : int32_t {
    undefined = 0,
    real = 1,
    integer = 2,
    text = 3,
    tensor = 4,
    graph = 5,
    reals = 6,
    integers = 7,
    texts = 8,
    tensors = 9,
    graphs = 10,
    sparse_tensor = 11,
    sparse_tensors = 12,
    type_proto = 13,
    type_protos = 14,
  };
  std::string name, reference;  // reference: the function's attribute that gives the value
  Type type = Type::undefined;
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::shared_ptr<const NamedTensor> tensor;  // sparse tensors are expanded
  std::shared_ptr<const Graph> graph;
  std::shared_ptr<const ValueType> value_type;
};

struct Node {
  std::string name, op, domain, overload;
  std::vector<std::string> inputs, outputs;  // an empty name: omitted
  std::vector<Attribute> attributes;

  const Attribute* find(std::string_view attribute) const;
};

struct Graph {
  std::string name;
  std::vector<Node> nodes;
  std::vector<NamedTensor> initializers;
  std::vector<ValueInfo> inputs, outputs, value_info;
};

using Opsets = std::map<std::string, int64_t, std::less<>>;  // "ai.onnx" is kept as ""

struct Function {
  std::string name, domain, overload;
  std::vector<std::string> inputs, outputs;
  std::vector<std::string> attributes;  // without a default
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;
  Opsets opsets;
};

struct Model {
  int64_t ir_version = 0;
  std::string producer, producer_version;
  Opsets opsets;
  Graph graph;
  std::vector<Function> functions;
  std::map<std::string, std::string> metadata;
};

// Throws FileError naming the place: truncated, out of bounds, missing or escaping external data, unknown types.
Model read_model(const std::filesystem::path& path);
// `owner` keeps the bytes alive; `folder` is where external data may lie (empty: there must be none).
Model read_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                 const std::filesystem::path& folder = {});

// The test data of ONNX's backend suite: a TensorProto, a SequenceProto or an OptionalProto.
NamedTensor read_tensor(std::span<const std::byte> bytes);
std::vector<NamedTensor> read_sequence(std::span<const std::byte> bytes);
std::optional<std::vector<NamedTensor>> read_optional(std::span<const std::byte> bytes, bool of_sequence);

// Whether the bytes begin as an ONNX model does.
bool looks_like_onnx(std::span<const std::byte> bytes);

// The element type of a number of TensorProto.DataType; none for numbers that do not exist.
std::optional<DType> dtype_of(int64_t number);

// Number of nodes, those of subgraphs and functions included.
size_t node_count(const Model& model);

}  // namespace godwit::onnx

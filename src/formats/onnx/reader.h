// What the parts of the reader share: the budget that bounds a file, and where its tensors may lie.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/mapped_file.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/wire.h"

namespace godwit::onnx {

struct Limits {
  static constexpr int depth = 64;                // graphs within graphs, types within types
  static constexpr int64_t messages = 4'000'000;  // parsed messages and names of one file
  static constexpr int64_t rank = 64;
  static constexpr int64_t dense_bytes = int64_t{1} << 28;  // a sparse tensor, expanded
};

class Reader {
 public:
  Reader(std::shared_ptr<const void> owner, std::filesystem::path folder)
      : owner_(std::move(owner)), folder_(std::move(folder)) {}

  Model model(Bytes bytes);
  Graph graph(Bytes bytes, int depth);
  Function function(Bytes bytes);
  Node node(Bytes bytes, int depth);
  Attribute attribute(Bytes bytes, int depth);
  ValueInfo value_info(Bytes bytes);
  ValueType type(Bytes bytes, int depth);
  NamedTensor tensor(Bytes bytes);
  NamedTensor sparse_tensor(Bytes bytes);
  void opset(Bytes bytes, Opsets& opsets);

  // Every message that becomes a struct passes here.
  void count(int64_t n = 1);
  void check_depth(int depth, std::string_view what) const;

 private:
  // Bytes of `file` at [offset, offset + length) in the model's folder.
  Bytes external(const std::string& file, uint64_t offset, std::optional<uint64_t> length, const std::string& tensor,
                 std::shared_ptr<const void>& owner);

  std::shared_ptr<const void> owner_;
  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
  int64_t used_ = 0;
};

std::pair<std::string, std::string> read_entry(Bytes bytes);

}  // namespace godwit::onnx

// Shape and dtype inference: what a row's inference function sees, and the functions that many rows share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ops/op.h"

namespace godwit::ops {

class InferContext {
 public:
  InferContext(const ir::Node& node, const Op& op) : node_(node), op_(op) {}

  const ir::Node& node() const { return node_; }
  size_t count() const { return node_.inputs.size(); }
  bool has(size_t i) const { return i < node_.inputs.size() && node_.inputs[i]; }
  const ir::Value& input(size_t i) const;
  const ir::Type& type(size_t i) const { return input(i).type; }
  const ir::Shape& shape(size_t i) const { return input(i).shape(); }
  DType dtype(size_t i) const { return input(i).type.dtype; }
  int64_t rank(size_t i) const { return input(i).rank(); }

  ir::Dim integer(std::string_view name) const;
  const ir::Dims& integers(std::string_view name) const;
  int64_t number(std::string_view name) const;  // an integer that must be known
  double real(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  DType dtype_of(std::string_view name) const;
  const Tensor& tensor(std::string_view name) const;

  // A dimension that only the run will tell.
  static ir::Dim fresh();
  // A number that `bind` will read from a tensor: unlike other dimensions it may be negative or beyond any axis.
  static ir::Dim fresh_read();
  static bool is_read(std::string_view symbol);

  // Stops with "[conv] <message> (node encoder.conv1, model.py:41)".
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_with(fmt::format(format, std::forward<Args>(args)...));
  }
  // A negative axis counts from the end; out of range fails.
  int64_t axis(const ir::Dim& axis, int64_t rank) const;
  std::vector<int64_t> axes(std::string_view name, int64_t rank) const;  // sorted, distinct

 private:
  [[noreturn]] void fail_with(const std::string& message) const;
  const ir::Attr& attr(std::string_view name) const;

  const ir::Node& node_;
  const Op& op_;
};

// NumPy broadcasting. Two unequal symbols give a fresh one; a symbol against a number other than 1 gives the number.
ir::Shape broadcast(const ir::Shape& a, const ir::Shape& b, const InferContext& context);

namespace infer {
using Types = std::vector<ir::Type>;

Types same(InferContext& c);            // type of operand 0
Types broadcast(InferContext& c);       // all operands broadcast, dtype of operand 0
Types broadcast_bool(InferContext& c);  // all operands broadcast, bool
Types same_bool(InferContext& c);       // shape of operand 0, bool
Types reduce(InferContext& c);          // params axes, keepdims; dtype of operand 0
Types reduce_bool(InferContext& c);
Types reduce_i64(InferContext& c);   // count-like reductions
Types shape_param(InferContext& c);  // params shape, dtype

}  // namespace infer

// Runs the row's inference and sets the types (and the known contents) of the node's outputs, making them when the
// node has none yet. Leaves them unknown when an operand's type is unknown or the op has no row.
void infer_node(ir::Graph& graph, ir::Node& node);

// Shape arithmetic: the elements of a small integer result as dimensions, from those of the operands.
// In content.cpp; covers the ops that exporters use to compute shapes.
std::optional<ir::Dims> infer_content(const ir::Node& node, size_t output = 0);
// What is known of a value: its content, or the elements of a small integer constant.
std::optional<ir::Dims> known_content(const ir::Value* value);
// True where the number cannot be below `least`, given that dimensions are not negative; false where it may be.
bool is_at_least(const ir::Dim& dim, int64_t least);

}  // namespace godwit::ops

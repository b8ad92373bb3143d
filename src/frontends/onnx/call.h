// One ONNX node being translated: its inputs, its attributes, and the builder to write with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "frontends/onnx/importer.h"

namespace godwit::frontends::onnx {

class Call {
 public:
  Call(Importer& importer, const file::Node& node, Scope& scope, int64_t opset, Values inputs)
      : importer(importer), b(importer.builder()), node(node), scope(scope), opset(opset), inputs(std::move(inputs)) {}

  Importer& importer;
  ops::Builder& b;
  const file::Node& node;
  Scope& scope;
  const int64_t opset;  // of the node's domain
  const Values inputs;

  size_t count() const { return inputs.size(); }
  bool has(size_t i) const { return i < inputs.size() && inputs[i]; }
  Value* in(size_t i) const;  // must be there
  Value* maybe(size_t i) const { return has(i) ? inputs[i] : nullptr; }
  DType dtype(size_t i = 0) const { return in(i)->dtype(); }
  int64_t rank(size_t i = 0) const { return in(i)->rank(); }
  bool wants(size_t output) const { return output < node.outputs.size() && !node.outputs[output].empty(); }

  // Attributes; references to a function's attributes are followed.
  const file::Attribute* attribute(std::string_view name) const;
  bool has_attribute(std::string_view name) const { return attribute(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t fallback) const;
  bool flag(std::string_view name, bool fallback = false) const { return integer(name, fallback) != 0; }
  double real(std::string_view name, double fallback) const;
  std::string text(std::string_view name, std::string_view fallback = "") const;
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> fallback = {}) const;
  std::vector<double> reals(std::string_view name, std::vector<double> fallback = {}) const;
  std::vector<std::string> texts(std::string_view name) const;
  DType dtype_attribute(std::string_view name, DType fallback) const;
  const file::Graph& graph(std::string_view name) const;

  // Elements of an integer input.
  ir::Dims dims(size_t input) const { return importer.read(in(input)); }
  ir::Dim dim(size_t input) const;
  // The same where the result's rank or the node's meaning hangs on them: they must be known now.
  std::vector<int64_t> numbers(size_t input) const;
  int64_t number(size_t input) const;
  // A real (or integer or boolean) 0-d input that must be known now.
  double constant(size_t input) const;

  // A size of an input that must be known now.
  int64_t known(const ir::Dim& size) const;
  // The shape of a value with at least so many axes; fewer fail.
  const ir::Shape& shape(const Value* value, size_t least_rank) const;
  const ir::Dim& size(const Value* value, int64_t axis) const {
    return shape(value, static_cast<size_t>(axis) + 1)[static_cast<size_t>(axis)];
  }

  int64_t axis(int64_t axis, int64_t rank) const;  // counted from the front; out of range fails

  // Shorthands
  Value* op(std::string_view name, Values operands, ir::Attrs attrs = {}) const {
    return b.op(name, std::move(operands), std::move(attrs));
  }
  Value* scalar(double value, const Value* like) const { return b.scalar(like->dtype(), value); }
  Value* cast(Value* value, DType to) const { return b.cast(value, to); }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_with(fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  [[noreturn]] void fail_with(const std::string& message) const;
  const file::Attribute* typed(std::string_view name, file::Attribute::Type type) const;
};

using Translator = std::function<Values(Call&)>;

struct Row {
  std::string op;
  Translator translate;
};
using Rows = std::vector<Row>;

// Every dimension of 0..rank-1.
ir::Dims all_axes(int64_t rank);
ir::Dims to_dims(const std::vector<int64_t>& values);

}  // namespace godwit::frontends::onnx

// What a translator sees: the arguments of one operator call by their schema names, and the builder to write with.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "frontends/aten/schema.h"
#include "frontends/aten/value.h"
#include "ops/builder.h"

namespace godwit::frontends::aten {

// An operator, or a use of it, that has no translation: becomes an `unsupported.*` node.
class Unsupported : public UsageError {
 public:
  using UsageError::UsageError;
};

// The state of one translation: one per imported graph.
struct Session {
  explicit Session(ops::Builder& b) : builder(b), heap(b) {}

  ops::Builder& builder;
  Heap heap;
  // Inside an autocast region: the type that matrix products are computed in.
  std::optional<DType> autocast;
  // The types that the source says the next call returns (pt2); empty where it does not say.
  std::vector<std::optional<ir::Type>> expected;
  std::map<std::string, int> warnings;  // text -> how often

  void warn(const std::string& text) { ++warnings[text]; }
  Value tensor(ir::Value* value) { return heap.make(value); }
};

class Context {
 public:
  // `arguments` is parallel to schema.arguments: defaults are filled in.
  Context(Session& session, const Schema& schema, const Values& arguments)
      : session(session), b(session.builder), schema(schema), arguments_(arguments) {}

  Session& session;
  ops::Builder& b;
  const Schema& schema;

  // --- arguments by name; a name that the schema lacks reads as None -----------------------------------------------
  const Value& get(std::string_view name) const;
  bool has(std::string_view name) const { return !get(name).is_none(); }
  bool is_none(std::string_view name) const { return get(name).is_none(); }
  TensorRef ref(std::string_view name) const;  // a tensor
  // What a tensor holds; a number becomes a 0-d constant of its default dtype.
  ir::Value* tensor(std::string_view name) const;
  ir::Value* tensor_or_null(std::string_view name) const;
  // The argument as a tensor of `dtype`: a number directly, a tensor through a cast.
  ir::Value* tensor_as(std::string_view name, DType dtype) const;
  std::vector<ir::Value*> tensors(std::string_view name) const;  // a list; items that are None give null
  ir::Dim integer(std::string_view name) const;
  ir::Dim integer(std::string_view name, const ir::Dim& fallback) const { return has(name) ? integer(name) : fallback; }
  int64_t number(std::string_view name) const;  // an integer that must be known
  int64_t number(std::string_view name, int64_t fallback) const { return has(name) ? number(name) : fallback; }
  double real(std::string_view name) const;
  double real(std::string_view name, double fallback) const { return has(name) ? real(name) : fallback; }
  bool flag(std::string_view name) const;  // None reads as false
  const std::string& text(std::string_view name) const;
  ir::Dims dims(std::string_view name, size_t count = 0) const;  // count > 0: a single item stands for all
  std::vector<int64_t> numbers(std::string_view name, size_t count = 0) const;
  std::vector<double> reals(std::string_view name) const;
  std::vector<bool> flags(std::string_view name) const;
  std::optional<DType> dtype(std::string_view name = "dtype") const;

  // An axis argument, counted from the front.
  int64_t axis(std::string_view name, int64_t rank) const { return wrap(number(name), rank); }
  int64_t wrap(int64_t axis, int64_t rank) const;
  // A list of axes (or one); None or an empty list means all.
  std::vector<int64_t> axes_or_all(std::string_view name, int64_t rank) const;

  // --- dtypes -------------------------------------------------------------------------------------------------------
  // PyTorch's result type of the named arguments: tensors, 0-d tensors and numbers rank in that order.
  DType result_type(std::initializer_list<std::string_view> names) const;
  DType result_type(const std::vector<Value>& values) const;
  // The named arguments as tensors of their result type (or of `to`).
  std::vector<ir::Value*> promoted(std::initializer_list<std::string_view> names) const;
  std::vector<ir::Value*> as(DType to, std::initializer_list<std::string_view> names) const;
  // Integers and bools become the default float type, floats stay.
  ir::Value* floating(ir::Value* v) const;
  // What the source says output i is; unset where it does not.
  std::optional<ir::Type> expected(size_t i = 0) const;
  ir::Value* to_tensor(const Value& value, std::optional<DType> dtype = std::nullopt) const;

  // --- building -----------------------------------------------------------------------------------------------------
  ir::Value* op(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs = {}) const {
    return b.op(name, std::move(inputs), std::move(attrs));
  }
  ir::Value* cast(ir::Value* v, DType to) const { return b.cast(v, to); }
  ir::Value* scalar(DType dtype, double v) const { return b.scalar(dtype, v); }
  // The same number in the dtype of `like`.
  ir::Value* scalar_like(const ir::Value* like, double v) const { return b.scalar(like->dtype(), v); }

  Value result(ir::Value* v) const { return session.heap.make(v); }
  Values results(const std::vector<ir::Value*>& values) const;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw UsageError(fmt::format("[{}] ", schema.full_name()) + fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  [[noreturn]] void unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    throw Unsupported(fmt::format("[{}] ", schema.full_name()) + fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const Values& arguments_;
};

}  // namespace godwit::frontends::aten

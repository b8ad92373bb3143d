// What is known of values at import: constants, shapes, and small computations on them.
#include "executors/mlx/executor.h"
#include "frontends/onnx/importer.h"

namespace godwit::frontends::onnx {
namespace {

constexpr int64_t max_folded = 1 << 16;  // elements
constexpr int max_depth = 256;           // producers behind producers

Tensor of_content(const ir::Dims& content, const Value& value) {
  std::vector<int64_t> numbers = ir::values(content);
  if (value.dtype() == DType::i32) {
    std::vector<int32_t> narrow(numbers.begin(), numbers.end());
    return Tensor::of(DType::i32, ir::values(value.shape()), narrow);
  }
  return Tensor::of(DType::i64, ir::values(value.shape()), numbers);
}

bool is_small(const Value* v) {
  if (!v->type.shape || v->type.sequence || !ir::is_known(*v->type.shape) || v->dtype() == DType::text) return false;
  int64_t size = 1;
  for (const ir::Dim& d : *v->type.shape)
    if (d.value() < 0 || __builtin_mul_overflow(size, d.value(), &size) || size > max_folded) return false;
  return true;
}

}  // namespace

const std::optional<Tensor>& Importer::fold_memo(const Value* value, int depth) {
  if (auto found = folded_.find(value); found != folded_.end()) return found->second;
  return folded_.emplace(value, fold(value, depth)).first->second;
}

std::optional<Tensor> Importer::fold(const Value* value, int depth) {
  if (const Tensor* t = ops::constant_of(builder_.module(), value)) return *t;
  if (!is_small(value) || depth >= max_depth) return std::nullopt;
  if (value->content && ir::is_known(*value->content) && (value->dtype() == DType::i64 || value->dtype() == DType::i32))
    return of_content(*value->content, *value);
  const ir::Node* node = value->producer;
  if (!node || !node->regions.empty()) return std::nullopt;
  std::vector<Tensor> operands;
  for (const Value* v : node->inputs) {
    if (!v) continue;
    if (!is_small(v)) return std::nullopt;
    const std::optional<Tensor>& t = fold_memo(v, depth + 1);
    if (!t) return std::nullopt;
    operands.push_back(*t);
  }
  for (const Value* v : node->outputs)
    if (!is_small(v)) return std::nullopt;
  auto results = executors::evaluate(*node, operands);
  if (!results) return std::nullopt;
  for (size_t i = 0; i < node->outputs.size(); ++i)
    if (node->outputs[i] == value) return results->at(i);
  return std::nullopt;
}

const Tensor* Importer::known(const Value* value) {
  if (!value || value->type.sequence) return nullptr;
  const std::optional<Tensor>& t = fold_memo(value, 0);
  return t ? &*t : nullptr;
}

std::optional<ir::Dims> Importer::content(const Value* value) {
  if (value->content) return value->content;
  const Tensor* t = known(value);
  if (!t) return std::nullopt;
  ir::Dims out;
  for (int64_t i = 0; i < t->size(); ++i) out.push_back(t->integer(i));
  return out;
}

ir::Dims Importer::read(Value* value) {
  if (auto elements = content(value)) return *elements;
  require<UsageError>(value->type.shape && ir::is_known(*value->type.shape),
                      "a shape of unknown length ({}) must be known at conversion", ir::str(value->type));
  ir::Dims out = builder_.read(value);
  if (!bound_.empty()) bound_.back().push_back(value);
  return out;
}

Importer::Region::~Region() {
  for (Value* v : importer_.bound_.back()) v->content.reset();
  importer_.bound_.pop_back();
}

}  // namespace godwit::frontends::onnx

// Small helpers that the evaluator's files share.
#pragma once

#include <optional>

#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {

// Programs nest calls and blocks; hostile ones without end.
class Evaluator::Deeper {
 public:
  explicit Deeper(Evaluator& evaluator) : evaluator_(evaluator) {
    if (++evaluator_.depth_ <= 2'500) return;
    --evaluator_.depth_;
    evaluator_.fail("calls are nested too deep");
  }
  ~Deeper() { --evaluator_.depth_; }
  Deeper(const Deeper&) = delete;

 private:
  Evaluator& evaluator_;
};

// The value of a tensor or run-time number that a `constant` node makes.
using TensorConstant = const Tensor*;
inline TensorConstant constant_tensor(ops::Builder& builder, const Value& value) {
  const ir::Value* v = nullptr;
  if (auto* run = value.get<aten::RunNumber>()) v = run->value;
  if (auto* t = value.get<aten::TensorRef>()) v = t->read();
  return v ? ops::constant_of(builder.module(), v) : nullptr;
}

}  // namespace godwit::frontends::torchscript

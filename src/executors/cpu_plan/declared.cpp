#include "executors/cpu_plan/declared.h"

#include "base/error.h"
#include "ops/infer.h"

namespace godwit::executors::plan {
namespace {

// False where both sizes are known and differ. What inference leaves open only the run will tell.
bool agree(const ir::Type& declared, const ir::Type& given, const ir::Dim::Env& env) {
  if (declared.sequence != given.sequence || declared.dtype != given.dtype) return false;
  if (!declared.shape || !given.shape) return true;
  if (declared.shape->size() != given.shape->size()) return false;
  for (size_t i = 0; i < given.shape->size(); ++i) {
    const std::optional<int64_t> a = (*declared.shape)[i].try_eval(env), b = (*given.shape)[i].try_eval(env);
    if (a && b && *a != *b) return false;
  }
  return true;
}

}  // namespace

void check_declared(const ir::Node& node, const ir::Dim::Env& env) {
  const ops::Op* op = ops::find(node.op);
  if (!op || !op->infer || !node.regions.empty()) return;
  for (const ir::Value* v : node.inputs)
    if (v && !v->type.shape && !v->type.sequence) return;
  std::vector<ir::Type> given;
  try {
    ops::InferContext context(node, *op);
    given = op->infer(context);
  } catch (const UsageError& refusal) {
    throw CannotPlan{&node, refusal.what()};
  }
  bool fits = given.size() >= node.outputs.size();
  for (size_t i = 0; fits && i < node.outputs.size(); ++i) fits = agree(node.outputs[i]->type, given[i], env);
  if (!fits) throw CannotPlan{&node, "the graph declares another result than the node gives"};
}

}  // namespace godwit::executors::plan

#include "passes/rewrite.h"

#include "ops/builder.h"
#include "ops/infer.h"

namespace godwit::passes {

ir::Value* Rewriter::insert(ir::Graph::Nodes::iterator before, const ir::Node& origin, std::string_view op,
                            std::vector<ir::Value*> inputs, ir::Attrs attrs) {
  auto node = std::make_unique<ir::Node>();
  node->op = op;
  node->inputs = std::move(inputs);
  while (!node->inputs.empty() && !node->inputs.back()) node->inputs.pop_back();
  node->attrs = std::move(attrs);
  node->place = origin.place;
  node->scope = origin.scope;
  ops::infer_node(graph_, *node);
  ir::Value* out = node->output();
  graph_.nodes.insert(before, std::move(node));
  return out;
}

ir::Value* Rewriter::constant(ir::Graph::Nodes::iterator before, const ir::Node& origin, const Tensor& tensor) {
  return insert(before, origin, "constant", {}, {{"value", tensor.contiguous()}});
}

ir::Value* Rewriter::new_weight(const std::string& name, const Tensor& tensor) {
  std::string unique = name;
  for (int i = 1; module_.weights.contains(unique); ++i) unique = fmt::format("{}.{}", name, i);
  module_.weights.emplace(unique, tensor);
  return root_.weight(unique, {tensor.dtype, ir::dims(tensor.shape)});
}

ir::Value* Rewriter::resolve(ir::Value* v) const {
  for (auto found = replaced_.find(v); found != replaced_.end(); found = replaced_.find(v)) v = found->second;
  return v;
}

bool Rewriter::finish() {
  ir::replace_uses(root_, replaced_);
  return !replaced_.empty();
}

bool for_each_graph(ir::Graph& root, const std::function<bool(ir::Graph&)>& visit) {
  bool changed = visit(root);
  for (auto& node : root.nodes)
    for (auto& region : node->regions) changed |= for_each_graph(*region, visit);
  return changed;
}

const Tensor* constant(const ir::Module& module, const ir::Value* v) { return ops::constant_of(module, v); }

std::optional<double> scalar(const ir::Module& module, const ir::Value* v) {
  const Tensor* t = constant(module, v);
  if (!t || t->size() != 1 || is_complex(t->dtype) || is_small_float(t->dtype)) return std::nullopt;
  return t->number(0);
}

}  // namespace godwit::passes

#include <map>

#include "base/error.h"

#include "ir/text.h"
#include "ops/op.h"
#include "passes/pass.h"

namespace godwit::passes {
namespace {

// Values by what computes them: op, operands, attributes. Regions see what their surroundings hold.
class Merger {
 public:
  bool run(ir::Graph& graph, const std::map<std::string, ir::Node*>& outer) {
    std::map<std::string, ir::Node*> seen = outer;
    for (auto& node : graph.nodes) {
      for (ir::Value*& v : node->inputs) v = resolve(v);
      for (auto& region : node->regions) run(*region, seen);
      const ops::Op* op = ops::find(node->op);
      if (!op || !op->is_pure || !node->regions.empty() || node->outputs.empty()) continue;
      auto [found, is_new] = seen.emplace(key(*node), node.get());
      if (is_new) continue;
      for (size_t i = 0; i < node->outputs.size(); ++i) replaced_[node->outputs[i]] = found->second->outputs[i];
    }
    for (ir::Value*& v : graph.outputs) v = resolve(v);
    for (ir::State& s : graph.states) s.after = resolve(s.after);
    return !replaced_.empty();
  }

 private:
  ir::Value* resolve(ir::Value* v) const {
    for (auto found = replaced_.find(v); v && found != replaced_.end(); found = replaced_.find(v)) v = found->second;
    return v;
  }

  static std::string key(const ir::Node& node) {
    std::string out = node.op + "/" + std::to_string(node.outputs.size());
    for (const ir::Value* v : node.inputs) out += fmt::format(" {}", static_cast<const void*>(v));
    for (const auto& [name, attr] : node.attrs) {
      const auto* tensor = std::get_if<Tensor>(&attr);
      // A large constant is only equal to itself: comparing text would cost more than it saves.
      out += " " + name + "=" +
             (tensor && tensor->size() > 1024 ? fmt::format("{}", static_cast<const void*>(tensor)) : ir::str(attr));
    }
    return out;
  }

  std::map<const ir::Value*, ir::Value*> replaced_;
};

}  // namespace

bool merge_common_subexpressions(ir::Module&, ir::Graph& graph) {
  const size_t before = ir::node_count(graph);
  if (!Merger().run(graph, {})) return false;
  // What nobody reads now goes at once, so that "changed" means fewer nodes.
  ir::Module none;
  remove_dead_code(none, graph);
  return ir::node_count(graph) < before;
}

}  // namespace godwit::passes

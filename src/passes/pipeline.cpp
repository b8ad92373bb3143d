#include <set>

#include "passes/pass.h"

namespace godwit::passes {

const std::vector<Pass>& pipeline() {
  static const std::vector<Pass> passes = {
      // First, so that everything after sees numbers instead of the arithmetic that exporters write for shapes.
      {"fold_shapes", fold_shapes, "shape arithmetic whose result is known becomes constants and dimensions"},
      {"fold_constants", fold_constants, "nodes on constants are computed now"},
      // Folding decides conditions; a branch that moves out brings new constants with it.
      {"resolve_conditions", resolve_conditions, "an `if` with a known condition becomes its branch"},
      {"fold_constants_of_branches", fold_constants, "what the chosen branches brought"},
      // Identities hide patterns: a cast to the same type between two steps of a norm, say.
      {"remove_identities", remove_identities, "nodes that give their operand back"},
      // Transposes that cancel bring the halves of a pattern together.
      {"cancel_transposes", cancel_transposes, "transposes that undo each other"},
      // Small patterns before large ones: softmax written out must be one node before attention is looked for.
      {"fuse_patterns", fuse_patterns, "decomposed norms, activations and softmax become one node"},
      {"fuse_linear", fuse_linear, "matmul with a constant matrix, and the bias after it, become linear"},
      // After fuse_linear: it folds into linear as it does into conv.
      {"fold_batch_norm", fold_batch_norm, "batch norm moves into the weights of the conv or linear before it"},
      {"fuse_attention", fuse_attention, "matmul, scale, mask, softmax, matmul become attention"},
      {"fold_new_weights", fold_constants, "weights that fusions left as expressions of weights"},
      {"remove_leftovers", remove_identities, "identities that fusions left"},
  };
  return passes;
}

namespace {

void clean(ir::Module& module, ir::Graph& graph) {
  while (remove_dead_code(module, graph) | merge_common_subexpressions(module, graph)) {
  }
}

void drop_unused_weights(ir::Module& module) {
  std::set<std::string> used;
  for (auto& [name, graph] : module.graphs) {
    const auto uses = ir::use_counts(graph);
    for (auto w = graph.weights.begin(); w != graph.weights.end();) {
      const bool is_used = uses.contains(w->second);
      if (is_used) used.insert(w->first);
      w = is_used ? std::next(w) : graph.weights.erase(w);
    }
  }
  std::erase_if(module.weights, [&](const auto& entry) { return !used.contains(entry.first); });
}

}  // namespace

void optimize(ir::Module& module, const Observer& observer) {
  for (auto& [name, graph] : module.graphs) {
    clean(module, graph);
    for (const Pass& pass : pipeline()) {
      if (!pass.run(module, graph)) continue;
      clean(module, graph);
      if (observer) observer(pass, graph);
    }
  }
  drop_unused_weights(module);
}

}  // namespace godwit::passes

#include "ops/hoist.h"

#include "base/error.h"
#include "ops/op.h"

namespace godwit::ops {
namespace {

std::string unused_name(const ir::Module& module, const ir::Graph& root, const ir::Node& node) {
  const std::string base = node.scope.empty() ? "constant" : node.scope + ".constant";
  for (size_t i = 0;; ++i) {
    std::string name = i == 0 ? base : fmt::format("{}_{}", base, i);
    if (!module.weights.contains(name) && !root.weights.contains(name)) return name;
  }
}

bool is_large(const ir::Node& node, int64_t limit) {
  if (node.op != "constant") return false;
  const auto& tensor = std::get<Tensor>(*node.find("value"));
  // What safetensors cannot hold stays in the text.
  return tensor.size() > limit && tensor.dtype != DType::c128 && tensor.dtype != DType::text;
}

void hoist_in(ir::Module& module, ir::Graph& root, ir::Graph& graph, int64_t limit,
              std::map<const ir::Value*, ir::Value*>& moved) {
  for (auto& node : graph.nodes) {
    for (auto& region : node->regions) hoist_in(module, root, *region, limit, moved);
    if (!is_large(*node, limit)) continue;
    const auto& tensor = std::get<Tensor>(*node->find("value"));
    const std::string name = unused_name(module, root, *node);
    module.weights[name] = tensor;
    moved[node->output()] = root.weight(name, node->output()->type);
  }
}

void erase_moved(ir::Graph& graph, const std::map<const ir::Value*, ir::Value*>& moved) {
  graph.nodes.remove_if([&](const auto& node) { return node->outputs.size() == 1 && moved.contains(node->output()); });
  for (auto& node : graph.nodes)
    for (auto& region : node->regions) erase_moved(*region, moved);
}

}  // namespace

void hoist_constants(ir::Module& module, int64_t limit) {
  for (auto& [name, graph] : module.graphs) {
    std::map<const ir::Value*, ir::Value*> moved;
    hoist_in(module, graph, graph, limit, moved);
    ir::replace_uses(graph, moved);
    erase_moved(graph, moved);
  }
}

}  // namespace godwit::ops

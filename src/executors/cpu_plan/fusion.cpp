#include "executors/cpu_plan/fusion.h"

#include <algorithm>
#include <set>

namespace godwit::executors::plan {
namespace {

// The nodes that read each value; null stands for a reader that is no plain node (outputs, states, regions).
using Readers = std::unordered_map<const ir::Value*, std::vector<const ir::Node*>>;

Readers readers_of(const ir::Graph& graph) {
  Readers readers;
  for (const auto& node : graph.nodes) {
    for (const ir::Value* v : node->inputs)
      if (v) readers[v].push_back(node->regions.empty() ? node.get() : nullptr);
    for (const auto& region : node->regions) {
      ir::for_each_node(*region, [&](const ir::Node& inner, const ir::Graph&) {
        for (const ir::Value* v : inner.inputs)
          if (v) readers[v].push_back(nullptr);
      });
      for (const ir::Value* v : region->outputs) readers[v].push_back(nullptr);
    }
  }
  for (const ir::Value* v : graph.outputs) readers[v].push_back(nullptr);
  for (const ir::State& state : graph.states) readers[state.after].push_back(nullptr);
  return readers;
}

}  // namespace

void Fusion::analyse(const ir::Graph& graph, const Size& shape, IsElementwise is_elementwise, CanAnchor can_anchor) {
  const Readers readers = readers_of(graph);
  std::unordered_map<const ir::Node*, const ir::Node*> end_of;  // elementwise node -> last node of its group
  // The group that all readers of a value belong to, where the value has the group's shape.
  auto group_of_readers = [&](const ir::Value* v) -> const ir::Node* {
    auto found = readers.find(v);
    if (found == readers.end()) return nullptr;
    const ir::Node* end = nullptr;
    for (const ir::Node* reader : found->second) {
      auto member = reader ? end_of.find(reader) : end_of.end();
      if (member == end_of.end() || (end && end != member->second)) return nullptr;
      end = member->second;
    }
    return end && shape(v) == shape(end->output()) ? end : nullptr;
  };
  for (auto it = graph.nodes.rbegin(); it != graph.nodes.rend(); ++it) {
    const ir::Node* node = it->get();
    if (!is_elementwise(*node)) continue;
    const ir::Node* end = group_of_readers(node->output());
    end_of[node] = end ? end : node;
  }
  for (const auto& node : graph.nodes) {
    if (auto member = end_of.find(node.get()); member != end_of.end()) {
      by_end_[member->second].nodes.push_back(node.get());
      if (member->second != node.get()) absorbed_.insert(node.get());
    } else if (node->outputs.size() == 1 && can_anchor(*node)) {
      const ir::Node* end = group_of_readers(node->output());
      if (end && is_float(end->output()->dtype())) by_end_[end].anchor = node.get();
    }
  }
  for (const auto& [end, group] : by_end_) {
    if (!group.anchor) continue;
    end_of_anchor_[group.anchor] = end;
    absorbed_.insert(group.anchor);
    absorbed_.insert(end);
  }
}

const Group* Fusion::ending(const ir::Node* node) const {
  auto found = by_end_.find(node);
  return found == by_end_.end() ? nullptr : &found->second;
}

const Group* Fusion::anchored(const ir::Node* node) const {
  auto found = end_of_anchor_.find(node);
  return found == end_of_anchor_.end() ? nullptr : ending(found->second);
}

}  // namespace godwit::executors::plan

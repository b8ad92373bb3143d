// Which elementwise nodes are computed together. A group is a tree of nodes of one result shape, each read once, by the
// next; it is one pass over the data. Where one leaf is made by a kernel that can finish its result while it is in
// cache (matmul, linear, conv, norm), the group is anchored to that node.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace godwit::executors::plan {

struct Group {
  std::vector<const ir::Node*> nodes;  // in order; the last makes the result
  const ir::Node* anchor = nullptr;

  const ir::Value* result() const { return nodes.back()->output(); }
};

class Fusion {
 public:
  // `is_elementwise` says whether a node may join a group, `same_shape` whether two values have one shape.
  using IsElementwise = bool (*)(const ir::Node&);
  using CanAnchor = bool (*)(const ir::Node&);
  using Size = std::function<std::vector<int64_t>(const ir::Value*)>;
  void analyse(const ir::Graph& graph, const Size& shape, IsElementwise is_elementwise, CanAnchor can_anchor);

  // The group that ends with this node; null where it ends none.
  const Group* ending(const ir::Node* node) const;
  // The group anchored at this node.
  const Group* anchored(const ir::Node* node) const;
  // True where the node is done as part of a later one.
  bool is_absorbed(const ir::Node* node) const { return absorbed_.contains(node); }

 private:
  std::unordered_map<const ir::Node*, Group> by_end_;
  std::unordered_map<const ir::Node*, const ir::Node*> end_of_anchor_;
  std::unordered_set<const ir::Node*> absorbed_;
};

}  // namespace godwit::executors::plan

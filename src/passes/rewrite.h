// Small tools that passes share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace godwit::passes {

// A pass's view of one graph (not of its regions): inserts nodes before others and redirects readers at the end.
class Rewriter {
 public:
  Rewriter(ir::Module& module, ir::Graph& root, ir::Graph& graph) : module_(module), root_(root), graph_(graph) {}

  // New node in front of `before`, types inferred; it inherits the place and scope of `origin`.
  ir::Value* insert(ir::Graph::Nodes::iterator before, const ir::Node& origin, std::string_view op,
                    std::vector<ir::Value*> inputs, ir::Attrs attrs = {});
  ir::Value* constant(ir::Graph::Nodes::iterator before, const ir::Node& origin, const Tensor& tensor);
  // A tensor of the weight store under a new name that starts with `name`.
  ir::Value* new_weight(const std::string& name, const Tensor& tensor);

  void replace(const ir::Value* old_value, ir::Value* new_value) { replaced_[old_value] = new_value; }
  ir::Value* resolve(ir::Value* v) const;
  bool finish();  // redirects readers in the whole root graph; true when anything was replaced

  ir::Module& module() { return module_; }

 private:
  ir::Module& module_;
  ir::Graph& root_;
  ir::Graph& graph_;
  std::map<const ir::Value*, ir::Value*> replaced_;
};

// Calls visit(graph) for the graph and every region in it, innermost last. True when any call returned true.
bool for_each_graph(ir::Graph& root, const std::function<bool(ir::Graph&)>& visit);

// The tensor of a constant or weight, else null.
const Tensor* constant(const ir::Module& module, const ir::Value* v);
// The single element of a constant with one element.
std::optional<double> scalar(const ir::Module& module, const ir::Value* v);

inline bool is_op(const ir::Value* v, std::string_view op) { return v && v->producer && v->producer->op == op; }

// An attribute of the node or the row's default.
template <class T>
const T& attr(const ir::Node& node, std::string_view name);

}  // namespace godwit::passes

#include "ops/op.h"

template <class T>
const T& godwit::passes::attr(const ir::Node& node, std::string_view name) {
  return std::get<T>(ops::attribute(node, *ops::get(node.op).find(name)));
}

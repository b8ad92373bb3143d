#include <algorithm>

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

bool all_zero(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const ir::Dim& d) { return d.is(0); });
}

// x + 0, x - 0, x * 1, x / 1, x ** 1: the operand on the left that is given back, or null.
ir::Value* neutral(const ir::Module& module, const ir::Node& node) {
  const bool additive = node.op == "add" || node.op == "subtract";
  const bool multiplicative = node.op == "multiply" || node.op == "divide" || node.op == "power";
  if (!additive && !multiplicative) return nullptr;
  const double wanted = additive ? 0 : 1;
  if (scalar(module, node.inputs[1]) == wanted) return node.inputs[0];
  if ((node.op == "add" || node.op == "multiply") && scalar(module, node.inputs[0]) == wanted) return node.inputs[1];
  return nullptr;
}

bool is_identity_permutation(const ir::Dims& axes) {
  for (size_t i = 0; i < axes.size(); ++i)
    if (!axes[i].is(static_cast<int64_t>(i))) return false;
  return true;
}

// The operand that the node gives back unchanged, or null. The caller checks that the types agree.
ir::Value* given_back(const ir::Module& module, const ir::Node& node) {
  const std::string& op = node.op;
  if (node.inputs.empty() || !node.inputs[0]) return nullptr;
  ir::Value* x = node.inputs[0];
  if (op == "copy" || op == "reshape" || op == "cast" || op == "broadcast") return x;  // types decide
  if (op == "transpose") return is_identity_permutation(attr<ir::Dims>(node, "axes")) ? x : nullptr;
  if (op == "concat" && node.inputs.size() == 1) return x;
  if (op == "squeeze" || op == "expand_dims" || op == "flip") return attr<ir::Dims>(node, "axes").empty() ? x : nullptr;
  if (op == "pad") return all_zero(attr<ir::Dims>(node, "low")) && all_zero(attr<ir::Dims>(node, "high")) ? x : nullptr;
  if (op == "slice") {
    for (const ir::Dim& d : attr<ir::Dims>(node, "steps"))
      if (!d.is(1)) return nullptr;
    return all_zero(attr<ir::Dims>(node, "starts")) ? x : nullptr;  // the same shape from the start: all of it
  }
  return neutral(module, node);
}

bool same_type(const ir::Value& a, const ir::Value& b) {
  return a.type.dtype == b.type.dtype && a.type.shape && b.type.shape && *a.type.shape == *b.type.shape;
}

bool run(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    if (node.outputs.size() != 1 || !node.regions.empty() || !ops::find(node.op)) continue;
    for (ir::Value*& v : node.inputs) v = v ? rewriter.resolve(v) : nullptr;
    // Of two reshapes in a row only the second counts.
    if (node.op == "reshape" && is_op(node.inputs[0], "reshape") && !attr<bool>(node, "zero_copies") &&
        node.output()->type.shape) {
      const ir::Dims& shape = attr<ir::Dims>(node, "shape");
      const bool plain = std::none_of(shape.begin(), shape.end(), [](const ir::Dim& d) { return d.is(-1); });
      if (plain) node.inputs[0] = node.inputs[0]->producer->inputs[0];
    }
    ir::Value* x = given_back(module, node);
    if (x && same_type(*x, *node.output())) rewriter.replace(node.output(), x);
  }
  return rewriter.finish();
}

}  // namespace

bool remove_identities(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return run(module, root, g); });
}

}  // namespace godwit::passes

#include <algorithm>
#include <ranges>

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

bool same_type(const ir::Value& a, const ir::Value& b) {
  return a.type.dtype == b.type.dtype && a.type.shape && b.type.shape && *a.type.shape == *b.type.shape;
}

bool all_zero(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const ir::Dim& d) { return d.is(0); });
}

// x + 0, x - 0, x * 1, x / 1, x ** 1, x and true, x or false: the operand that is given back, or null.
ir::Value* neutral(const ir::Module& module, const ir::Node& node) {
  struct Row {
    std::string_view op;
    double neutral;
    bool either_side;
  };
  static constexpr Row rows[] = {{"add", 0, true},       {"subtract", 0, false}, {"multiply", 1, true},
                                 {"divide", 1, false},   {"power", 1, false},    {"logical_and", 1, true},
                                 {"logical_or", 0, true}};
  const auto* row = std::ranges::find(rows, node.op, &Row::op);
  if (row == std::end(rows)) return nullptr;
  if (scalar(module, node.inputs[1]) == row->neutral) return node.inputs[0];
  return row->either_side && scalar(module, node.inputs[0]) == row->neutral ? node.inputs[1] : nullptr;
}

bool keeps_order(const ir::Value* v) { return is_op(v, "reshape") || is_op(v, "expand_dims") || is_op(v, "squeeze"); }

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

// Axes of two steps as those of one: `outer` counts among all `rank` axes, `inner` among those that `outer` leaves.
ir::Dims joined_axes(ir::Dims outer, const ir::Dims& inner, int64_t rank) {
  std::vector<bool> is_outer(static_cast<size_t>(rank));
  for (const ir::Dim& d : outer) is_outer[static_cast<size_t>(d.value())] = true;
  std::vector<int64_t> others;
  for (int64_t i = 0; i < rank; ++i)
    if (!is_outer[static_cast<size_t>(i)]) others.push_back(i);
  for (const ir::Dim& d : inner) outer.push_back(others.at(static_cast<size_t>(d.value())));
  std::ranges::sort(outer, {}, [](const ir::Dim& d) { return d.value(); });
  return outer;
}

ir::Dims wrapped(ir::Dims axes, int64_t rank) {
  for (ir::Dim& d : axes)
    if (d.value() < 0) d = d + ir::Dim(rank);
  return axes;
}

// expand_dims of expand_dims, squeeze of squeeze.
bool join_steps(ir::Node& node) {
  const bool adds = node.op == "expand_dims";
  if ((!adds && node.op != "squeeze") || !is_op(node.inputs[0], node.op)) return false;
  const ir::Node& before = *node.inputs[0]->producer;
  if (!node.output()->type.shape || !before.output()->type.shape || !before.inputs[0]->type.shape) return false;
  const int64_t low = before.inputs[0]->rank(), middle = before.output()->rank(), high = node.output()->rank();
  const ir::Dims first = wrapped(attr<ir::Dims>(before, "axes"), adds ? middle : low);
  const ir::Dims second = wrapped(attr<ir::Dims>(node, "axes"), adds ? high : middle);
  node.attrs["axes"] = adds ? joined_axes(second, first, high) : joined_axes(first, second, low);
  node.inputs[0] = before.inputs[0];
  return true;
}

// Of two reshapes in a row only the second counts.
bool skip_reshape(ir::Node& node) {
  if (node.op != "reshape" || !is_op(node.inputs[0], "reshape") || attr<bool>(node, "zero_copies") ||
      !node.output()->type.shape)
    return false;
  const ir::Dims& shape = attr<ir::Dims>(node, "shape");
  if (std::ranges::any_of(shape, [](const ir::Dim& d) { return d.is(-1); })) return false;
  node.inputs[0] = node.inputs[0]->producer->inputs[0];
  return true;
}

// x ** 2 and x * x: one name for what patterns look for, and exact.
bool write_square(const ir::Module& module, ir::Node& node) {
  const bool is_square = (node.op == "power" && scalar(module, node.inputs[1]) == 2.0) ||
                         (node.op == "multiply" && node.inputs[0] == node.inputs[1]);
  if (!is_square || !same_type(*node.inputs[0], *node.output())) return false;
  node.op = "square";
  node.inputs.pop_back();
  return true;
}

bool run(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  bool changed = false;
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    if (node.outputs.size() != 1 || !node.regions.empty() || !ops::find(node.op)) continue;
    for (ir::Value*& v : node.inputs) v = v ? rewriter.resolve(v) : nullptr;
    changed |= skip_reshape(node) | write_square(module, node) | join_steps(node);
    ir::Value* x = given_back(module, node);
    // The same elements in the same order: what they were before some reshaping may be what they are now.
    if (keeps_order(node.output()))
      for (x = node.inputs[0]; keeps_order(x) && !same_type(*x, *node.output());) x = x->producer->inputs[0];
    if (x && same_type(*x, *node.output())) rewriter.replace(node.output(), x);
  }
  return rewriter.finish() | changed;
}

}  // namespace

bool remove_identities(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return run(module, root, g); });
}

}  // namespace godwit::passes

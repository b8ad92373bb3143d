// Attention written out: matmul, scale, mask, softmax, matmul.
//
// Exporters place the scale before the product (on one side or half on each), or after it; transpose the keys by a
// node of their own; add a mask; guard rows that are masked out (`where(any(score != -inf), softmax, 0)`).

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

struct Scores {
  ir::Value* q = nullptr;
  ir::Value* k_transposed = nullptr;
  ir::Value* mask = nullptr;  // added
  double scale = 1;
};

// x * c or x / c with a constant c: x, and the factor goes into `scale`.
ir::Value* peel_scale(const ir::Module& module, ir::Value* v, double& scale) {
  while (is_op(v, "multiply") || is_op(v, "divide")) {
    const ir::Node& node = *v->producer;
    auto right = scalar(module, node.inputs[1]);
    if (right) {
      scale *= node.op == "multiply" ? *right : 1 / *right;
      v = node.inputs[0];
      continue;
    }
    auto left = node.op == "multiply" ? scalar(module, node.inputs[0]) : std::nullopt;
    if (!left) break;
    scale *= *left;
    v = node.inputs[1];
  }
  return v;
}

std::optional<Scores> scores_of(const ir::Module& module, ir::Value* v) {
  Scores s;
  ir::Value* product = peel_scale(module, v, s.scale);
  if (is_op(product, "add") && product == v) {
    for (size_t side : {0, 1}) {
      double scale = 1;
      ir::Value* inner = peel_scale(module, v->producer->inputs[side], scale);
      if (!is_op(inner, "matmul")) continue;
      s.scale = scale;
      s.mask = v->producer->inputs[1 - side];
      product = inner;
      break;
    }
  }
  if (!is_op(product, "matmul")) return std::nullopt;
  s.q = peel_scale(module, product->producer->inputs[0], s.scale);
  s.k_transposed = peel_scale(module, product->producer->inputs[1], s.scale);
  return s;
}

bool swaps_last_two(const ir::Dims& axes) {
  const size_t n = axes.size();
  for (size_t i = 0; i + 2 < n; ++i)
    if (!axes[i].is(static_cast<int64_t>(i))) return false;
  return n >= 2 && axes[n - 2].is(static_cast<int64_t>(n) - 1) && axes[n - 1].is(static_cast<int64_t>(n) - 2);
}

// The keys (B, H, T, D) of a transposed (B, H, D, T): the source of a transpose, or a transpose of it.
ir::Value* keys(Rewriter& rewriter, ir::Graph::Nodes::iterator at, ir::Value* transposed) {
  if (is_op(transposed, "transpose") && swaps_last_two(attr<ir::Dims>(*transposed->producer, "axes")))
    return transposed->producer->inputs[0];
  ir::Dims swap{0, 1, 3, 2};
  return rewriter.insert(at, **at, "transpose", {transposed}, {{"axes", swap}});
}

bool is_four(const ir::Value* v) { return v->type.shape && v->rank() == 4 && is_float(v->dtype()); }

// Batch and heads must agree without broadcasting, which attention does not do.
bool same_leading(const ir::Value* a, const ir::Value* b) {
  return a->shape()[0] == b->shape()[0] && a->shape()[1] == b->shape()[1];
}

bool is_used_once(const std::map<const ir::Value*, int>& uses, const ir::Value* v) {
  auto found = uses.find(v);
  return found != uses.end() && found->second == 1;
}

bool fuse_at(Rewriter& rewriter, ir::Graph::Nodes::iterator at, const std::map<const ir::Value*, int>& uses) {
  ir::Node& node = **at;
  ir::Value* weights = rewriter.resolve(node.inputs[0]);
  ir::Value* v = rewriter.resolve(node.inputs[1]);
  if (!is_op(weights, "softmax") || !is_used_once(uses, weights) || !is_four(weights) || !is_four(v)) return false;
  const ir::Dim axis = attr<ir::Dim>(*weights->producer, "axis");
  if (!axis.is(-1) && !axis.is(3)) return false;
  ir::Value* raw = weights->producer->inputs[0];
  auto s = is_used_once(uses, raw) ? scores_of(rewriter.module(), raw) : std::nullopt;
  if (!s || !is_four(s->q) || !is_four(s->k_transposed) || !same_leading(s->q, s->k_transposed) ||
      !same_leading(s->q, v))
    return false;
  if (s->mask && (!s->mask->type.shape || s->mask->rank() > 4 || s->mask->dtype() != s->q->dtype())) return false;
  // Half of the scale may sit on a shared operand; the operand itself is what attention reads, so that is fine.
  ir::Value* k = keys(rewriter, at, s->k_transposed);
  rewriter.replace(node.output(), rewriter.insert(at, node, "attention", {s->q, k, v, s->mask}, {{"scale", s->scale}}));
  return true;
}

}  // namespace

bool fuse_attention(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& graph) {
    Rewriter rewriter(module, root, graph);
    const auto uses = ir::use_counts(root);
    for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at)
      if ((*at)->op == "matmul") fuse_at(rewriter, at, uses);
    return rewriter.finish();
  });
}

}  // namespace godwit::passes

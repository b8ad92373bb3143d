// Transposes that undo each other, also across elementwise ops.
#include <algorithm>
#include <set>

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

const std::set<std::string_view> unary{
    "abs",        "negative", "sign",       "floor",        "ceil",        "round", "sqrt", "rsqrt",
    "reciprocal", "square",   "exp",        "log",          "sin",         "cos",   "tanh", "erf",
    "relu",       "sigmoid",  "silu",       "mish",         "gelu",        "elu",   "cast", "leaky_relu",
    "softplus",   "softsign", "hard_swish", "hard_sigmoid", "logical_not", "copy"};
const std::set<std::string_view> binary{"add", "subtract", "multiply", "divide", "minimum", "maximum", "power"};

using Axes = std::vector<int64_t>;

std::optional<Axes> permutation(const ir::Value* v) {
  if (!is_op(v, "transpose")) return std::nullopt;
  Axes axes = ir::values(attr<ir::Dims>(*v->producer, "axes"));
  for (int64_t& a : axes)
    if (a < 0) a += static_cast<int64_t>(axes.size());
  return axes;
}

Axes compose(const Axes& first, const Axes& second) {
  Axes out;
  for (int64_t a : second) out.push_back(first[static_cast<size_t>(a)]);
  return out;
}

bool merge_pairs(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    if (node.op != "transpose") continue;
    ir::Value* inner = rewriter.resolve(node.inputs[0]);
    auto first = permutation(inner), second = permutation(node.output());
    if (!first || !second) continue;
    Axes both = compose(*first, *second);
    ir::Value* source = rewriter.resolve(inner->producer->inputs[0]);
    rewriter.replace(node.output(), std::is_sorted(both.begin(), both.end())
                                        ? source
                                        : rewriter.insert(at, node, "transpose", {source}, {{"axes", ir::dims(both)}}));
  }
  return rewriter.finish();
}

using Readers = std::map<const ir::Value*, std::vector<const ir::Node*>>;

bool is_elementwise(const ir::Node& node) { return unary.contains(node.op) || binary.contains(node.op); }

// Whether a transpose that undoes the permutation reads the value, directly or after elementwise ops.
bool is_undone(const ir::Value* v, const Axes& axes, const Readers& readers, int depth = 0) {
  auto found = readers.find(v);
  if (found == readers.end() || depth > 16) return false;
  for (const ir::Node* reader : found->second) {
    if (is_elementwise(*reader) && is_undone(reader->output(), axes, readers, depth + 1)) return true;
    auto back = reader->op == "transpose" ? permutation(reader->output()) : std::nullopt;
    if (!back || back->size() != axes.size()) continue;
    Axes both = compose(axes, *back);
    if (std::is_sorted(both.begin(), both.end())) return true;
  }
  return false;
}

// op(transpose(x), transpose(y)) -> transpose(op(x, y)) where a transpose after the op undoes it.
bool sink(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Readers readers;
  for (const auto& node : graph.nodes)
    for (const ir::Value* v : node->inputs) readers[v].push_back(node.get());
  Rewriter rewriter(module, root, graph);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    if (!is_elementwise(node)) continue;
    const bool is_binary = binary.contains(node.op);
    std::optional<Axes> axes;
    std::vector<ir::Value*> sources;
    for (ir::Value* v : node.inputs) {
      auto p = permutation(v);
      const bool is_scalar = is_binary && v && v->type.shape && ir::product(v->shape()).is(1);
      if (p && (!axes || *axes == *p)) {
        axes = p;
        sources.push_back(v->producer->inputs[0]);
      } else if (is_scalar) {
        sources.push_back(v);
      } else {
        sources.clear();
        break;
      }
    }
    if (!axes || sources.empty() || !is_undone(node.output(), *axes, readers)) continue;
    if (node.output()->rank() != static_cast<int64_t>(axes->size())) continue;
    ir::Value* moved = rewriter.insert(at, node, node.op, sources, node.attrs);
    rewriter.replace(node.output(), rewriter.insert(at, node, "transpose", {moved}, {{"axes", ir::dims(*axes)}}));
  }
  return rewriter.finish();
}

}  // namespace

bool cancel_transposes(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& graph) {
    bool changed = false;
    // Each round moves transposes one op further; bounded for graphs that would keep it busy.
    for (int round = 0; round < 32; ++round) {
      const bool merged = merge_pairs(module, root, graph), moved = sink(module, root, graph);
      if (!merged && !moved) break;
      changed = true;
      remove_dead_code(module, root);
    }
    return changed;
  });
}

}  // namespace godwit::passes

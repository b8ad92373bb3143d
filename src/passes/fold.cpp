// Folding: shape arithmetic, constants, conditions.
#include <cstring>
#include <set>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

constexpr size_t small_constant = 64;               // elements; larger results become weights
constexpr size_t largest_growth = size_t{1} << 20;  // bytes that a fold may add to a package

bool is_leaf(const ir::Node& node) { return node.op == "constant" || node.op == "dims" || node.op == "dim"; }

Tensor integer_tensor(DType dtype, const ir::Shape& shape, const ir::Dims& content) {
  Tensor t = Tensor::zeros(dtype, ir::values(shape));
  for (size_t i = 0; i < content.size(); ++i) {
    const int64_t v = content[i].value();
    std::memcpy(t.mutable_data() + i * item_size(dtype), &v, item_size(dtype));  // little-endian
  }
  return t;
}

// What `bind` reads gives the symbols their values: it cannot be expressed by them.
std::set<const ir::Value*> bound_values(const ir::Graph& root) {
  std::set<const ir::Value*> bound;
  ir::for_each_node(root, [&](const ir::Node& node, const ir::Graph&) {
    if (node.op == "bind") bound.insert(node.inputs.at(0));
  });
  return bound;
}

bool fold_shapes_in(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  const auto bound = bound_values(root);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    const ir::Node& node = **at;
    if (is_leaf(node) || node.outputs.size() != 1 || !node.output()->content ||
        (bound.contains(node.output()) && !ir::is_known(*node.output()->content)))
      continue;
    const ir::Value& out = *node.output();
    const ir::Dims& content = *out.content;
    if (!ir::is_known(out.shape()) || static_cast<int64_t>(content.size()) != ir::product(out.shape()).value())
      continue;
    ir::Value* folded = nullptr;
    if (ir::is_known(content))
      folded = rewriter.constant(at, node, integer_tensor(out.dtype(), out.shape(), content));
    else if (out.dtype() == DType::i64 && out.rank() == 1)
      folded = rewriter.insert(at, node, "dims", {}, {{"values", content}});
    else if (out.dtype() == DType::i64 && out.rank() == 0)
      folded = rewriter.insert(at, node, "dim", {}, {{"value", content[0]}});
    if (folded) rewriter.replace(&out, folded);
  }
  return rewriter.finish();
}

// A name for a computed weight: after the first weight that went into it, else after the node's place in the model.
std::string folded_name(const ir::Node& node) {
  for (const ir::Value* v : node.inputs)
    if (v && v->kind == ir::Value::Kind::weight) return v->name + "." + node.op;
  return (node.scope.empty() ? "folded" : node.scope) + "." + node.op;
}

std::optional<std::vector<Tensor>> constant_inputs(const ir::Module& module, const Rewriter& rewriter,
                                                   const ir::Node& node) {
  std::vector<Tensor> inputs;
  for (ir::Value* v : node.inputs) {
    if (!v) continue;
    const Tensor* t = constant(module, rewriter.resolve(v));
    if (!t) return std::nullopt;
    inputs.push_back(*t);
  }
  return inputs;
}

bool fold_constants_in(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    const ir::Node& node = **at;
    if (is_leaf(node) || node.outputs.empty() || !node.regions.empty()) continue;
    auto inputs = constant_inputs(module, rewriter, node);
    if (!inputs) continue;
    size_t before = 0, after = 0;
    for (const Tensor& t : *inputs) before += t.nbytes();
    bool known = true;
    for (const ir::Value* v : node.outputs) {
      known = known && v->type.shape && !v->type.sequence;
      if (known && ir::is_known(v->shape()))
        after += static_cast<size_t>(ir::product(v->shape()).value()) * item_size(v->dtype());
    }
    if (!known || (after > before && after > largest_growth)) continue;
    auto results = executors::evaluate(node, *inputs);
    if (!results) continue;
    for (size_t i = 0; i < results->size(); ++i) {
      const Tensor& t = (*results)[i];
      rewriter.replace(node.outputs[i], t.size() <= static_cast<int64_t>(small_constant)
                                            ? rewriter.constant(at, node, t)
                                            : rewriter.new_weight(folded_name(node), t));
    }
  }
  return rewriter.finish();
}

bool resolve_in(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  std::vector<std::unique_ptr<ir::Node>> done;  // kept until readers have moved
  for (auto at = graph.nodes.begin(); at != graph.nodes.end();) {
    ir::Node& node = **at;
    auto condition = node.op == "if" ? scalar(module, node.inputs.at(0)) : std::nullopt;
    if (!condition) {
      ++at;
      continue;
    }
    ir::Graph& branch = *node.regions.at(*condition != 0 ? 0 : 1);
    for (size_t i = 0; i < node.outputs.size(); ++i) rewriter.replace(node.outputs[i], branch.outputs[i]);
    graph.adopt_values(branch);
    const bool first = branch.nodes.empty();
    auto start = first ? std::next(at) : branch.nodes.begin();
    graph.nodes.splice(at, branch.nodes);
    done.push_back(std::move(*at));
    auto after = graph.nodes.erase(at);
    at = first ? after : start;  // nested conditions of the branch are looked at next
  }
  return rewriter.finish();
}

}  // namespace

bool fold_shapes(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return fold_shapes_in(module, root, g); });
}

bool fold_constants(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return fold_constants_in(module, root, g); });
}

bool resolve_conditions(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return resolve_in(module, root, g); });
}

}  // namespace godwit::passes

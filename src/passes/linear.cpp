// Products with constant matrices become `linear`; batch norm and biases move into weights.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

// A view: large weights stay where they lie until they are written or uploaded.
Tensor transposed(const Tensor& t) {
  Tensor view = t;
  if (view.strides.empty()) view.strides = {view.shape[1], 1};
  std::swap(view.shape[0], view.shape[1]);
  std::swap(view.strides[0], view.strides[1]);
  return view;
}

// The weight (out, in) that `matmul x w` multiplies with, or null.
ir::Value* linear_weight(Rewriter& rewriter, ir::Value* w, const std::map<const ir::Value*, int>& uses) {
  if (w->rank() != 2 || !is_float(w->dtype())) return nullptr;
  if (is_op(w, "transpose") && constant(rewriter.module(), w->producer->inputs[0])) return w->producer->inputs[0];
  const Tensor* t = constant(rewriter.module(), w);
  auto count = uses.find(w);
  if (!t || count == uses.end() || count->second != 1) return nullptr;
  return rewriter.new_weight((w->name.empty() ? "weight" : w->name) + ".transposed", transposed(*t));
}

// A bias: constant, one axis as long as the output features.
bool is_bias(const ir::Module& module, const ir::Value* v, const ir::Dim& features) {
  const Tensor* t = constant(module, v);
  return t && v->type.shape && v->shape().size() == 1 && v->shape()[0] == features;
}

bool fuse_linear_in(ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  Rewriter rewriter(module, root, graph);
  auto uses = ir::use_counts(root);
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    for (ir::Value*& v : node.inputs) v = v ? rewriter.resolve(v) : nullptr;
    if (node.op == "matmul" && node.inputs[0]->rank() >= 1) {
      if (ir::Value* w = linear_weight(rewriter, node.inputs[1], uses)) {
        ir::Value* out = rewriter.insert(at, node, "linear", {node.inputs[0], w});
        uses[out] = uses[node.output()];
        rewriter.replace(node.output(), out);
      }
    } else if (node.op == "add") {
      for (size_t side : {0, 1}) {
        ir::Value *product = node.inputs[side], *bias = node.inputs[1 - side];
        if (!is_op(product, "linear") || product->producer->inputs.size() != 2 || uses[product] != 1 ||
            product->rank() < 1)
          continue;
        if (!is_bias(module, bias, product->shape().back())) continue;
        ir::Value* out =
            rewriter.insert(at, node, "linear", {product->producer->inputs[0], product->producer->inputs[1], bias});
        uses[out] = uses[node.output()];
        rewriter.replace(node.output(), out);
        break;
      }
    }
  }
  return rewriter.finish();
}

// y = (x - mean) / sqrt(variance + eps) * gamma + beta  is  y = scale * x + shift, channel by channel.
struct Affine {
  std::vector<double> scale, shift;
};

std::optional<Affine> affine_of(const ir::Module& module, const ir::Node& norm) {
  auto numbers = [&](size_t i, double fallback, size_t n) -> std::optional<std::vector<double>> {
    if (i >= norm.inputs.size() || !norm.inputs[i]) return std::vector<double>(n, fallback);
    const Tensor* t = constant(module, norm.inputs[i]);
    if (!t || t->size() != static_cast<int64_t>(n)) return std::nullopt;
    std::vector<double> out;
    for (int64_t k = 0; k < t->size(); ++k) out.push_back(t->number(k));
    return out;
  };
  const Tensor* mean_tensor = norm.inputs.size() > 4 ? constant(module, norm.inputs[3]) : nullptr;
  if (!mean_tensor) return std::nullopt;
  const size_t n = static_cast<size_t>(mean_tensor->size());
  auto gamma = numbers(1, 1, n), beta = numbers(2, 0, n), mean = numbers(3, 0, n), variance = numbers(4, 1, n);
  if (!gamma || !beta || !mean || !variance) return std::nullopt;
  Affine a;
  const double eps = attr<double>(norm, "eps");
  for (size_t i = 0; i < n; ++i) {
    a.scale.push_back((*gamma)[i] / std::sqrt((*variance)[i] + eps));
    a.shift.push_back((*beta)[i] - (*mean)[i] * a.scale[i]);
  }
  return a;
}

// Writes element i of a float tensor. (One temporary tensor an element would cost seconds for a large weight.)
void put(Tensor& to, size_t i, double value) {
  std::byte* at = to.mutable_data() + i * item_size(to.dtype);
  auto write = [&](auto element) { std::memcpy(at, &element, sizeof element); };
  switch (to.dtype) {
    case DType::f64: return write(value);
    case DType::f32: return write(static_cast<float>(value));
    case DType::f16: return write(float_to_half(static_cast<float>(value)));
    case DType::bf16: return write(float_to_bfloat(static_cast<float>(value)));
    default: raise<InternalError>("batch norm over {}", name(to.dtype));
  }
}

// Multiplies the slices of a weight along its output-channel axis.
Tensor scaled(const Tensor& weight, const std::vector<double>& scale, size_t axis, int64_t groups) {
  const Tensor from = weight.contiguous();
  Tensor to = Tensor::zeros(from.dtype, from.shape);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < from.shape.size(); ++i) inner *= from.shape[i];
  const int64_t along = from.shape[axis], outer = from.size() / std::max<int64_t>(along * inner, 1);
  for (int64_t i = 0; i < from.size(); ++i) {
    int64_t channel = i / inner % along;
    // A transposed convolution's weight is (I, O/groups, ...): the group follows from the input channel.
    if (axis == 1) channel += i / (inner * along) / (outer / groups) * along;
    put(to, static_cast<size_t>(i), from.number(i) * scale[static_cast<size_t>(channel)]);
  }
  return to;
}

Tensor shifted_bias(const Tensor* bias, DType dtype, const Affine& a) {
  Tensor out = Tensor::zeros(dtype, {static_cast<int64_t>(a.scale.size())});
  for (size_t i = 0; i < a.scale.size(); ++i) {
    const double b = bias ? bias->number(static_cast<int64_t>(i)) : 0;
    put(out, i, b * a.scale[i] + a.shift[i]);
  }
  return out;
}

bool fold_norm(Rewriter& rewriter, ir::Graph::Nodes::iterator at, const std::map<const ir::Value*, int>& uses) {
  ir::Module& module = rewriter.module();
  ir::Node& norm = **at;
  ir::Value* x = norm.inputs[0];
  if (!x->producer || uses.at(x) != 1) return false;
  const ir::Node& before = *x->producer;
  const bool is_transposed = before.op == "conv_transpose";
  // A linear's features are its last axis: they are the channels only of a matrix.
  if (before.op != "conv" && !is_transposed && !(before.op == "linear" && x->rank() == 2)) return false;
  const Tensor* weight = constant(module, before.inputs[1]);
  const bool has_bias = before.inputs.size() > 2 && before.inputs[2];
  const Tensor* bias = has_bias ? constant(module, before.inputs[2]) : nullptr;
  auto affine = affine_of(module, norm);
  if (!weight || !affine || (has_bias && !bias)) return false;
  const int64_t groups = is_transposed ? attr<ir::Dim>(before, "groups").value() : 1;
  std::string name = before.inputs[1]->name.empty() ? before.op : before.inputs[1]->name;
  if (name.ends_with(".weight")) name.resize(name.size() - std::string_view(".weight").size());
  ir::Value* w =
      rewriter.new_weight(name + ".folded.weight", scaled(*weight, affine->scale, is_transposed ? 1 : 0, groups));
  ir::Value* b = rewriter.new_weight(name + ".folded.bias", shifted_bias(bias, weight->dtype, *affine));
  rewriter.replace(norm.output(), rewriter.insert(at, before, before.op, {before.inputs[0], w, b}, before.attrs));
  return true;
}

}  // namespace

bool fuse_linear(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& g) { return fuse_linear_in(module, root, g); });
}

bool fold_batch_norm(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& graph) {
    Rewriter rewriter(module, root, graph);
    const auto uses = ir::use_counts(root);
    for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at)
      if ((*at)->op == "batch_norm") {
        for (ir::Value*& v : (*at)->inputs) v = v ? rewriter.resolve(v) : nullptr;
        if (uses.contains((*at)->inputs[0])) fold_norm(rewriter, at, uses);
      }
    return rewriter.finish();
  });
}

}  // namespace godwit::passes

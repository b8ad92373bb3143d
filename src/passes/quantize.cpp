#include "passes/quantize.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ops/affine.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace godwit::passes {

namespace mx = mlx::core;

AffineTensors quantize_matrix(const Tensor& matrix, const AffineFormat& format) {
  const std::vector<mx::array> parts =
      mx::quantize(executors::to_mlx(matrix), format.group_size, format.bits, "affine", std::nullopt, mx::Device::cpu);
  return {executors::to_host(parts.at(0), DType::u32), executors::to_host(parts.at(1), matrix.dtype),
          executors::to_host(parts.at(2), matrix.dtype)};
}

Tensor dequantize_matrix(const AffineTensors& tensors, const AffineFormat& format) {
  const mx::array matrix = mx::dequantize(executors::to_mlx(tensors.weight), executors::to_mlx(tensors.scales),
                                          executors::to_mlx(tensors.biases), format.group_size, format.bits, "affine",
                                          std::nullopt, std::nullopt, mx::Device::cpu);
  return executors::to_host(matrix, tensors.scales.dtype);
}

namespace {

bool all_are(const ir::Dims& dims, int64_t n) {
  return std::all_of(dims.begin(), dims.end(), [&](const ir::Dim& d) { return d.is(n); });
}

bool is_pointwise(const ir::Node& conv) {
  const ir::Shape& weight = conv.inputs[1]->shape();
  return all_are({weight.begin() + 2, weight.end()}, 1) && all_are(attr<ir::Dims>(conv, "stride"), 1) &&
         all_are(attr<ir::Dims>(conv, "low"), 0) && all_are(attr<ir::Dims>(conv, "high"), 0) &&
         attr<ir::Dim>(conv, "groups").is(1);
}

// How a node reads the weight at operand `i`: as rows of (out, in), as their transpose, or as something else.
enum class Reading : uint8_t { other, rows, columns };

Reading reading_of(const ir::Node& node, size_t i) {
  const ir::Value* v = node.inputs[i];
  if (!v->type.shape) return Reading::other;
  if (node.op == "linear") return i == 1 ? Reading::rows : Reading::other;
  if (node.op == "conv") return i == 1 && is_pointwise(node) ? Reading::rows : Reading::other;
  if (v->rank() != 2) return Reading::other;
  if (node.op == "matmul") return i == 1 && node.inputs[0] != v ? Reading::columns : Reading::other;
  if (node.op != "take" || i != 0) return Reading::other;
  const ir::Dim& axis = attr<ir::Dim>(node, "axis");
  return axis.is(0) || axis.is(-2) ? Reading::rows : Reading::other;
}

// "encoder.fc1" of "encoder.fc1.weight", and of the transpose that a pass made of it.
std::string layer_of(std::string name) {
  for (std::string_view suffix : {".transposed", ".weight"})
    if (name.ends_with(suffix) && name.size() > suffix.size()) name.resize(name.size() - suffix.size());
  return name;
}

bool is_finite(const Tensor& tensor) {
  mx::array finite = mx::all(mx::isfinite(executors::to_mlx(tensor), mx::Device::cpu), mx::Device::cpu);
  return finite.item<bool>();
}

class Search {
 public:
  explicit Search(const ir::Module& module) : module_(module) {
    for (const auto& [name, graph] : module.graphs) {
      ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
        for (size_t i = 0; i < node.inputs.size(); ++i)
          if (node.inputs[i] && node.inputs[i]->kind == ir::Value::Kind::weight) see(node, i);
      });
      const auto uses = ir::use_counts(graph);
      for (const auto& [key, value] : graph.weights)
        if (auto count = uses.find(value); count != uses.end()) reads_[key] += count->second;
    }
  }

  std::vector<QuantizableWeight> found(int group_size) {
    std::vector<QuantizableWeight> out;
    for (const std::string& key : order_) {
      QuantizableWeight& w = weights_.at(key);
      const Tensor& tensor = module_.weights.at(key);
      const int64_t first = tensor.shape.at(0), rest = first > 0 ? tensor.size() / first : 0;
      w.rows = w.transposed ? rest : first;
      w.columns = w.transposed ? first : rest;
      if (w.obstacle.empty() && static_cast<size_t>(reads_[key]) != w.nodes.size()) w.obstacle = "it is a result, too";
      if (w.obstacle.empty() && (w.columns == 0 || w.rows == 0 || w.columns % group_size != 0))
        w.obstacle = fmt::format("{} columns do not divide into groups of {}", w.columns, group_size);
      if (w.obstacle.empty() && !is_finite(tensor)) w.obstacle = "it holds NaN or infinity";
      out.push_back(std::move(w));
    }
    return out;
  }

 private:
  void see(const ir::Node& node, size_t operand) {
    const std::string& key = node.inputs[operand]->name;
    const DType dtype = node.inputs[operand]->dtype();
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) return;
    const Reading reading = reading_of(node, operand);
    if (reading == Reading::other) {
      others_.try_emplace(key, &node);
      if (auto known = weights_.find(key); known != weights_.end()) block(known->second, node);
      return;
    }
    auto [at, is_new] = weights_.try_emplace(key);
    QuantizableWeight& w = at->second;
    if (is_new) {
      order_.push_back(key);
      w.weight = key;
      w.layer = layer_of(key);
      w.transposed = reading == Reading::columns;
      if (auto other = others_.find(key); other != others_.end()) block(w, *other->second);
    }
    w.nodes.push_back(&node);
    if (w.transposed != (reading == Reading::columns) && w.obstacle.empty())
      w.obstacle = fmt::format("{} reads it the other way round", ir::describe(node));
  }

  static void block(QuantizableWeight& w, const ir::Node& node) {
    if (w.obstacle.empty()) w.obstacle = fmt::format("{} needs it as it is", ir::describe(node));
  }

  const ir::Module& module_;
  std::vector<std::string> order_;
  std::map<std::string, QuantizableWeight> weights_;
  std::map<std::string, const ir::Node*> others_;  // the first node that reads a weight in another way
  std::map<std::string, int> reads_;
};

}  // namespace

std::vector<QuantizableWeight> quantizable_weights(const ir::Module& module, int group_size) {
  return Search(module).found(group_size);
}

size_t weight_operand(const ir::Node& node) { return node.op == "take" ? 0 : 1; }

namespace {

Tensor transposed(const Tensor& t) {
  Tensor view = t.contiguous();
  view.strides = {1, view.shape[1]};
  std::swap(view.shape[0], view.shape[1]);
  return view.contiguous();
}

}  // namespace

Tensor matrix_of(const QuantizableWeight& weight, const Tensor& stored) {
  Tensor matrix = stored.contiguous();
  if (weight.transposed) return transposed(matrix);
  matrix.shape = {weight.rows, weight.columns};
  matrix.strides.clear();
  return matrix;
}

Tensor stored_form(const QuantizableWeight& weight, const Tensor& matrix, const std::vector<int64_t>& shape) {
  Tensor stored = weight.transposed ? transposed(matrix) : matrix.contiguous();
  stored.shape = shape;
  return stored;
}

namespace {

// A quantised weight: the names of its tensors in the store.
struct Stored {
  AffineFormat format;
  std::string weight, scales, biases;
};

// The names that MLX uses, with a number behind the layer where another tensor has one of them.
Stored add_to_store(ir::Module& module, const QuantizableWeight& w, const AffineFormat& format) {
  AffineTensors tensors = quantize_matrix(matrix_of(w, module.weights.at(w.weight)), format);
  module.weights.erase(w.weight);
  std::string layer = w.layer;
  auto taken = [&] {
    return module.weights.contains(layer + ".weight") || module.weights.contains(layer + ".scales") ||
           module.weights.contains(layer + ".biases");
  };
  for (int i = 1; taken(); ++i) layer = fmt::format("{}_{}", w.layer, i);
  Stored stored{format, layer + ".weight", layer + ".scales", layer + ".biases"};
  module.weights[stored.weight] = std::move(tensors.weight);
  module.weights[stored.scales] = std::move(tensors.scales);
  module.weights[stored.biases] = std::move(tensors.biases);
  return stored;
}

// Rewrites the readers of quantised weights in one graph and its regions.
class Quantizer {
 public:
  Quantizer(ir::Module& module, ir::Graph& root, const std::map<std::string, Stored>& stored)
      : module_(module), root_(root) {
    // First all old values, then the new ones: a new name is often the old one.
    for (const auto& [key, s] : stored)
      if (auto old = root.weights.find(key); old != root.weights.end()) {
        old_.emplace(old->second, &s);
        root.weights.erase(old);
      }
  }

  void run() {
    for_each_graph(root_, [&](ir::Graph& graph) {
      Rewriter rewriter(module_, root_, graph);
      for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) rewrite(rewriter, at);
      return rewriter.finish();
    });
  }

 private:
  void rewrite(Rewriter& rewriter, ir::Graph::Nodes::iterator at) {
    const ir::Node& node = **at;
    for (const ir::Value* v : node.inputs) {
      auto old = old_.find(v);
      if (old == old_.end()) continue;
      const Stored& s = *old->second;
      const std::vector<ir::Value*> parts{declare(s.weight), declare(s.scales), declare(s.biases)};
      const ir::Attrs how{{"bits", ir::Dim(s.format.bits)}, {"group_size", ir::Dim(s.format.group_size)}};
      ir::Value* out = replacement(rewriter, at, node, parts, how);
      out->name = node.output()->name;
      rewriter.replace(node.output(), out);
      return;
    }
  }

  static ir::Value* replacement(Rewriter& rewriter, ir::Graph::Nodes::iterator at, const ir::Node& node,
                                const std::vector<ir::Value*>& parts, const ir::Attrs& how) {
    auto insert = [&](std::string_view op, std::vector<ir::Value*> inputs, const ir::Attrs& attrs) {
      return rewriter.insert(at, node, op, std::move(inputs), attrs);
    };
    if (node.op == "take") return insert("quantized_take", {node.inputs[1], parts[0], parts[1], parts[2]}, how);
    ir::Value* bias = node.inputs.size() > 2 ? node.inputs[2] : nullptr;
    auto linear = [&](ir::Value* x) {
      return insert("quantized_linear", {x, parts[0], parts[1], parts[2], bias}, how);
    };
    ir::Value* x = node.inputs[0];
    if (node.op != "conv") return linear(x);
    // Channels last and back: a 1x1 convolution is a linear layer over the channels.
    const int64_t rank = x->rank();
    ir::Dims last{0}, first{0, rank - 1};
    for (int64_t i = 2; i < rank; ++i) last.emplace_back(i), first.emplace_back(i - 1);
    last.emplace_back(1);
    return insert("transpose", {linear(insert("transpose", {x}, {{"axes", last}}))}, {{"axes", first}});
  }

  ir::Value* declare(const std::string& name) {
    const Tensor& t = module_.weights.at(name);
    return root_.weight(name, {t.dtype, ir::dims(t.shape)});
  }

  ir::Module& module_;
  ir::Graph& root_;
  std::map<const ir::Value*, const Stored*> old_;
};

}  // namespace

void quantize(ir::Module& module, const std::vector<QuantizableWeight>& weights,
              const std::map<std::string, AffineFormat>& formats) {
  std::map<std::string, Stored> stored;
  for (const QuantizableWeight& w : weights) {
    auto format = formats.find(w.weight);
    if (format == formats.end()) continue;
    require<InternalError>(w.obstacle.empty(), "{} is to be quantised, but {}", w.weight, w.obstacle);
    stored.emplace(w.weight, add_to_store(module, w, format->second));
  }
  for (auto& [name, graph] : module.graphs) Quantizer(module, graph, stored).run();
  optimize(module);
}

bool is_quantized(const ir::Module& module) {
  bool found = false;
  for (const auto& [name, graph] : module.graphs)
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      found = found || node.op == "quantized_linear" || node.op == "quantized_take";
    });
  return found;
}

}  // namespace godwit::passes

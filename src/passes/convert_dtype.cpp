// float32 graphs in half precision: weights, constants and everything between them; inputs, outputs and state keep
// the types of the source.
#include "passes/convert_dtype.h"
#include "base/error.h"
#include "ops/infer.h"
#include "passes/rewrite.h"

namespace godwit::passes {
namespace {

Tensor narrowed(const Tensor& t, DType to) {
  const Tensor from = t.contiguous();
  Tensor out = Tensor::zeros(to, from.shape);
  const float* values = reinterpret_cast<const float*>(from.data);
  auto* half = reinterpret_cast<uint16_t*>(out.mutable_data());
  for (int64_t i = 0; i < from.size(); ++i)
    half[i] = to == DType::f16 ? float_to_half(values[i]) : float_to_bfloat(values[i]);
  return out;
}

class Converter {
 public:
  Converter(ir::Module& module, ir::Graph& root, DType to) : module_(module), root_(root), to_(to) {}

  void run() {
    for (auto& [name, value] : root_.weights)
      if (value->dtype() == DType::f32) value->type.dtype = to_;
    std::map<const ir::Value*, ir::Value*> narrow;
    auto start = root_.nodes.begin();
    auto enter = [&](ir::Value* v) {
      if (v->dtype() == DType::f32) narrow[v] = cast(root_, start, v, to_);
    };
    for (ir::Value* v : root_.inputs) enter(v);
    for (ir::State& s : root_.states) enter(s.before);
    convert(root_, start, narrow);
    for (ir::Value*& v : root_.outputs) v = leave(v);
    for (ir::State& s : root_.states)
      if (s.before->dtype() == DType::f32) s.after = leave(s.after);
  }

 private:
  ir::Value* cast(ir::Graph& graph, ir::Graph::Nodes::iterator before, ir::Value* v, DType to) {
    auto node = std::make_unique<ir::Node>();
    node->op = "cast";
    node->inputs = {v};
    node->attrs = {{"from", v->dtype()}, {"to", to}};
    ops::infer_node(graph, *node);
    ir::Value* out = node->output();
    graph.nodes.insert(before, std::move(node));
    return out;
  }

  ir::Value* leave(ir::Value* v) { return v->dtype() == to_ ? cast(root_, root_.nodes.end(), v, DType::f32) : v; }

  void convert(ir::Graph& graph, ir::Graph::Nodes::iterator start,
               const std::map<const ir::Value*, ir::Value*>& narrow) {
    for (auto at = start; at != graph.nodes.end(); ++at) {
      ir::Node& node = **at;
      for (ir::Value*& v : node.inputs)
        if (auto found = narrow.find(v); found != narrow.end()) v = found->second;
      for (auto& [name, attr] : node.attrs) {
        if (auto* dtype = std::get_if<DType>(&attr); dtype && *dtype == DType::f32) *dtype = to_;
        if (auto* tensor = std::get_if<Tensor>(&attr); tensor && tensor->dtype == DType::f32)
          *tensor = narrowed(*tensor, to_);
      }
      for (auto& region : node.regions) {
        for (ir::Value* v : region->inputs)
          if (v->dtype() == DType::f32) v->type.dtype = to_;
        convert(*region, region->nodes.begin(), narrow);
        for (ir::Value*& v : region->outputs)
          if (auto found = narrow.find(v); found != narrow.end()) v = found->second;
      }
      if (node.regions.empty()) {
        ops::infer_node(graph, node);
      } else {
        for (ir::Value* v : node.outputs)
          if (v->dtype() == DType::f32) v->type.dtype = to_;
      }
    }
  }

  ir::Module& module_;
  ir::Graph& root_;
  DType to_;
};

}  // namespace

void convert_dtype(ir::Module& module, DType to) {
  require<UsageError>(to == DType::f16 || to == DType::bf16, "a model converts to float16 or bfloat16, not to {}",
                      long_name(to));
  for (auto& [name, tensor] : module.weights)
    if (tensor.dtype == DType::f32) tensor = narrowed(tensor, to);
  for (auto& [name, graph] : module.graphs) Converter(module, graph, to).run();
}

}  // namespace godwit::passes

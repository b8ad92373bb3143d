#include "ops/builder.h"

#include <algorithm>

#include "base/error.h"
#include "ops/infer.h"
#include "ops/op.h"

namespace godwit::ops {

void Builder::set_place(std::string place, std::string scope) {
  place_ = std::move(place);
  scope_ = std::move(scope);
}

ir::Node& Builder::append(std::string_view op, std::vector<ir::Value*> inputs, ir::Attrs attrs) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  auto node = std::make_unique<ir::Node>();
  node->op = op;
  node->inputs = std::move(inputs);
  node->attrs = std::move(attrs);
  node->place = place_;
  node->scope = scope_;
  graph_->nodes.push_back(std::move(node));
  return *graph_->nodes.back();
}

std::vector<ir::Value*> Builder::ops(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs) {
  const Op& op = get(name);
  for (const auto& [key, value] : attrs)
    require<InternalError>(op.find(key), "[{}] has no attribute called {}", name, key);
  ir::Node& node = append(name, std::move(inputs), std::move(attrs));
  try {
    infer_node(*graph_, node);
  } catch (...) {
    graph_->nodes.pop_back();
    throw;
  }
  return node.outputs;
}

ir::Value* Builder::op(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs) {
  std::vector<ir::Value*> outputs = ops(name, std::move(inputs), std::move(attrs));
  return outputs.empty() ? nullptr : outputs.front();
}

ir::Value* Builder::constant(const Tensor& tensor) { return op("constant", {}, {{"value", tensor.contiguous()}}); }

ir::Value* Builder::weight(const std::string& name, const Tensor& tensor) {
  module_.weights.emplace(name, tensor);
  return root_->weight(name, {tensor.dtype, ir::dims(tensor.shape)});
}

ir::Value* Builder::dims(const ir::Dims& dims) {
  if (ir::is_known(dims)) return ints(ir::values(dims));
  return op("dims", {}, {{"values", dims}});
}

ir::Value* Builder::dim(const ir::Dim& dim) {
  if (dim.is_known()) return constant(Tensor::of<int64_t>(DType::i64, {}, {dim.value()}));
  return op("dim", {}, {{"value", dim}});
}

ir::Dims Builder::read(ir::Value* value) {
  if (value->content) return *value->content;
  ir::Dims out;
  if (const Tensor* t = constant_of(module_, value)) {
    for (int64_t i = 0; i < t->size(); ++i) out.push_back(t->integer(i));
    return out;
  }
  const int64_t n = ir::product(value->shape()).value();
  require<UsageError>(n <= 64, "{} integers are read as dimensions", n);
  std::vector<std::string> symbols;
  for (int64_t i = 0; i < n; ++i) {
    out.push_back(InferContext::fresh_read());
    symbols.push_back(*out.back().as_symbol());
  }
  // Once read, the value stays readable: later uses get the same symbols.
  append("bind", {value}, {{"symbols", symbols}});
  value->content = out;
  return out;
}

ir::Dim Builder::read_one(ir::Value* value) {
  ir::Dims all = read(value);
  require<UsageError>(all.size() == 1, "one integer expected, the value has {}", all.size());
  return all[0];
}

ir::Value* Builder::cast(ir::Value* value, DType to) {
  if (value->dtype() == to) return value;
  return op("cast", {value}, {{"from", value->dtype()}, {"to", to}});
}

ir::Value* Builder::reshape(ir::Value* value, ir::Dims shape) {
  if (value->type.shape && value->shape() == shape) return value;
  return op("reshape", {value}, {{"shape", std::move(shape)}});
}

std::vector<ir::Value*> Builder::region_op(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs,
                                           std::vector<std::unique_ptr<ir::Graph>> regions,
                                           std::vector<ir::Type> outputs) {
  ir::Node& node = append(name, std::move(inputs), std::move(attrs));
  node.regions = std::move(regions);
  for (ir::Type& type : outputs) {
    ir::Value v;
    v.producer = &node;
    v.type = std::move(type);
    node.outputs.push_back(graph_->add_value(std::move(v)));
  }
  return node.outputs;
}

std::vector<ir::Value*> Builder::unsupported(std::string name, std::vector<ir::Value*> inputs,
                                             std::vector<ir::Type> outputs) {
  return region_op(std::string(unsupported_prefix) + name, std::move(inputs), {}, {}, std::move(outputs));
}

const Tensor* constant_of(const ir::Module& module, const ir::Value* value) {
  if (!value) return nullptr;
  if (value->producer && value->producer->op == "constant") return &std::get<Tensor>(*value->producer->find("value"));
  if (value->kind == ir::Value::Kind::weight) {
    auto found = module.weights.find(value->name);
    if (found != module.weights.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace godwit::ops

#include "executors/cpu_plan/staged.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "executors/mlx/executor.h"

namespace godwit::executors::plan {
namespace {

std::unique_ptr<ir::Graph> copy_of(const ir::Graph& graph);

std::unique_ptr<ir::Node> copy_of(const ir::Node& node) {
  auto copy = std::make_unique<ir::Node>();
  copy->op = node.op, copy->inputs = node.inputs, copy->outputs = node.outputs, copy->attrs = node.attrs;
  copy->place = node.place, copy->scope = node.scope;
  for (const auto& region : node.regions) copy->regions.push_back(copy_of(*region));
  return copy;
}

std::unique_ptr<ir::Graph> copy_of(const ir::Graph& graph) {
  auto copy = std::make_unique<ir::Graph>();
  copy->name = graph.name, copy->inputs = graph.inputs, copy->outputs = graph.outputs;
  copy->output_names = graph.output_names;
  for (const auto& node : graph.nodes) copy->nodes.push_back(copy_of(*node));
  return copy;
}

bool is_constant(const ir::Value* v) {
  return v->kind == ir::Value::Kind::weight || (v->producer && v->producer->op == "constant");
}

// Calls visit for every value that the node or its regions read.
template <class Visit>
void each_read(const ir::Node& node, const Visit& visit) {
  for (const ir::Value* v : node.inputs)
    if (v) visit(v);
  for (const auto& region : node.regions) {
    for (const auto& inner : region->nodes) each_read(*inner, visit);
    for (const ir::Value* v : region->outputs) visit(v);
  }
}

std::vector<std::string> symbols_of(const ir::Graph& graph) {
  std::set<std::string> symbols;
  auto add = [&](const std::string& symbol) { symbols.insert(symbol); };
  auto add_all = [&](const ir::Dims& dims) {
    for (const ir::Dim& d : dims) d.visit_symbols(add);
  };
  auto add_value = [&](const ir::Value* v) {
    if (v->type.shape) add_all(*v->type.shape);
    if (v->content) add_all(*v->content);
  };
  for (const ir::Value* v : graph.inputs) add_value(v);
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
    for (const ir::Value* v : node.outputs) add_value(v);
    for (const auto& [name, attr] : node.attrs) {
      if (const auto* dim = std::get_if<ir::Dim>(&attr)) dim->visit_symbols(add);
      if (const auto* dims = std::get_if<ir::Dims>(&attr)) add_all(*dims);
    }
  });
  return {symbols.begin(), symbols.end()};
}

const Tensor& tensor_of(const HostValue& value) { return value.items.at(0); }

HostValue of_tensor(Tensor tensor) {
  HostValue value;
  value.items.push_back(std::move(tensor));
  return value;
}

std::optional<Ints> shape_of(const HostValue& value) {
  return value.is_sequence ? std::nullopt : std::optional(tensor_of(value).shape);
}

Tensor stacked(const std::vector<Tensor>& parts) {
  Ints shape = parts[0].shape;
  shape.insert(shape.begin(), static_cast<int64_t>(parts.size()));
  Tensor out = Tensor::zeros(parts[0].dtype, std::move(shape));
  const size_t each = parts[0].nbytes();
  for (size_t i = 0; i < parts.size(); ++i) {
    require<UsageError>(parts[i].shape == parts[0].shape, "a loop gives {} and {} to be stacked", describe(parts[0]),
                        describe(parts[i]));
    if (each > 0) std::memcpy(out.mutable_data() + i * each, parts[i].contiguous().data, each);
  }
  return out;
}

}  // namespace

const HostValue* StagedGraph::Frame::find(const ir::Value* value) const {
  for (const Frame* f = this; f; f = f->outer)
    if (auto found = f->values.find(value); found != f->values.end()) return &found->second;
  return nullptr;
}

StagedGraph::StagedGraph(const ir::Module& module, const ir::Graph& graph, const SymbolTable& symbols)
    : module_(module), graph_(graph), symbols_(symbols) {
  Stage open;
  for (const auto& node : graph.nodes) {
    if (node->op == "constant") continue;
    if (!stands_alone(*node)) {
      open.stretch.nodes.push_back(copy_of(*node));
      continue;
    }
    close(std::exchange(open, {}));
    Stage alone;
    alone.node = node.get();
    if (node->op == "if" || node->op == "loop")
      for (const auto& region : node->regions)
        alone.regions.push_back(std::make_unique<StagedGraph>(module, *region, symbols));
    stages_.push_back(std::move(alone));
  }
  close(std::move(open));
  // What a stretch gives: its values that are read behind it.
  std::set<const ir::Value*> wanted(graph.outputs.begin(), graph.outputs.end());
  for (const ir::State& state : graph.states) wanted.insert(state.after);
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    auto want = [&](const ir::Value* v) { wanted.insert(v); };
    if (stage->node) {
      each_read(*stage->node, want);
      continue;
    }
    for (const auto& node : stage->stretch.nodes)
      for (ir::Value* v : node->outputs)
        if (wanted.contains(v)) stage->stretch.add_output("", v);
    for (ir::Value* v : stage->stretch.inputs) wanted.insert(v);
  }
  for (Stage& stage : stages_)
    if (!stage.node) stage.plans = std::make_unique<PlanCache>(module, stage.stretch, symbols_of(stage.stretch));
}

// Whether a node can be no part of a plan.
bool StagedGraph::stands_alone(const ir::Node& node) const {
  if (node.op == "bind" || node.op == "check" || node.op == "loop" || symbols_.defines(node)) return true;
  auto is_open = [](const ir::Value* v) { return v && (v->type.sequence || !v->type.shape); };
  if (std::any_of(node.inputs.begin(), node.inputs.end(), is_open) ||
      std::any_of(node.outputs.begin(), node.outputs.end(), is_open))
    return true;
  for (const auto& region : node.regions) {
    for (const auto& inner : region->nodes)
      if (stands_alone(*inner)) return true;
    for (size_t i = 0; i < region->outputs.size(); ++i)
      if (is_open(region->outputs[i]) || region->outputs[i]->type.shape != node.outputs.at(i)->type.shape) return true;
  }
  return false;
}

void StagedGraph::close(Stage stage) {
  if (stage.stretch.nodes.empty()) return;
  std::set<const ir::Value*> inside;  // made or noted already
  ir::for_each_node(stage.stretch, [&](const ir::Node& node, const ir::Graph& owner) {
    inside.insert(node.outputs.begin(), node.outputs.end());
    if (&owner != &stage.stretch) inside.insert(owner.inputs.begin(), owner.inputs.end());
  });
  for (const auto& node : stage.stretch.nodes)
    each_read(*node, [&](const ir::Value* v) {
      if (!is_constant(v) && inside.insert(v).second) stage.stretch.inputs.push_back(const_cast<ir::Value*>(v));
    });
  stages_.push_back(std::move(stage));
}

HostValue StagedGraph::value_of(const ir::Value* value, const Frame& frame) const {
  if (const HostValue* found = frame.find(value)) return *found;
  if (value->kind == ir::Value::Kind::weight) return of_tensor(module_.weights.at(value->name));
  require<InternalError>(is_constant(value), "value {} is read before it is made", value->name);
  return of_tensor(std::get<Tensor>(*value->producer->find("value")));
}

void StagedGraph::run(Frame& frame, const Observer* after) const {
  std::vector<Tensor> no_states;
  for (const Stage& stage : stages_) {
    if (stage.node) {
      run_node(stage, frame, after);
      continue;
    }
    std::vector<const Tensor*> inputs;
    std::vector<const Ints*> shapes;
    for (const ir::Value* v : stage.stretch.inputs) {
      const HostValue* found = frame.find(v);
      require<InternalError>(found, "value {} is read before it is made", v->name);
      inputs.push_back(&tensor_of(*found));
      shapes.push_back(&inputs.back()->shape);
    }
    const std::shared_ptr<ReadyPlan> ready = stage.plans->get(shapes, &frame.env);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (ready->plan.inputs[i].shape != inputs[i]->shape || ready->plan.inputs[i].dtype != inputs[i]->dtype)
        throw CannotPlan{stage.stretch.inputs[i]->producer, "the graph declares another result than the node gives"};
    std::vector<Tensor> results = ready->run(inputs, no_states, after);
    for (size_t i = 0; i < results.size(); ++i)
      frame.values[stage.stretch.outputs[i]] = of_tensor(std::move(results[i]));
  }
}

void StagedGraph::run_node(const Stage& stage, Frame& frame, const Observer* after) const {
  const ir::Node& node = *stage.node;
  std::vector<HostValue> results;
  const char* kernel = nullptr;  // of nodes that take time
  if (node.op == "bind") {
    run_bind(node, frame);
  } else if (node.op == "check") {
    require<UsageError>(tensor_of(value_of(node.inputs.at(0), frame)).contiguous().number(0) != 0, "{} (node {})",
                        std::get<std::string>(*node.find("message")), ir::describe(node));
  } else if (node.op == "if") {
    results = run_if(stage, frame, after);
    kernel = "if";
  } else if (node.op == "loop") {
    results = run_loop(stage, frame, after);
    kernel = "loop";
  } else {
    results = run_mlx(node, frame);
    kernel = "mlx";
  }
  if (after && kernel) (*after)({&node, kernel, {}, 0, 0});
  SymbolTable::Shapes shapes;
  for (const HostValue& v : results) shapes.push_back(shape_of(v));
  symbols_.bind_shapes(node, shapes, frame.env);
  for (size_t i = 0; i < node.outputs.size(); ++i) frame.values[node.outputs[i]] = std::move(results.at(i));
}

void StagedGraph::run_bind(const ir::Node& node, Frame& frame) const {
  const Tensor given = tensor_of(value_of(node.inputs.at(0), frame)).contiguous();
  const auto& symbols = std::get<std::vector<std::string>>(*node.find("symbols"));
  require<UsageError>(given.size() == static_cast<int64_t>(symbols.size()), "[{}] {} integers expected, {} found",
                      ir::describe(node), symbols.size(), given.size());
  for (size_t i = 0; i < symbols.size(); ++i) frame.env[symbols[i]] = given.integer(static_cast<int64_t>(i));
}

std::vector<HostValue> StagedGraph::run_region(const Stage& stage, size_t index, std::vector<HostValue> arguments,
                                               const Frame& outer, const Observer* after) const {
  const ir::Graph& region = *stage.node->regions.at(index);
  Frame frame{outer.env, &outer, {}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ir::Value* input = region.inputs[i];
    if (const auto shape = shape_of(arguments[i]); shape && input->type.shape && shape->size() == input->shape().size())
      for (size_t axis = 0; axis < shape->size(); ++axis)
        if (auto symbol = input->shape()[axis].as_symbol()) frame.env[*symbol] = (*shape)[axis];
    frame.values[input] = std::move(arguments[i]);
  }
  stage.regions[index]->run(frame, after);
  std::vector<HostValue> results;
  for (const ir::Value* v : region.outputs) results.push_back(value_of(v, frame));
  return results;
}

std::vector<HostValue> StagedGraph::run_if(const Stage& stage, Frame& frame, const Observer* after) const {
  const bool yes = tensor_of(value_of(stage.node->inputs.at(0), frame)).contiguous().number(0) != 0;
  return run_region(stage, yes ? 0 : 1, {}, frame, after);
}

std::vector<HostValue> StagedGraph::run_loop(const Stage& stage, Frame& frame, const Observer* after) const {
  const ir::Node& node = *stage.node;
  const ir::Graph& body = *node.regions.at(0);
  auto number = [&](size_t i) -> std::optional<int64_t> {
    if (i >= node.inputs.size() || !node.inputs[i]) return std::nullopt;
    return tensor_of(value_of(node.inputs[i], frame)).contiguous().integer(0);
  };
  const int64_t trips = number(0).value_or(INT64_MAX);
  bool go = number(1).value_or(1) != 0;
  const size_t carried_count = body.inputs.size() - 1, scanned_count = body.outputs.size() - 1 - carried_count;
  std::vector<HostValue> carried;
  for (size_t i = 0; i < carried_count; ++i) carried.push_back(value_of(node.inputs.at(2 + i), frame));
  std::vector<std::vector<Tensor>> scanned(scanned_count);
  for (int64_t i = 0; go && i < trips; ++i) {
    std::vector<HostValue> arguments{of_tensor(Tensor::of<int64_t>(DType::i64, {}, {i}))};
    arguments.insert(arguments.end(), carried.begin(), carried.end());
    std::vector<HostValue> results = run_region(stage, 0, std::move(arguments), frame, after);
    go = tensor_of(results[0]).contiguous().number(0) != 0;
    for (size_t k = 0; k < carried_count; ++k) carried[k] = std::move(results[1 + k]);
    for (size_t k = 0; k < scanned_count; ++k) scanned[k].push_back(tensor_of(results[1 + carried_count + k]));
  }
  for (size_t k = 0; k < scanned_count; ++k) {
    if (!scanned[k].empty()) {
      carried.push_back(of_tensor(stacked(scanned[k])));
      continue;
    }
    // No iteration ran: an empty stack of what the body declares (unknown dimensions are empty, too).
    const ir::Value& declared = *body.outputs[1 + carried_count + k];
    Ints shape{0};
    for (const ir::Dim& d : declared.shape()) shape.push_back(d.try_eval(frame.env).value_or(0));
    carried.push_back(of_tensor(Tensor::zeros(declared.dtype(), shape)));
  }
  return carried;
}

// The results are checked against the inferred types, as plans go by these.
std::vector<HostValue> StagedGraph::run_mlx(const ir::Node& node, Frame& frame) const {
  const ops::Op* op = ops::find(node.op);
  require<UsageError>(op, "op {} is not supported (node {})", node.op, ir::describe(node));
  std::vector<ops::Datum> data;
  data.reserve(node.inputs.size());
  std::vector<const ops::Datum*> operands;
  for (const ir::Value* v : node.inputs) {
    if (v) data.push_back(to_datum(value_of(v, frame)));
    operands.push_back(v ? &data.back() : nullptr);
  }
  const std::vector<ops::Datum> made = op->eval(*op, {node, operands, frame.env});
  symbols_.bind_outputs(node, made, frame.env);
  std::vector<HostValue> results;
  for (size_t i = 0; i < node.outputs.size(); ++i)
    results.push_back(to_host_value(made.at(i), node.outputs[i]->dtype()));
  return results;
}

std::vector<std::string> StagedGraph::fallbacks() const {
  std::set<std::string> names;
  for (const Stage& stage : stages_) {
    if (stage.plans)
      for (std::string& name : stage.plans->fallbacks()) names.insert(std::move(name));
    if (stage.node && stage.node->op != "bind" && stage.node->op != "check" && stage.regions.empty())
      names.insert(ir::describe(*stage.node));
    for (const auto& region : stage.regions)
      for (std::string& name : region->fallbacks()) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

size_t StagedGraph::arena_bytes() const {
  size_t bytes = 0;
  for (const Stage& stage : stages_) {
    if (stage.plans) bytes += stage.plans->arena_bytes();
    for (const auto& region : stage.regions) bytes += region->arena_bytes();
  }
  return bytes;
}

}  // namespace godwit::executors::plan

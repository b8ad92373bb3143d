#include "executors/mlx/executor.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <unordered_map>

#include "base/error.h"
#include "base/memory.h"
#include "executors/inputs.h"
#include "executors/mlx/symbols.h"
#include "ops/dtype.h"

namespace godwit::executors {

namespace mx = mlx::core;
using ops::Datum;

// Values made so far. A region's frame sees the frames around it.
struct MlxExecutor::Frame {
  ir::Dim::Env& env;
  const Frame* outer = nullptr;
  std::unordered_map<const ir::Value*, Datum> values;

  const Datum* find(const ir::Value* v) const {
    for (const Frame* f = this; f; f = f->outer)
      if (auto found = f->values.find(v); found != f->values.end()) return &found->second;
    return nullptr;
  }
};

MlxExecutor::MlxExecutor(const ir::Module& module, const std::string& graph) : module_(module) {
  auto found = module.graphs.find(graph);
  require<UsageError>(found != module.graphs.end(), "the package has no graph called {}", graph);
  graph_ = &found->second;
  for (const auto& [name, value] : graph_->weights) {
    auto tensor = module.weights.find(name);
    require<FileError>(tensor != module.weights.end(), "weight {} is missing", name);
    weights_.emplace(value, to_mlx(tensor->second));
  }
  ir::for_each_node(*graph_, [&](const ir::Node& node, const ir::Graph&) {
    if (node.op == "constant") weights_.emplace(node.output(), to_mlx(std::get<Tensor>(*node.find("value"))));
  });
  symbols_ = std::make_unique<SymbolTable>(*graph_);
}

MlxExecutor::~MlxExecutor() = default;

void MlxExecutor::reset() { states_.clear(); }

namespace {

const mx::array& tensor_of(const Datum& datum) { return std::get<mx::array>(datum); }

InputShapes shapes_of(const std::vector<Datum>& inputs) {
  InputShapes shapes;
  for (const Datum& datum : inputs) {
    shapes.emplace_back();
    if (const auto* a = std::get_if<mx::array>(&datum)) shapes.back().emplace(a->shape().begin(), a->shape().end());
  }
  return shapes;
}

}  // namespace

Datum to_datum(const HostValue& value) {
  if (!value.is_sequence) return to_mlx(value.items.at(0));
  ops::Sequence sequence;
  for (const Tensor& t : value.items) sequence.items.push_back(to_mlx(t));
  return sequence;
}

HostValue to_host_value(const Datum& datum, DType dtype) {
  HostValue value;
  if (const auto* sequence = std::get_if<ops::Sequence>(&datum)) {
    value.is_sequence = true;
    for (const mx::array& a : sequence->items) value.items.push_back(to_host(a, dtype));
  } else {
    value.items.push_back(to_host(tensor_of(datum), dtype));
  }
  return value;
}

namespace {

// Arrays are lazy: what no memory holds is refused before it is asked for. A broadcast takes none by itself.
void check_memory(const ir::Node& node, const std::vector<Datum>& results) {
  constexpr size_t small = size_t{1} << 26;
  if (node.op == "broadcast" || mx::default_device() != mx::Device::cpu) return;
  for (const Datum& d : results) {
    const auto* a = std::get_if<mx::array>(&d);
    if (!a || a->nbytes() <= small) continue;
    if (const size_t limit = memory_limit_bytes(); a->nbytes() > limit)
      raise<UsageError>("[{}] {} takes {} bytes, the limit is {} (GODWIT_MEMORY_LIMIT, or what the machine has left)",
                        describe(node), describe_array(*a), a->nbytes(), limit);
  }
}

}  // namespace

mx::array initial_state(const ir::State& state, const ir::Dim::Env& env) {
  if (state.initial) return to_mlx(*state.initial);
  mx::Shape shape;
  for (const ir::Dim& d : state.before->shape()) shape.push_back(static_cast<int32_t>(d.eval(env)));
  return mx::zeros(shape, ops::mlx_dtype(state.before->dtype()));
}

HostValues MlxExecutor::run(const HostValues& inputs) {
  std::vector<Datum> arguments;
  check_inputs(*graph_, inputs);
  for (const ir::Value* input : graph_->inputs) arguments.push_back(to_datum(inputs.at(input->name)));
  std::vector<Datum> results = call(arguments);
  std::vector<mx::array> all;
  for (const Datum& d : results) {
    if (const auto* sequence = std::get_if<ops::Sequence>(&d))
      all.insert(all.end(), sequence->items.begin(), sequence->items.end());
    else
      all.push_back(tensor_of(d));
  }
  all.insert(all.end(), states_.begin(), states_.end());
  mx::eval(all);
  std::map<std::string, HostValue> out;
  for (size_t i = 0; i < results.size(); ++i)
    out[graph_->output_names[i]] = to_host_value(results[i], graph_->outputs[i]->dtype());
  return out;
}

std::vector<Datum> MlxExecutor::call(const std::vector<Datum>& inputs) {
  require<UsageError>(inputs.size() == graph_->inputs.size(), "{} inputs expected, {} given", graph_->inputs.size(),
                      inputs.size());
  ir::Dim::Env env = bind_symbols(*graph_, shapes_of(inputs));
  Frame frame{env, nullptr, {}};
  for (size_t i = 0; i < inputs.size(); ++i) frame.values.emplace(graph_->inputs[i], inputs[i]);
  if (states_.empty())
    for (const ir::State& state : graph_->states) states_.push_back(initial_state(state, env));
  for (size_t i = 0; i < states_.size(); ++i) frame.values.emplace(graph_->states[i].before, states_[i]);
  run_nodes(*graph_, frame);
  std::vector<Datum> results;
  for (const ir::Value* v : graph_->outputs) results.push_back(value_of(v, frame));
  for (size_t i = 0; i < states_.size(); ++i) states_[i] = tensor_of(value_of(graph_->states[i].after, frame));
  return results;
}

const Datum& MlxExecutor::value_of(const ir::Value* value, const Frame& frame) const {
  if (const Datum* d = frame.find(value)) return *d;
  auto found = weights_.find(value);
  require<InternalError>(found != weights_.end(), "value {} is read before it is made", value->name);
  return found->second;
}

MlxExecutor::Operands MlxExecutor::operands_of(const ir::Node& node, const Frame& frame) const {
  Operands out;
  for (const ir::Value* v : node.inputs) out.push_back(v ? &value_of(v, frame) : nullptr);
  return out;
}

void MlxExecutor::run_nodes(const ir::Graph& graph, Frame& frame) {
  for (const auto& node : graph.nodes) {
    if (node->op == "constant") continue;
    std::vector<Datum> results = run_node(*node, frame);
    require<InternalError>(results.size() >= node->outputs.size(), "[{}] gave {} results, {} expected", describe(*node),
                           results.size(), node->outputs.size());
    symbols_->bind_outputs(*node, results, frame.env);
    check_memory(*node, results);
    if (observer_) observer_(*node, operands_of(*node, frame), results);
    for (size_t i = 0; i < node->outputs.size(); ++i)
      frame.values.insert_or_assign(node->outputs[i], std::move(results[i]));
  }
}

std::vector<Datum> MlxExecutor::run_node(const ir::Node& node, Frame& frame) {
  if (node.op == "if") return run_if(node, frame);
  if (node.op == "loop") return run_loop(node, frame);
  if (node.op == "bind") return run_bind(node, frame);
  if (node.op == "check") return run_check(node, frame);
  const ops::Op* op = ops::find(node.op);
  require<UsageError>(op, "op {} is not supported (node {})", node.op, describe(node));
  const Operands inputs = operands_of(node, frame);
  try {
    return op->eval(*op, {node, inputs, frame.env});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    std::string shapes;
    for (const Datum* d : inputs)
      shapes += (shapes.empty() ? "" : ", ") +
                (d && std::holds_alternative<mx::array>(*d) ? describe_array(tensor_of(*d)) : "-");
    raise<InternalError>("[{}] {}; operands: {}", describe(node), e.what(), shapes);
  }
}

std::vector<Datum> MlxExecutor::run_region(const ir::Graph& region, std::vector<Datum> arguments, const Frame& outer) {
  Frame frame{outer.env, &outer, {}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    symbols_->rebind_input(*region.inputs[i], arguments[i], frame.env);
    frame.values.emplace(region.inputs[i], std::move(arguments[i]));
  }
  run_nodes(region, frame);
  std::vector<Datum> results;
  for (const ir::Value* v : region.outputs) results.push_back(value_of(v, frame));
  return results;
}

namespace {

bool truth(const Datum& datum) { return mx::astype(mx::reshape(tensor_of(datum), {}), mx::bool_).item<bool>(); }

int64_t integer(const Datum& datum) { return mx::astype(mx::reshape(tensor_of(datum), {}), mx::int64).item<int64_t>(); }

}  // namespace

std::vector<Datum> MlxExecutor::run_if(const ir::Node& node, Frame& frame) {
  const Datum& condition = value_of(node.inputs.at(0), frame);
  if (selects_branches_ && tensor_of(condition).is_tracer()) return select(node, tensor_of(condition), frame);
  return run_region(*node.regions.at(truth(condition) ? 0 : 1), {}, frame);
}

std::vector<Datum> MlxExecutor::select(const ir::Node& node, const mx::array& condition, Frame& frame) {
  const std::vector<Datum> yes = run_region(*node.regions.at(0), {}, frame);
  const std::vector<Datum> no = run_region(*node.regions.at(1), {}, frame);
  const mx::array which = mx::astype(mx::reshape(condition, {}), mx::bool_);
  std::vector<Datum> out;
  for (size_t i = 0; i < yes.size(); ++i) {
    const mx::array &a = tensor_of(yes[i]), &b = tensor_of(no[i]);
    require<UsageError>(a.shape() == b.shape() && a.dtype() == b.dtype(),
                        "[{}] its branches give {} and {}: only one of them can be traced", describe(node),
                        describe_array(a), describe_array(b));
    out.push_back(mx::where(which, a, b));
  }
  return out;
}

std::vector<Datum> MlxExecutor::run_loop(const ir::Node& node, Frame& frame) {
  const ir::Graph& body = *node.regions.at(0);
  auto operand = [&](size_t i) {
    return i < node.inputs.size() && node.inputs[i] ? &value_of(node.inputs[i], frame) : nullptr;
  };
  const int64_t trips = operand(0) ? integer(*operand(0)) : INT64_MAX;
  bool go = operand(1) ? truth(*operand(1)) : true;
  const size_t carried_count = body.inputs.size() - 1, scanned_count = body.outputs.size() - 1 - carried_count;
  std::vector<Datum> carried;
  for (size_t i = 0; i < carried_count; ++i) carried.push_back(value_of(node.inputs.at(2 + i), frame));
  std::vector<std::vector<mx::array>> scanned(scanned_count);
  for (int64_t i = 0; go && i < trips; ++i) {
    std::vector<Datum> arguments{Datum(mx::array(i, mx::int64))};
    arguments.insert(arguments.end(), carried.begin(), carried.end());
    std::vector<Datum> results = run_region(body, std::move(arguments), frame);
    go = truth(results[0]);
    std::copy(results.begin() + 1, results.begin() + 1 + static_cast<int64_t>(carried_count), carried.begin());
    for (size_t k = 0; k < scanned_count; ++k) scanned[k].push_back(tensor_of(results[1 + carried_count + k]));
  }
  for (size_t k = 0; k < scanned_count; ++k) {
    if (!scanned[k].empty()) {
      carried.push_back(mx::stack(scanned[k], 0));
      continue;
    }
    // No iteration ran: an empty stack of what the body declares (unknown dimensions are empty, too).
    const ir::Value& declared = *body.outputs[1 + carried_count + k];
    mx::Shape shape{0};
    for (const ir::Dim& d : declared.shape()) shape.push_back(static_cast<int32_t>(d.try_eval(frame.env).value_or(0)));
    carried.push_back(mx::zeros(shape, ops::mlx_dtype(declared.dtype())));
  }
  return carried;
}

std::vector<Datum> MlxExecutor::run_bind(const ir::Node& node, Frame& frame) {
  mx::array flat = mx::flatten(mx::astype(tensor_of(value_of(node.inputs.at(0), frame)), mx::int64));
  flat = mx::contiguous(flat);
  flat.eval();
  const auto& symbols = std::get<std::vector<std::string>>(*node.find("symbols"));
  require<UsageError>(flat.size() == symbols.size(), "[{}] {} integers expected, {} found", describe(node),
                      symbols.size(), flat.size());
  for (size_t i = 0; i < symbols.size(); ++i) frame.env[symbols[i]] = flat.data<int64_t>()[i];
  return {};
}

std::vector<Datum> MlxExecutor::run_check(const ir::Node& node, Frame& frame) {
  require<UsageError>(truth(value_of(node.inputs.at(0), frame)), "{} (node {})",
                      std::get<std::string>(*node.find("message")), describe(node));
  return {};
}

std::optional<std::vector<Tensor>> evaluate(const ir::Node& node, const std::vector<Tensor>& inputs,
                                            const ir::Dim::Env& env) {
  const ops::Op* op = ops::find(node.op);
  if (!op || !op->is_pure || !node.regions.empty()) return std::nullopt;
  try {
    std::vector<Datum> data;
    for (const Tensor& t : inputs) data.push_back(to_mlx(t));
    std::vector<const Datum*> operands;
    size_t next = 0;
    for (const ir::Value* v : node.inputs) operands.push_back(v ? &data.at(next++) : nullptr);
    std::vector<Datum> results = op->eval(*op, {node, operands, env});
    std::vector<Tensor> out;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!std::holds_alternative<mx::array>(results.at(i))) return std::nullopt;
      out.push_back(to_host(tensor_of(results[i]), node.outputs[i]->dtype()));
    }
    return out;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace godwit::executors

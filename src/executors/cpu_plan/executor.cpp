#include "executors/cpu_plan/executor.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <set>

#include "base/error.h"
#include "base/memory.h"
#include "executors/inputs.h"
#include "executors/profile.h"

namespace godwit::executors {
namespace {

constexpr size_t plans_kept = 8;

}  // namespace

struct CpuExecutor::Ready {
  std::vector<std::vector<int64_t>> shapes;
  plan::Plan plan;
  std::shared_ptr<std::byte> arena;
  std::vector<std::byte*> base;
  std::vector<Tensor> results;  // of the last run: written anew once nobody else holds them
};

CpuExecutor::CpuExecutor(const ir::Module& module, const std::string& graph) : module_(module) {
  auto found = module.graphs.find(graph);
  require<UsageError>(found != module.graphs.end(), "the package has no graph called {}", graph);
  graph_ = &found->second;
}

CpuExecutor::~CpuExecutor() = default;

void CpuExecutor::reset() {
  states_.clear();
  if (whole_) whole_->reset();
}

CpuExecutor::Ready& CpuExecutor::plan_for(const std::vector<const Tensor*>& inputs) {
  auto fits = [&](const auto& ready) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (ready->shapes[i] != inputs[i]->shape) return false;
    return true;
  };
  auto found = std::find_if(plans_.begin(), plans_.end(), fits);
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return *plans_.front();
  }
  auto ready = std::make_unique<Ready>();
  for (const Tensor* t : inputs) ready->shapes.push_back(t->shape);
  const InputShapes shapes(ready->shapes.begin(), ready->shapes.end());
  ThreadPool& pool = ThreadPool::shared();
  ready->plan = plan::Lowering(module_, *graph_, bind_symbols(*graph_, shapes), weights_, pool.threads()).finish();
  if (plans_.size() == plans_kept) plans_.pop_back();
  try {
    ready->arena = zeroed_memory(ready->plan.arena_bytes);
  } catch (const std::bad_alloc&) {
    raise<UsageError>("{} bytes for intermediate results are not to be had", ready->plan.arena_bytes);
  }
  for (const plan::Buffer& b : ready->plan.buffers) {
    std::byte* at = nullptr;
    if (b.kind == plan::Buffer::Kind::arena) at = ready->arena.get() + b.offset;
    if (b.kind == plan::Buffer::Kind::constant) at = const_cast<std::byte*>(b.constant.data);
    ready->base.push_back(at);
  }
  plans_.push_front(std::move(ready));
  return *plans_.front();
}

void CpuExecutor::prepare_states(const plan::Plan& plan) {
  for (size_t i = 0; i < plan.states.size(); ++i) {
    const ir::State& state = graph_->states[i];
    if (states_.size() <= i) {
      Tensor fresh = Tensor::zeros(plan.states[i].dtype, plan.states[i].shape);
      if (state.initial) {
        const Tensor initial = state.initial->contiguous();
        if (initial.nbytes() > 0) std::memcpy(fresh.mutable_data(), initial.data, initial.nbytes());
      }
      states_.push_back(std::move(fresh));
    }
    require<UsageError>(states_[i].shape == plan.states[i].shape,
                        "state {} is {} from the calls before, these inputs need another shape", state.name,
                        describe(states_[i]));
  }
}

HostValues CpuExecutor::run(const HostValues& given) {
  check_inputs(*graph_, given);
  std::vector<const Tensor*> inputs;
  bool sequences = false;
  for (const ir::Value* input : graph_->inputs) {
    sequences = sequences || input->type.sequence;
    if (!sequences) inputs.push_back(&given.at(input->name).items[0]);
  }
  for (const ir::Value* output : graph_->outputs) sequences = sequences || output->type.sequence;
  Ready* ready = nullptr;
  if (!whole_ && !sequences) {
    try {
      ready = &plan_for(inputs);
    } catch (const plan::CannotPlan& cannot) {
      reason_ = cannot.reason + (cannot.node ? " (" + ir::describe(*cannot.node) + ")" : "");
    }
  } else if (!whole_) {
    reason_ = "sequences of tensors";
  }
  if (!ready) {
    if (!whole_) {
      whole_ = std::make_unique<MlxExecutor>(module_, graph_->name);
      whole_->record(recorder_);
    }
    return whole_->run(given);
  }
  const plan::Plan& plan = ready->plan;
  prepare_states(plan);
  std::vector<Tensor> held;  // contiguous copies of strided inputs
  held.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    held.push_back(inputs[i]->contiguous());
    ready->base[static_cast<size_t>(plan.input_buffers[i])] = const_cast<std::byte*>(held.back().data);
  }
  for (size_t i = 0; i < states_.size(); ++i)
    ready->base[static_cast<size_t>(plan.state_buffers[i])] = states_[i].mutable_data();
  HostValues out;
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    if (ready->results.size() <= i) ready->results.emplace_back();
    Tensor& result = ready->results[i];
    if (!result.owner || result.owner.use_count() > 1)
      result = Tensor::zeros(plan.outputs[i].dtype, plan.outputs[i].shape);
    std::atomic_thread_fence(std::memory_order_acquire);  // after the last reader let go
    ready->base[static_cast<size_t>(plan.output_buffers[i])] = result.mutable_data();
    out[graph_->output_names[i]] = {{result}, false};
  }
  ThreadPool& pool = ThreadPool::shared();
  const ThreadPool::Client client(pool);
  if (recorder_) recorder_->begin_nodes();
  plan::run_block(plan.steps, {ready->base.data(), pool, observer_ ? &observer_ : nullptr});
  return out;
}

void CpuExecutor::record(ProfileRecorder* recorder) {
  recorder_ = recorder;
  if (whole_) whole_->record(recorder);
  observer_ = nullptr;
  if (!recorder) return;
  observer_ = [recorder](const plan::Step& step) {
    std::string made;
    for (const ir::Value* v : step.node->outputs) made += (made.empty() ? "" : ", ") + ir::str(v->type);
    recorder->node_done(*step.node, step.kernel == "mlx" ? "mlx" : "cpu", std::move(made), step.kernel);
  };
}

std::vector<std::string> CpuExecutor::fallbacks() const {
  if (whole_) return {"the whole graph: " + reason_};
  std::set<std::string> names;
  for (const auto& ready : plans_)
    for (const ir::Node* node : ready->plan.fallbacks) names.insert(ir::describe(*node));
  return {names.begin(), names.end()};
}

size_t CpuExecutor::arena_bytes() const {
  size_t bytes = 0;
  for (const auto& ready : plans_) bytes += ready->plan.arena_bytes;
  return bytes;
}

}  // namespace godwit::executors

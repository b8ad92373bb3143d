#include "executors/cpu_plan/executor.h"

#include <atomic>
#include <cstring>

#include "base/error.h"
#include "executors/inputs.h"
#include "executors/profile.h"

namespace godwit::executors {

CpuExecutor::CpuExecutor(const ir::Module& module, const std::string& graph) : module_(module) {
  auto found = module.graphs.find(graph);
  require<UsageError>(found != module.graphs.end(), "the package has no graph called {}", graph);
  graph_ = &found->second;
  plans_ = std::make_unique<plan::PlanCache>(module, *graph_);
}

CpuExecutor::~CpuExecutor() = default;

void CpuExecutor::reset() {
  states_.clear();
  if (whole_) whole_->reset();
}

std::shared_ptr<plan::ReadyPlan> CpuExecutor::plan_for(const std::vector<const Tensor*>& inputs) {
  std::vector<const plan::Ints*> shapes;
  for (const Tensor* t : inputs) shapes.push_back(&t->shape);
  return plans_->get(shapes);
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
  std::shared_ptr<plan::ReadyPlan> ready;
  if (!whole_ && !sequences) {
    try {
      ready = plan_for(inputs);
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
  const plan::ReadyPlan::Lease instance = ready->take();
  auto at = [&](const std::vector<int>& buffers, size_t i) -> std::byte*& {
    return instance->base[static_cast<size_t>(buffers[i])];
  };
  std::vector<Tensor> held;  // contiguous copies of strided inputs
  held.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    held.push_back(inputs[i]->contiguous());
    at(plan.input_buffers, i) = const_cast<std::byte*>(held.back().data);
  }
  for (size_t i = 0; i < states_.size(); ++i) at(plan.state_buffers, i) = states_[i].mutable_data();
  HostValues out;
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    Tensor& result = instance->results[i];
    if (!result.owner || result.owner.use_count() > 1)
      result = Tensor::zeros(plan.outputs[i].dtype, plan.outputs[i].shape);
    std::atomic_thread_fence(std::memory_order_acquire);  // after the last reader let go
    at(plan.output_buffers, i) = result.mutable_data();
    out[graph_->output_names[i]] = {{result}, false};
  }
  if (recorder_) recorder_->begin_nodes();
  ready->run(*instance, observer_ ? &observer_ : nullptr);
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
  return plans_->fallbacks();
}

}  // namespace godwit::executors

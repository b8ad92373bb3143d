#include "executors/cpu_plan/executor.h"

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

void CpuExecutor::note(const plan::CannotPlan& cannot) {
  reason_ = cannot.reason + (cannot.node ? " (" + ir::describe(*cannot.node) + ")" : "");
}

HostValues CpuExecutor::run(const HostValues& given) {
  check_inputs(*graph_, given);
  HostValues out;
  if (!whole_ && (run_plan(given, out) || run_staged(given, out))) return out;
  if (!whole_) {
    whole_ = std::make_unique<MlxExecutor>(module_, graph_->name);
    whole_->record(recorder_);
  }
  return whole_->run(given);
}

bool CpuExecutor::run_plan(const HostValues& given, HostValues& out) {
  if (staged_) return false;
  std::vector<const Tensor*> inputs;
  std::vector<const plan::Ints*> shapes;
  bool sequences = false;
  for (const ir::Value* input : graph_->inputs) {
    sequences = sequences || input->type.sequence;
    if (sequences) break;
    inputs.push_back(&given.at(input->name).items[0]);
    shapes.push_back(&inputs.back()->shape);
  }
  for (const ir::Value* output : graph_->outputs) sequences = sequences || output->type.sequence;
  if (sequences) return false;
  std::shared_ptr<plan::ReadyPlan> ready;
  try {
    ready = plans_->get(shapes);
  } catch (const plan::CannotPlan& cannot) {
    note(cannot);
    return false;
  }
  prepare_states(ready->plan);
  if (recorder_) recorder_->begin_nodes();
  std::vector<Tensor> results = ready->run(inputs, states_, observer_ ? &observer_ : nullptr);
  for (size_t i = 0; i < results.size(); ++i) out[graph_->output_names[i]] = {{std::move(results[i])}, false};
  return true;
}

bool CpuExecutor::run_staged(const HostValues& given, HostValues& out) {
  if (!staged_) {
    symbols_ = std::make_unique<SymbolTable>(*graph_);
    staged_ = std::make_unique<plan::StagedGraph>(module_, *graph_, *symbols_);
  }
  plan::StagedGraph::Frame frame;
  InputShapes shapes;
  for (const ir::Value* input : graph_->inputs) {
    const HostValue& value = given.at(input->name);
    shapes.push_back(input->type.sequence ? std::nullopt : std::optional(value.items[0].shape));
    frame.values[input] = value;
  }
  frame.env = bind_symbols(*graph_, shapes);
  if (states_.empty())
    for (const ir::State& state : graph_->states) {
      plan::Ints shape;
      for (const ir::Dim& d : state.before->shape()) shape.push_back(d.eval(frame.env));
      states_.push_back(state.initial ? *state.initial : Tensor::zeros(state.before->dtype(), shape));
    }
  for (size_t i = 0; i < states_.size(); ++i) frame.values[graph_->states[i].before] = {{states_[i]}, false};
  if (recorder_) recorder_->begin_nodes();
  try {
    staged_->run(frame, observer_ ? &observer_ : nullptr);
  } catch (const plan::CannotPlan& cannot) {
    note(cannot);
    return false;
  }
  for (size_t i = 0; i < graph_->outputs.size(); ++i)
    out[graph_->output_names[i]] = staged_->value_of(graph_->outputs[i], frame);
  for (size_t i = 0; i < states_.size(); ++i)
    states_[i] = staged_->value_of(graph_->states[i].after, frame).items.at(0);
  return true;
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
  return staged_ ? staged_->fallbacks() : plans_->fallbacks();
}

}  // namespace godwit::executors

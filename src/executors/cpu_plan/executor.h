// The CPU executor: plans a graph once for every set of input shapes, then runs it as kernel calls on all cores.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executors/cpu_plan/plan_cache.h"
#include "executors/cpu_plan/staged.h"
#include "executors/executor.h"
#include "executors/mlx/executor.h"

namespace godwit::executors {

class CpuExecutor : public Executor {
 public:
  // The module must outlive the executor. Throws UsageError where it has no such graph.
  explicit CpuExecutor(const ir::Module& module, const std::string& graph = "main");
  ~CpuExecutor() override;

  HostValues run(const HostValues& inputs) override;
  void reset() override;
  const ir::Graph& graph() const override { return *graph_; }

  // What ran without a kernel of ours in the plans so far: "conv (node conv1)"; or why the whole graph ran through MLX.
  std::vector<std::string> fallbacks() const override;
  void record(ProfileRecorder* recorder) override;
  // Called when a step is done, in the runs that follow.
  void observe(std::function<void(const plan::Step&)> observer) { observer_ = std::move(observer); }
  size_t arena_bytes() const { return plans_->arena_bytes() + (staged_ ? staged_->arena_bytes() : 0); }
  size_t packed_bytes() const { return plans_->packed_bytes(); }  // of weights in the form that kernels read

 private:
  bool run_plan(const HostValues& given, HostValues& out);
  bool run_staged(const HostValues& given, HostValues& out);
  void prepare_states(const plan::Plan& plan);
  void note(const plan::CannotPlan& cannot);

  const ir::Module& module_;
  const ir::Graph* graph_;
  std::unique_ptr<plan::PlanCache> plans_;
  std::vector<Tensor> states_;
  std::unique_ptr<SymbolTable> symbols_;
  std::unique_ptr<plan::StagedGraph> staged_;  // where the graph cannot be planned as one
  std::unique_ptr<MlxExecutor> whole_;         // or in parts
  std::string reason_;
  std::function<void(const plan::Step&)> observer_;
  ProfileRecorder* recorder_ = nullptr;
};

}  // namespace godwit::executors

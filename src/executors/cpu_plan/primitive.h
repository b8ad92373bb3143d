// A plan as one MLX primitive, so that a graph mixes with MLX's own lazy ops.
#pragma once

#include <mlx/array.h>
#include <mlx/stream.h>

#include <memory>
#include <string>
#include <vector>

#include "executors/cpu_plan/plan_cache.h"
#include "executors/mlx/executor.h"

namespace godwit::executors {

// Arrays of the graph's inputs and then of its states, to arrays of its outputs and then of what its states are after:
// a lazy graph may be evaluated in any order and twice, so that nothing is kept between calls. One thread calls at a
// time; the results may be evaluated by any.
class LazyGraph {
 public:
  // Throws UsageError where the module has no such graph, or where its inputs or outputs are sequences.
  LazyGraph(std::shared_ptr<const ir::Module> module, const std::string& graph);

  const ir::Graph& graph() const { return *graph_; }
  // Runs nothing, unless a size depends on data. Throws UsageError where the graph cannot take such inputs.
  std::vector<mlx::core::array> operator()(const std::vector<mlx::core::array>& inputs, mlx::core::Stream stream);
  // What the states are before the first call with such inputs.
  std::vector<mlx::core::array> initial_states(const std::vector<mlx::core::array>& inputs) const;

 private:
  void check(const std::vector<mlx::core::array>& inputs) const;
  std::vector<mlx::core::array> run_whole(const std::vector<mlx::core::array>& inputs, mlx::core::Stream stream);

  std::shared_ptr<const ir::Module> module_;
  const ir::Graph* graph_;
  std::shared_ptr<plan::PlanCache> plans_;
  std::unique_ptr<MlxExecutor> whole_;  // where the graph cannot be planned
};

}  // namespace godwit::executors

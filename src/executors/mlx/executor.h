// The MLX executor: replays a graph's ops through MLX, lazily, on CPU, CUDA or Metal.
#pragma once

#include <mlx/array.h>
#include <mlx/device.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "executors/executor.h"
#include "ir/graph.h"
#include "ops/op.h"

namespace godwit::executors {

mlx::core::array to_mlx(const Tensor& tensor);               // copies; sub-byte and float8 types as bytes
Tensor to_host(const mlx::core::array& array, DType dtype);  // evaluates; dtype is the IR's
ops::Datum to_datum(const HostValue& value);
HostValue to_host_value(const ops::Datum& datum, DType dtype);

// What a state is before the first call.
mlx::core::array initial_state(const ir::State& state, const ir::Dim::Env& env);

class MlxExecutor : public Executor {
 public:
  // Uploads the weights that the graph uses. The module must outlive the executor.
  // Throws UsageError where the module has no such graph, FileError where a weight is missing.
  MlxExecutor(const ir::Module& module, const std::string& graph = "main");
  ~MlxExecutor() override;

  HostValues run(const HostValues& inputs) override;
  void reset() override;
  // The state between calls, in the order of the graph's states; empty before the first call.
  const std::vector<mlx::core::array>& states() const { return states_; }
  void set_states(std::vector<mlx::core::array> states) { states_ = std::move(states); }

  // The same over arrays, in the order of the graph's inputs and outputs; results stay lazy.
  std::vector<ops::Datum> call(const std::vector<ops::Datum>& inputs);

  // Called with every node's operands (null where absent) and results while a call runs: comparison, profiling.
  using Operands = std::vector<const ops::Datum*>;
  using Observer = std::function<void(const ir::Node&, const Operands&, const std::vector<ops::Datum>&)>;
  void record(ProfileRecorder* recorder) override;
  void observe(Observer observer) { observer_ = std::move(observer); }

  // For traced calls (export), where conditions have no value: both branches run, and their results are selected.
  void select_branches(bool on) { selects_branches_ = on; }

  const ir::Graph& graph() const override { return *graph_; }

 private:
  struct Frame;
  void run_nodes(const ir::Graph& graph, Frame& frame);
  std::vector<ops::Datum> run_node(const ir::Node& node, Frame& frame);
  std::vector<ops::Datum> run_if(const ir::Node& node, Frame& frame);
  std::vector<ops::Datum> select(const ir::Node& node, const mlx::core::array& condition, Frame& frame);
  std::vector<ops::Datum> run_loop(const ir::Node& node, Frame& frame);
  std::vector<ops::Datum> run_bind(const ir::Node& node, Frame& frame);
  std::vector<ops::Datum> run_check(const ir::Node& node, Frame& frame);
  std::vector<ops::Datum> run_region(const ir::Graph& region, std::vector<ops::Datum> arguments, const Frame& outer);
  const ops::Datum& value_of(const ir::Value* value, const Frame& frame) const;
  Operands operands_of(const ir::Node& node, const Frame& frame) const;

  const ir::Module& module_;
  const ir::Graph* graph_;
  std::map<const ir::Value*, ops::Datum> weights_;  // and constants
  std::unique_ptr<class SymbolTable> symbols_;
  std::vector<mlx::core::array> states_;
  Observer observer_;
  bool selects_branches_ = false;
};

// Runs one node on constant operands: constant folding. Null when it cannot be run on its own.
std::optional<std::vector<Tensor>> evaluate(const ir::Node& node, const std::vector<Tensor>& inputs,
                                            const ir::Dim::Env& env = {});

}  // namespace godwit::executors

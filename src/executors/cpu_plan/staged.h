// Graphs whose sizes depend on data, with loops or with sequences: stretches of nodes that can be planned run as plans,
// the nodes between them one by one.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "executors/cpu_plan/plan_cache.h"
#include "executors/executor.h"
#include "executors/mlx/symbols.h"

namespace godwit::executors::plan {

// A graph or region. Plans of a stretch are kept by the shapes of what it reads and by the sizes known by then.
class StagedGraph {
 public:
  // Values made so far. A region's frame sees the frames around it.
  struct Frame {
    ir::Dim::Env env;
    const Frame* outer = nullptr;
    std::unordered_map<const ir::Value*, HostValue> values;

    const HostValue* find(const ir::Value* value) const;
  };
  using Observer = std::function<void(const Step&)>;

  // The module must outlive it. `symbols` are those of the outermost graph.
  StagedGraph(const ir::Module& module, const ir::Graph& graph, const SymbolTable& symbols);

  // Fills the frame with what the graph's nodes make, as far as it is read later. Throws CannotPlan where a stretch
  // cannot be planned after all.
  void run(Frame& frame, const Observer* after) const;
  // A value of the frame, a weight or a constant.
  HostValue value_of(const ir::Value* value, const Frame& frame) const;

  std::vector<std::string> fallbacks() const;
  size_t arena_bytes() const;

 private:
  struct Stage {
    ir::Graph stretch;  // copies of nodes, over the graph's own values
    std::unique_ptr<PlanCache> plans;
    const ir::Node* node = nullptr;  // or one node
    std::vector<std::unique_ptr<StagedGraph>> regions;
  };
  bool stands_alone(const ir::Node& node) const;
  void close(Stage stage);
  void run_node(const Stage& stage, Frame& frame, const Observer* after) const;
  void run_bind(const ir::Node& node, Frame& frame) const;
  std::vector<HostValue> run_if(const Stage& stage, Frame& frame, const Observer* after) const;
  std::vector<HostValue> run_loop(const Stage& stage, Frame& frame, const Observer* after) const;
  std::vector<HostValue> run_region(const Stage& stage, size_t region, std::vector<HostValue> arguments,
                                    const Frame& outer, const Observer* after) const;
  std::vector<HostValue> run_mlx(const ir::Node& node, Frame& frame) const;

  const ir::Module& module_;
  const ir::Graph& graph_;
  const SymbolTable& symbols_;
  std::vector<Stage> stages_;
};

}  // namespace godwit::executors::plan

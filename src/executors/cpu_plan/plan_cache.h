// The plans of one graph, one for every set of input shapes, and the memory that they run in. Any thread may ask.
#pragma once

#include <cstdlib>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "executors/cpu_plan/lowering.h"

namespace godwit::executors::plan {

// What one run changes: the arena, and the addresses of all buffers. Inputs, outputs and states are set before a run.
struct Instance {
  std::shared_ptr<std::byte> arena;
  std::vector<std::byte*> base;
  std::vector<Tensor> results;  // of the last run: written anew once nobody else holds them
};

// A plan with instances: as many as ran at the same time.
class ReadyPlan {
 public:
  ReadyPlan(std::vector<Ints> shapes, Ints bound, Plan plan)
      : shapes(std::move(shapes)), bound(std::move(bound)), plan(std::move(plan)) {}

  // An instance for one run; it goes back by itself.
  class Lease {
   public:
    Lease(ReadyPlan& from, std::unique_ptr<Instance> instance) : from_(from), instance_(std::move(instance)) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Instance* operator->() const { return instance_.get(); }
    Instance& operator*() const { return *instance_; }

   private:
    ReadyPlan& from_;
    std::unique_ptr<Instance> instance_;
  };
  // Throws UsageError where there is no memory for it.
  Lease take();
  // Runs it; the caller has set the addresses of inputs, outputs and states.
  void run(const Instance& instance, const std::function<void(const Step&)>* after = nullptr) const;

  // The same over tensors: inputs of any strides, states written in place; results that nobody holds any more are
  // written anew. Throws InternalError for inputs of other shapes than the plan's.
  std::vector<Tensor> run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& states,
                          const std::function<void(const Step&)>* after = nullptr);

  const std::vector<Ints> shapes;
  const Ints bound;  // values of the symbols that the cache asks for
  const Plan plan;

 private:
  std::unique_ptr<Instance> make_instance() const;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Instance>> idle_;
};

class PlanCache {
 public:
  // The module must outlive the plans. `symbols` are those that the shapes of the inputs do not tell.
  PlanCache(const ir::Module& module, const ir::Graph& graph, std::vector<std::string> symbols = {})
      : module_(module), graph_(graph), symbols_(std::move(symbols)) {}

  // The plan for inputs of these shapes, in the order of the graph's inputs, and for the values of the symbols where
  // there are any. Throws CannotPlan where the graph has to run another way, UsageError where it cannot take such
  // inputs or they need too much memory.
  std::shared_ptr<ReadyPlan> get(const std::vector<const Ints*>& shapes, const ir::Dim::Env* values = nullptr);

  std::vector<std::string> fallbacks() const;  // of the plans at hand: "conv (node conv1)"
  size_t arena_bytes() const;
  size_t packed_bytes() const;  // of weights in the form that kernels read

 private:
  const ir::Module& module_;
  const ir::Graph& graph_;
  std::vector<std::string> symbols_;
  mutable std::mutex mutex_;
  WeightCache weights_;
  std::list<std::shared_ptr<ReadyPlan>> plans_;  // most recently used first
};

}  // namespace godwit::executors::plan

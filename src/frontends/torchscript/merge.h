// One value from the two that the branches of a run-time `if` leave, and values that loops carry.
#pragma once

#include <string>
#include <vector>

#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {

// One branch: the region that its nodes are in.
struct MergeSide {
  ir::Graph* graph = nullptr;
};

// A value without views, as the region that is open now sees it.
Value settled(aten::Session& session, const Value& value, int depth);

// Used twice with the same values in the same order: first it collects the outputs of both regions, then, with the
// node's outputs, it gives the merged values.
class Merger {
 public:
  Merger(aten::Session& session, MergeSide& then, MergeSide& otherwise)
      : session_(session), then_(then), otherwise_(otherwise) {}

  Value merge(const Value& a, const Value& b, int depth);
  ir::Value* merge_values(ir::Value* a, ir::Value* b);
  const std::vector<ir::Type>& types() const { return types_; }
  void finish(std::vector<ir::Value*> outputs) {
    outputs_ = std::move(outputs);
    is_finished_ = true;
  }
  bool is_finished() const { return is_finished_; }

 private:
  ir::Value* node_in(ir::Graph& graph, const Value& value, DType dtype);
  ir::Value* filler_in(ir::Graph& graph, const ir::Type& type);
  ir::Value* output(ir::Value* a, ir::Value* b);

  aten::Session& session_;
  MergeSide &then_, &otherwise_;
  std::vector<ir::Type> types_;
  std::vector<ir::Value*> outputs_;
  size_t next_ = 0;
  bool is_finished_ = false;
};

// Tensors and numbers (also in tuples) that go around a loop.
class LoopCarry {
 public:
  explicit LoopCarry(aten::Session& session) : session_(session) {}

  static bool can_carry(const Value& value);
  void add(const Value& value);
  const std::vector<ir::Value*>& initial() const { return initial_; }
  void make_parameters(ir::Graph& region);
  Value parameter(size_t i);  // inside the region
  void yield(size_t i, const Value& value, ir::Graph& region, const std::string& name);
  const std::vector<ir::Type>& types() const { return types_; }
  void finish(std::vector<ir::Value*> outputs) { outputs_ = std::move(outputs); }
  Value result(size_t i);

 private:
  void flatten(const Value& value, std::vector<ir::Value*>& out) const;
  Value rebuilt(const Value& like, const std::vector<ir::Value*>& from, size_t& next) const;

  aten::Session& session_;
  Values originals_;
  std::vector<size_t> starts_;
  std::vector<ir::Value*> initial_, parameters_, outputs_;
  std::vector<ir::Type> types_;
};

}  // namespace godwit::frontends::torchscript

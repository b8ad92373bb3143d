// Turns a graph at concrete shapes into a plan, node by node. Rows (rows.h) say how an op becomes kernel calls; they
// see the graph through this class.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/memory.h"
#include "executors/cpu_plan/fusion.h"
#include "executors/cpu_plan/plan.h"
#include "kernels/half.h"
#include "kernels/program.h"
#include "ops/op.h"

namespace godwit::executors::plan {

// The attributes of a node with the row's defaults, symbols replaced by their values.
class Attributes {
 public:
  Attributes(const ir::Node& node, const ir::Dim::Env& env);
  int64_t integer(std::string_view name) const;
  Ints ints(std::string_view name) const;
  double real(std::string_view name) const;
  std::vector<double> reals(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;

 private:
  const ir::Attr& get(std::string_view name) const;
  const ir::Node& node_;
  const ir::Dim::Env& env_;
};

// Packed weights, shared by all plans of a model: by the weight and what it is packed for.
class WeightCache {
 public:
  const Tensor& get(const std::byte* source, const std::string& kind, const std::function<Tensor()>& pack);
  size_t bytes() const { return bytes_; }

 private:
  std::map<std::pair<const std::byte*, std::string>, Tensor> packed_;
  size_t bytes_ = 0;
};

// The graph cannot be planned as it is (sizes known at run time only, sequences): run it through MLX.
struct CannotPlan {
  const ir::Node* node;
  std::string reason;
};

// Elementwise work on a result that a kernel has just written, in place.
struct Finish {
  std::shared_ptr<const kernels::Program> program;
  std::vector<Ref> leaves;
  size_t self = 0;  // the leaf that is the result itself

  // With addresses, for one run.
  class Bound {
   public:
    Bound(const Finish* finish, const Run& run, float* result);
    // Elements [first, last) of the result, in memory order.
    void operator()(int64_t first, int64_t last) const;
    explicit operator bool() const { return finish_ != nullptr; }

   private:
    const Finish* finish_;
    float* result_;
    std::vector<const void*> leaves_;
  };
};

class Lowering {
 public:
  // Throws CannotPlan.
  Lowering(const ir::Module& module, const ir::Graph& graph, ir::Dim::Env env, WeightCache& weights, int threads);
  Plan finish() &&;

  const ir::Dim::Env& env() const { return env_; }
  int threads() const { return threads_; }

  // Dimensions of a value here. Throws CannotPlan where they are not known.
  Ints shape(const ir::Value* value) const;
  // What a value is known to be before the run; null where it is not.
  const Tensor* constant(const ir::Value* value);
  // Its only element as a number, where it is known and has one.
  std::optional<double> scalar(const ir::Value* value);

  // Where a value lies. Half types lie as they are (inputs, weights, what is moved from there) or as float32 that is
  // rounded to their type (what kernels have made): the layout says which.
  const Place& stored(const ir::Value* value);
  bool is_made(const ir::Value* value) const { return places_.contains(value); }
  // The same for kernels that compute: half types as float32, converted once for all readers.
  const Place& place(const ir::Value* value);
  // That, dense in row-major order or in the given order of axes (slowest first); copied where it is not.
  Place row_major(const ir::Value* value);
  Place ordered(const ir::Value* value, const std::vector<int>& axes);
  Place row_major(const ir::Node& node, const Place& place);

  // A new buffer for a result: row-major, or in the given layout. Half types are float32 here, and rounded behind the
  // row.
  Place result(const ir::Value* value);
  Place result(const ir::Value* value, Layout layout);
  // A new buffer for elements that a row moves without a change.
  Place moved(const ir::Value* value, Layout layout);
  // The result is a view of a buffer that is there already.
  void alias(const ir::Value* value, Place place);
  Ref scratch(size_t bytes);
  Ref constant_ref(const Tensor& tensor);
  // A constant in the form that a kernel wants; made once for all plans where it is a weight of the model.
  Ref packed(const ir::Value* value, const std::string& kind, const std::function<Tensor()>& pack);

  // Adds a kernel call over these addresses.
  void emit(const ir::Node& node, std::string kernel, std::vector<Ref> touched, std::function<void(const Run&)> call,
            double flops = 0);
  // Steps of a region, apart; `after` may add more behind them.
  std::shared_ptr<Block> block(const ir::Graph& region, const std::function<void()>& after);

  // Elementwise work that follows a node and can be done while its result is in cache. Where there is some, the node
  // writes the group's result in place of its own. Asked once, by a row that is sure to have a kernel.
  const ir::Value* target(const ir::Node& node) const;
  std::optional<Finish> finish(const ir::Node& node, const Layout& layout);

  // Elements of half types are converted where one side holds them as float32.
  void copy(const ir::Node& node, const Place& from, const Place& to);

 private:
  void lower_graph(const ir::Graph& graph);
  void lower(const ir::Node& node);
  void lower_group(const Group& group);
  bool fold(const ir::Node& node);
  void fall_back(const ir::Node& node);
  Place converted(const ir::Node& node, const Place& from, DType to);
  void convert(const ir::Node& node, const Place& from, const Place& to);
  void round_results(const ir::Node& node);
  std::optional<Finish> rounding_finish(const ir::Node& node, const Layout& layout);
  void declare_ports();
  void deliver_outputs();
  int add_buffer(Buffer buffer);
  // Throws UsageError where so many bytes are more than the limit.
  size_t bounded(const Layout& layout, const ir::Node* node) const;
  void check_total() const;
  void touch(int buffer);

  const ir::Module& module_;
  const ir::Graph& graph_;
  ir::Dim::Env env_;
  WeightCache& cache_;
  int threads_;
  Fusion fusion_;
  Plan plan_;
  Block* block_ = &plan_.steps;
  int clock_ = 0;
  std::vector<const ir::Node*> node_at_;  // what was emitted when
  size_t memory_limit_ = memory_limit_bytes();
  std::unordered_map<const ir::Value*, Place> places_;
  std::unordered_map<const ir::Value*, Place> widened_;  // float32 copies of half types
  std::vector<const ir::Value*> unrounded_;              // results of the row at work
  std::unordered_set<const ir::Value*> rounded_;         // results that their kernel rounds itself
  std::unordered_set<const ir::Value*> read_;            // values that a node reads
  std::unordered_map<const ir::Value*, Tensor> constants_;
  std::unordered_set<const Group*> finished_;  // groups that their anchor's kernel does
};

// What kernels compute with, as float32.
inline bool computes_in_float(DType d) { return d == DType::f32 || kernels::is_half(d); }
inline DType computed_as(DType d) { return kernels::is_half(d) ? DType::f32 : d; }
// The elements of a tensor of such a type as float32, contiguous.
Tensor as_float(const Tensor& tensor);
// The function that rounds float32 to a half type.
kernels::TileFunction rounding(DType half);

// A group as a program over a result of this layout, and the values that it reads; null where it has no kernel.
struct GroupProgram {
  std::shared_ptr<kernels::Program> program;
  std::vector<const ir::Value*> leaves;
};
bool is_elementwise(const ir::Node& node);
std::optional<GroupProgram> compile_group(Lowering& lowering, const Group& group, const Layout& result);
bool can_anchor(const ir::Node& node);

}  // namespace godwit::executors::plan

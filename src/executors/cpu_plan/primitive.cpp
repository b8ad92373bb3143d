#include "executors/cpu_plan/primitive.h"

#include <mlx/allocator.h>
#include <mlx/backend/cpu/encoder.h>
#include <mlx/ops.h>
#include <mlx/primitives.h>
#include <mlx/utils.h>

#include <cstring>

#include "base/error.h"
#include "executors/inputs.h"
#include "executors/mlx/symbols.h"
#include "kernels/copy.h"
#include "ops/dtype.h"

namespace godwit::executors {
namespace {

namespace mx = mlx::core;
using plan::Ints;
using plan::Layout;
using plan::ReadyPlan;

mx::Shape mlx_shape(const Ints& shape) {
  mx::Shape out;
  for (int64_t d : shape) {
    require<UsageError>(d <= INT32_MAX, "a dimension of {} is more than an MLX array can have", d);
    out.push_back(static_cast<int32_t>(d));
  }
  return out;
}

std::vector<Ints> shapes_of(const std::vector<mx::array>& arrays, size_t count) {
  std::vector<Ints> shapes;
  for (size_t i = 0; i < count; ++i) shapes.emplace_back(arrays[i].shape().begin(), arrays[i].shape().end());
  return shapes;
}

std::shared_ptr<ReadyPlan> plan_of(plan::PlanCache& plans, const std::vector<Ints>& shapes) {
  std::vector<const Ints*> pointers;
  for (const Ints& s : shapes) pointers.push_back(&s);
  return plans.get(pointers);
}

// What a run reads and writes, as it was when the run was scheduled.
struct Operand {
  std::byte* data;
  Layout layout;
};

Operand operand_of(mx::array& array) {
  Layout layout{DType::u8, {array.shape().begin(), array.shape().end()}, {}, 0};
  layout.strides.assign(array.strides().begin(), array.strides().end());
  return {reinterpret_cast<std::byte*>(array.data<char>()), std::move(layout)};
}

void copy(const Operand& from, std::byte* to, size_t item, ThreadPool& pool) {
  if (from.layout.size() == 0) return;
  const plan::Loops loops =
      plan::merged(from.layout.shape, {plan::row_major_strides(from.layout.shape), from.layout.strides});
  kernels::Copy(loops.shape, loops.strides[1], loops.strides[0], item).run(from.data, to, pool);
}

class PlannedCall : public mx::Primitive {
 public:
  // `owner` keeps alive what the plans refer to.
  PlannedCall(mx::Stream stream, std::shared_ptr<const void> owner, std::shared_ptr<plan::PlanCache> plans,
              std::shared_ptr<ReadyPlan> ready)
      : Primitive(stream), owner_(std::move(owner)), plans_(std::move(plans)), ready_(std::move(ready)) {}

  const char* name() const override { return "godwit"; }
  bool is_equivalent(const Primitive& other) const override {
    const auto* same = dynamic_cast<const PlannedCall*>(&other);
    return same && same->plans_ == plans_;
  }
  std::vector<mx::Shape> output_shapes(const std::vector<mx::array>& inputs) override {
    const std::shared_ptr<ReadyPlan> ready = ready_for(inputs);
    std::vector<mx::Shape> shapes;
    for (const Layout& layout : ready->plan.outputs) shapes.push_back(mlx_shape(layout.shape));
    for (const Layout& layout : ready->plan.states) shapes.push_back(mlx_shape(layout.shape));
    return shapes;
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    raise<UsageError>("a godwit plan runs on a CPU stream only");
  }

  // Operands are computed by the stream's own thread, so the run waits its turn there. Where nodes run through MLX,
  // they need MLX's scheduler themselves and the run is done here, once the stream is idle.
  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    for (mx::array& out : outputs) out.set_data(mx::allocator::malloc(std::max<size_t>(out.nbytes(), 1)));
    const std::shared_ptr<ReadyPlan> ready = ready_for(inputs);
    std::vector<Operand> from, to;
    for (const mx::array& in : inputs) from.push_back(operand_of(const_cast<mx::array&>(in)));
    for (mx::array& out : outputs) to.push_back(operand_of(out));
    auto task = [owner = owner_, ready, from = std::move(from), to = std::move(to)] { run(*ready, from, to); };
    if (ready->plan.fallbacks.empty()) return mx::cpu::get_command_encoder(stream()).dispatch(std::move(task));
    mx::synchronize(stream());
    const mx::StreamContext here(mx::Device::cpu);
    task();
  }

 private:
  std::shared_ptr<ReadyPlan> ready_for(const std::vector<mx::array>& inputs) {
    const std::vector<Ints> shapes = shapes_of(inputs, ready_->shapes.size());
    return shapes == ready_->shapes ? ready_ : plan_of(*plans_, shapes);  // a compiled function may have others
  }

  static void run(ReadyPlan& ready, const std::vector<Operand>& from, const std::vector<Operand>& to) {
    const plan::Plan& plan = ready.plan;
    const ReadyPlan::Lease instance = ready.take();
    ThreadPool& pool = ThreadPool::shared();
    auto at = [&](const std::vector<int>& buffers, size_t i) -> std::byte*& {
      return instance->base[static_cast<size_t>(buffers[i])];
    };
    std::vector<std::vector<std::byte>> held;  // row-major copies
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      std::byte* data = from[i].data;
      if (!from[i].layout.is_row_major()) {
        data = held.emplace_back(plan.inputs[i].nbytes()).data();
        copy(from[i], data, item_size(plan.inputs[i].dtype), pool);
      }
      at(plan.input_buffers, i) = data;
    }
    for (size_t i = 0; i < plan.outputs.size(); ++i) at(plan.output_buffers, i) = to[i].data;
    for (size_t i = 0; i < plan.states.size(); ++i) {
      std::byte* data = to[plan.outputs.size() + i].data;
      copy(from[plan.inputs.size() + i], data, item_size(plan.states[i].dtype), pool);
      at(plan.state_buffers, i) = data;
    }
    ready.run(*instance);
  }

  std::shared_ptr<const void> owner_;
  std::shared_ptr<plan::PlanCache> plans_;
  std::shared_ptr<ReadyPlan> ready_;
};

void refuse_sequence(const std::string& name, const ir::Value& value) {
  require<UsageError>(!value.type.sequence,
                      "{} is a sequence of tensors; a function of arrays takes and gives tensors only", name);
}

}  // namespace

LazyGraph::LazyGraph(std::shared_ptr<const ir::Module> module, const std::string& graph) : module_(std::move(module)) {
  auto found = module_->graphs.find(graph);
  require<UsageError>(found != module_->graphs.end(), "the package has no graph called {}", graph);
  graph_ = &found->second;
  for (const ir::Value* v : graph_->inputs) refuse_sequence(v->name, *v);
  for (size_t i = 0; i < graph_->outputs.size(); ++i) refuse_sequence(graph_->output_names[i], *graph_->outputs[i]);
  plans_ = std::make_shared<plan::PlanCache>(*module_, *graph_);
}

void LazyGraph::check(const std::vector<mx::array>& inputs) const {
  std::vector<const ir::Value*> expected(graph_->inputs.begin(), graph_->inputs.end());
  for (const ir::State& state : graph_->states) expected.push_back(state.before);
  std::string list;
  for (const ir::Value* v : expected) list += (list.empty() ? "" : ", ") + v->name + ": " + ir::str(v->type);
  require<UsageError>(inputs.size() == expected.size(), "{} arrays expected ({}), {} given", expected.size(), list,
                      inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    require<UsageError>(inputs[i].dtype() == ops::mlx_dtype(expected[i]->dtype()), "input {} expects {}, given {}",
                        expected[i]->name, ir::str(expected[i]->type), describe_array(inputs[i]));
}

std::vector<mx::array> LazyGraph::operator()(const std::vector<mx::array>& inputs, mx::Stream stream) {
  require<UsageError>(stream.device == mx::Device::cpu, "a godwit plan runs on a CPU stream only");
  check(inputs);
  std::shared_ptr<ReadyPlan> ready;
  try {
    if (!whole_) ready = plan_of(*plans_, shapes_of(inputs, graph_->inputs.size()));
  } catch (const plan::CannotPlan&) {
    whole_ = std::make_unique<MlxExecutor>(*module_, graph_->name);
  }
  if (!ready) return run_whole(inputs, stream);
  std::vector<mx::Shape> shapes;
  std::vector<mx::Dtype> dtypes;
  for (const std::vector<Layout>* results : {&ready->plan.outputs, &ready->plan.states})
    for (const Layout& layout : *results) {
      shapes.push_back(mlx_shape(layout.shape));
      dtypes.push_back(ops::mlx_dtype(layout.dtype));
    }
  for (size_t i = 0; i < graph_->states.size(); ++i) {
    const mx::array& given = inputs[graph_->inputs.size() + i];
    require<UsageError>(given.shape() == shapes[graph_->outputs.size() + i], "state {} expects {}, given {}",
                        graph_->states[i].name, ir::str(graph_->states[i].before->type), describe_array(given));
  }
  if (shapes.empty()) return {};
  return mx::array::make_arrays(std::move(shapes), dtypes,
                                std::make_shared<PlannedCall>(stream, module_, plans_, std::move(ready)), inputs);
}

std::vector<mx::array> LazyGraph::run_whole(const std::vector<mx::array>& inputs, mx::Stream stream) {
  const mx::StreamContext on(stream);
  const auto states = inputs.begin() + static_cast<int64_t>(graph_->inputs.size());
  whole_->set_states({states, inputs.end()});
  std::vector<mx::array> out;
  for (ops::Datum& datum : whole_->call({inputs.begin(), states})) out.push_back(std::get<mx::array>(std::move(datum)));
  out.insert(out.end(), whole_->states().begin(), whole_->states().end());
  whole_->reset();
  return out;
}

std::vector<mx::array> LazyGraph::initial_states(const std::vector<mx::array>& inputs) const {
  require<UsageError>(inputs.size() >= graph_->inputs.size(), "{} arrays expected, {} given", graph_->inputs.size(),
                      inputs.size());
  const std::vector<Ints> shapes = shapes_of(inputs, graph_->inputs.size());
  const ir::Dim::Env env = bind_symbols(*graph_, InputShapes(shapes.begin(), shapes.end()));
  std::vector<mx::array> states;
  for (const ir::State& state : graph_->states) states.push_back(initial_state(state, env));
  return states;
}

}  // namespace godwit::executors

#include "executors/cpu_plan/plan_cache.h"

#include <algorithm>
#include <new>
#include <set>

#include "base/error.h"
#include "base/memory.h"
#include "executors/inputs.h"

namespace godwit::executors::plan {
namespace {

constexpr size_t plans_kept = 8;

}  // namespace

ReadyPlan::Lease::~Lease() {
  const std::lock_guard lock(from_.mutex_);
  from_.idle_.push_back(std::move(instance_));
}

ReadyPlan::Lease ReadyPlan::take() {
  std::unique_ptr<Instance> instance;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      instance = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  return {*this, instance ? std::move(instance) : make_instance()};
}

std::unique_ptr<Instance> ReadyPlan::make_instance() const {
  auto instance = std::make_unique<Instance>();
  try {
    instance->arena = zeroed_memory(plan.arena_bytes);
  } catch (const std::bad_alloc&) {
    raise<UsageError>("{} bytes for intermediate results are not to be had", plan.arena_bytes);
  }
  for (const Buffer& b : plan.buffers) {
    std::byte* at = nullptr;
    if (b.kind == Buffer::Kind::arena) at = instance->arena.get() + b.offset;
    if (b.kind == Buffer::Kind::constant) at = const_cast<std::byte*>(b.constant.data);
    instance->base.push_back(at);
  }
  instance->results.resize(plan.outputs.size());
  return instance;
}

void ReadyPlan::run(const Instance& instance, const std::function<void(const Step&)>* after) const {
  ThreadPool& pool = ThreadPool::shared();
  const ThreadPool::Client client(pool);
  run_block(plan.steps, {instance.base.data(), pool, after});
}

std::vector<Tensor> ReadyPlan::run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& states,
                                   const std::function<void(const Step&)>* after) {
  const Lease instance = take();
  auto at = [&](const std::vector<int>& buffers, size_t i) -> std::byte*& {
    return instance->base[static_cast<size_t>(buffers[i])];
  };
  std::vector<Tensor> held;  // contiguous copies of strided inputs
  held.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Layout& expected = plan.inputs[i];
    require<InternalError>(inputs[i]->shape == expected.shape && inputs[i]->dtype == expected.dtype,
                           "a plan is given {} as its input {}", describe(*inputs[i]), i);
    held.push_back(inputs[i]->contiguous());
    at(plan.input_buffers, i) = const_cast<std::byte*>(held.back().data);
  }
  for (size_t i = 0; i < states.size(); ++i) at(plan.state_buffers, i) = states[i].mutable_data();
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    Tensor& result = instance->results[i];
    if (!result.owner || result.owner.use_count() > 1)
      result = Tensor::zeros(plan.outputs[i].dtype, plan.outputs[i].shape);
    std::shared_ptr<const void>(result.owner).reset();  // letting go once more comes after the last reader's letting go
    at(plan.output_buffers, i) = result.mutable_data();
  }
  std::vector<Tensor> results = instance->results;
  run(*instance, after);
  return results;
}

std::shared_ptr<ReadyPlan> PlanCache::get(const std::vector<const Ints*>& shapes, const ir::Dim::Env* values) {
  Ints bound;
  for (const std::string& symbol : symbols_) {
    const auto value = values->find(symbol);
    bound.push_back(value == values->end() ? -1 : value->second);
  }
  const std::lock_guard lock(mutex_);
  auto found = std::find_if(plans_.begin(), plans_.end(), [&](const auto& ready) {
    return ready->bound == bound && std::equal(shapes.begin(), shapes.end(), ready->shapes.begin(),
                                               [](const Ints* a, const Ints& b) { return *a == b; });
  });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front();
  }
  std::vector<Ints> given;
  for (const Ints* s : shapes) given.push_back(*s);
  const ir::Dim::Env env = values ? *values : bind_symbols(graph_, InputShapes(given.begin(), given.end()));
  Plan plan = Lowering(module_, graph_, env, weights_, ThreadPool::shared().threads()).finish();
  if (plans_.size() == plans_kept) plans_.pop_back();
  plans_.push_front(std::make_shared<ReadyPlan>(std::move(given), std::move(bound), std::move(plan)));
  return plans_.front();
}

std::vector<std::string> PlanCache::fallbacks() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  for (const auto& ready : plans_)
    for (const ir::Node* node : ready->plan.fallbacks) names.insert(ir::describe(*node));
  return {names.begin(), names.end()};
}

size_t PlanCache::packed_bytes() const {
  const std::lock_guard lock(mutex_);
  return weights_.bytes();
}

size_t PlanCache::arena_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const auto& ready : plans_) bytes += ready->plan.arena_bytes;
  return bytes;
}

}  // namespace godwit::executors::plan

// Plans run by several threads at a time; also run under the thread sanitizer (preset tsan).
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "executors/cpu_plan/executor.h"
#include "executors/cpu_plan/plan_cache.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

constexpr const char* text = R"(graph main(x: f32[B, 40]) -> (y = %6, s = %7)
  weight @w: f32[64, 40]
  weight @v: f32[40, 64]
  %1 = linear %x, @w  : f32[B, 64]
  %2 = gelu %1  : f32[B, 64]
  %3 = linear %2, @v  : f32[B, 40]
  %4 = softmax %3  : f32[B, 40]
  %5, %6 = topk %4 k=3  : f32[B, 3], i64[B, 3]
  %7 = cumsum %4 axis=0  : f32[B, 40]
end
)";

ir::Module model() {
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(text));
  for (const auto& [name, value] : module.main().weights) {
    Tensor t = Tensor::zeros(value->dtype(), ir::values(value->shape()));
    for (int64_t i = 0; i < t.size(); ++i)
      reinterpret_cast<float*>(t.mutable_data())[i] = std::sin(static_cast<float>(i) * 0.7f) * 0.3f;
    module.weights[name] = std::move(t);
  }
  return module;
}

Tensor input(int64_t batch) {
  Tensor x = Tensor::zeros(DType::f32, {batch, 40});
  for (int64_t i = 0; i < x.size(); ++i)
    reinterpret_cast<float*>(x.mutable_data())[i] = std::cos(static_cast<float>(i + batch));
  return x;
}

template <class Work>
void in_threads(int count, Work work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([t, &work] { work(t); });
  for (std::thread& t : threads) t.join();
}

// The scans of all batch sizes, by one thread.
std::vector<std::vector<float>> expected(const ir::Module& module, int sizes) {
  executors::CpuExecutor executor(module);
  std::vector<std::vector<float>> out;
  for (int b = 1; b <= sizes; ++b) {
    const Tensor s = executor.run({{"x", {{input(b)}, false}}}).at("s").items[0];
    out.emplace_back(s.values<float>().begin(), s.values<float>().end());
  }
  return out;
}

// Blocks of a product depend on how many threads share it, its sums do not.
constexpr int sizes = 12;  // more than there are plans kept

TEST(PlanThreads, EachHasAnExecutor) {
  const ir::Module module = model();
  const auto right = expected(module, sizes);
  in_threads(2, [&](int t) {
    executors::CpuExecutor executor(module);
    for (int round = 0; round < 30; ++round) {
      const int b = (round * 5 + t) % sizes + 1;
      const Tensor s = executor.run({{"x", {{input(b)}, false}}}).at("s").items[0];
      for (int64_t i = 0; i < s.size(); ++i)
        ASSERT_NEAR(s.values<float>()[static_cast<size_t>(i)],
                    right[static_cast<size_t>(b - 1)][static_cast<size_t>(i)], 1e-5);
    }
  });
}

TEST(PlanThreads, AllShareOneCacheOfPlans) {
  const ir::Module module = model();
  const auto right = expected(module, sizes);
  executors::plan::PlanCache plans(module, module.main());
  in_threads(3, [&](int t) {
    for (int round = 0; round < 40; ++round) {
      const int b = (round * 7 + t) % sizes + 1;
      const Tensor x = input(b);
      const auto ready = plans.get({&x.shape});
      const executors::plan::Plan& plan = ready->plan;
      const auto instance = ready->take();
      Tensor y = Tensor::zeros(DType::i64, {b, 3}), s = Tensor::zeros(DType::f32, {b, 40});
      instance->base[static_cast<size_t>(plan.input_buffers[0])] = const_cast<std::byte*>(x.data);
      instance->base[static_cast<size_t>(plan.output_buffers[0])] = y.mutable_data();
      instance->base[static_cast<size_t>(plan.output_buffers[1])] = s.mutable_data();
      ready->run(*instance);
      for (int64_t i = 0; i < s.size(); ++i)
        ASSERT_NEAR(s.values<float>()[static_cast<size_t>(i)],
                    right[static_cast<size_t>(b - 1)][static_cast<size_t>(i)], 1e-5);
    }
  });
}

}  // namespace
}  // namespace godwit::test

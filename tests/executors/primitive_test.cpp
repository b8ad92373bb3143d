#include "executors/cpu_plan/primitive.h"

#include <gtest/gtest.h>
#include <mlx/compile.h>
#include <mlx/linalg.h>
#include <mlx/ops.h>
#include <mlx/random.h>
#include <mlx/stream.h>
#include <mlx/transforms.h>

#include <cmath>

#include "base/error.h"
#include "executors/cpu_plan/executor.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

namespace mx = mlx::core;

executors::LazyGraph lazy(const std::string& text) {
  auto module = std::make_shared<ir::Module>();
  module->graphs.emplace("main", ir::parse_graph(text + "end\n"));
  for (const auto& [name, value] : module->main().weights) {
    Tensor t = Tensor::zeros(value->dtype(), ir::values(value->shape()));
    for (int64_t i = 0; i < t.size(); ++i)
      reinterpret_cast<float*>(t.mutable_data())[i] = static_cast<float>(i % 7) * 0.25f - 0.5f;
    module->weights[name] = std::move(t);
  }
  return {std::move(module), "main"};
}

mx::Stream cpu_stream() { return mx::default_stream(mx::Device::cpu); }

mx::array random(mx::Shape shape) {
  mx::array a = mx::random::normal(shape);
  mx::eval(a);
  return a;
}

void expect_close(const mx::array& a, const mx::array& b, double tolerance = 1e-5) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(mx::allclose(a, b, tolerance, tolerance).item<bool>()) << a << b;
}

constexpr const char* layers = R"(graph main(x: f32[B, 12]) -> (y = %3, s = %4)
  weight @w: f32[20, 12]
  %1 = linear %x, @w  : f32[B, 20]
  %2 = gelu %1  : f32[B, 20]
  %3 = softmax %2  : f32[B, 20]
  %4 = sum %2 axes=[1]  : f32[B]
)";

mx::array weight() {
  std::vector<float> w;
  for (int i = 0; i < 240; ++i) w.push_back(static_cast<float>(i % 7) * 0.25f - 0.5f);
  return mx::array(w.data(), {20, 12});
}

std::vector<mx::array> by_hand(const mx::array& x) {
  const mx::array h = mx::matmul(x, mx::transpose(weight()));
  const mx::array g = h * (mx::array(1.0f) + mx::erf(h / mx::array(std::sqrt(2.0f)))) / mx::array(2.0f);
  return {mx::softmax(g, -1), mx::sum(g, 1)};
}

TEST(Primitive, MixesWithMlxLazily) {
  executors::LazyGraph f = lazy(layers);
  for (int batch : {1, 3, 17, 3}) {  // plans of several shapes, one used again
    const mx::array x = random({batch, 12});
    auto chain = [&](auto&& call) {
      const std::vector<mx::array> first = call(mx::tanh(x));
      const std::vector<mx::array> second =
          call(mx::slice(first[0], {0, 4}, {batch, 16}) * mx::expand_dims(first[1], 1));
      return mx::concatenate({second[0] + first[0], mx::expand_dims(second[1], 1)}, 1);
    };
    const mx::array lazily = chain([&](const mx::array& a) { return f({a}, cpu_stream()); });
    EXPECT_EQ(lazily.status(), mx::array::Status::unscheduled);
    EXPECT_EQ(lazily.shape(), mx::Shape({batch, 21}));
    expect_close(lazily, chain(by_hand));
  }
}

TEST(Primitive, KnowsShapesWithoutRunning) {
  executors::LazyGraph f = lazy(layers);
  const std::vector<mx::array> y = f({mx::zeros({5, 12})}, cpu_stream());
  EXPECT_EQ(y[0].shape(), mx::Shape({5, 20}));
  EXPECT_EQ(y[1].shape(), mx::Shape({5}));
  EXPECT_EQ(y[0].status(), mx::array::Status::unscheduled);
}

TEST(Primitive, TakesViewsOfAnyStrides) {
  executors::LazyGraph f = lazy(layers);
  const mx::array wide = random({12, 9, 2});
  const mx::array row = random({1, 12});
  for (const mx::array& x : {mx::transpose(mx::slice(wide, {0, 1, 1}, {12, 8, 2}, {1, 2, 1}), {1, 0, 2}),
                             mx::expand_dims(mx::broadcast_to(row, {6, 12}), 2)}) {
    const mx::array flat = mx::squeeze(x, 2);
    expect_close(f({flat}, cpu_stream())[0], by_hand(flat)[0]);
  }
  expect_close(f({mx::zeros({0, 12})}, cpu_stream())[0], mx::zeros({0, 20}));
}

TEST(Primitive, RefusesWhatTheGraphCannotTake) {
  executors::LazyGraph f = lazy(layers);
  auto message = [&](const std::vector<mx::array>& inputs) -> std::string {
    try {
      f(inputs, cpu_stream());
    } catch (const UsageError& e) {
      return e.what();
    }
    return "nothing";
  };
  EXPECT_NE(message({mx::zeros({5, 13})}).find("input x expects f32[B, 12], given f32[5, 13]"), std::string::npos);
  EXPECT_NE(message({mx::zeros({12})}).find("given f32[12]"), std::string::npos);
  EXPECT_NE(message({mx::zeros({5, 12}, mx::int32)}).find("given i32[5, 12]"), std::string::npos);
  EXPECT_NE(message({}).find("1 arrays expected (x: f32[B, 12]), 0 given"), std::string::npos);
  expect_close(f({mx::zeros({5, 12})}, cpu_stream())[1], mx::zeros({5}));  // and goes on
}

TEST(Primitive, StatesGoInAndOut) {
  const std::string text = R"(graph main(x: f32[B, 4]) -> (out = %2)
  state h: f32[B, 4] -> %1
  %1 = add %x, $h  : f32[B, 4]
  %2 = multiply %1, %1  : f32[B, 4]
)";
  executors::LazyGraph f = lazy(text);
  const mx::array x = random({3, 4});
  std::vector<mx::array> state = f.initial_states({x});
  ASSERT_EQ(state.size(), 1u);
  mx::array sum = mx::zeros({3, 4});
  for (int step = 0; step < 3; ++step) {
    const std::vector<mx::array> r = f({x, state[0]}, cpu_stream());
    sum = sum + x;
    state = {r[1]};
    expect_close(r[0], sum * sum);
  }
  expect_close(state[0], sum);
}

TEST(Primitive, RunsWhatHasNoKernelThroughMlx) {
  executors::LazyGraph f = lazy(R"(graph main(x: f32[N, N]) -> (out = %2)
  %1 = inverse %x  : f32[N, N]
  %2 = relu %1  : f32[N, N]
)");
  const mx::array x = random({4, 4}) + mx::eye(4) * mx::array(8.0f);
  const mx::array once = f({x}, cpu_stream())[0];
  const mx::array twice = f({once + x}, cpu_stream())[0] * mx::array(2.0f);
  const mx::array inverse = mx::maximum(mx::linalg::inv(x, mx::Device::cpu), mx::array(0.0f));
  expect_close(once, inverse);
  expect_close(twice, mx::maximum(mx::linalg::inv(inverse + x, mx::Device::cpu), mx::array(0.0f)) * mx::array(2.0f));
}

TEST(Primitive, SizesThatDependOnDataRunAtOnce) {
  executors::LazyGraph f = lazy(R"(graph main(x: f32[N]) -> (out = %1)
  %1 = nonzero %x  : i64[M, 1]
)");
  const mx::array found = f({mx::array({0.0f, 2.0f, 0.0f, 3.0f})}, cpu_stream())[0];
  EXPECT_TRUE(mx::array_equal(found, mx::array({1, 3}, {2, 1}, mx::int64)).item<bool>());
}

TEST(Primitive, CompilesAndMerges) {
  executors::LazyGraph f = lazy(layers);
  auto function = [&](const std::vector<mx::array>& in) {
    return std::vector<mx::array>{f({in[0]}, cpu_stream())[0] + f({in[0]}, cpu_stream())[0]};
  };
  const auto compiled = mx::compile(function);
  for (int batch : {2, 5}) {
    const mx::array x = random({batch, 12});
    expect_close(compiled({x})[0], by_hand(x)[0] * mx::array(2.0f));
  }
}

TEST(Primitive, RunsOnSeveralStreamsAtATime) {
  executors::LazyGraph f = lazy(layers);
  const mx::Stream other = mx::new_stream(mx::Device::cpu);
  std::vector<mx::array> results, expected;
  for (int i = 0; i < 20; ++i) {
    const mx::array x = random({33, 12});
    const mx::array a = f({x}, cpu_stream())[0], b = f({x + mx::array(1.0f)}, other)[0];
    results.push_back(f({mx::slice(a + b, {0, 0}, {33, 12})}, other)[0]);
    expected.push_back(by_hand(mx::slice(by_hand(x)[0] + by_hand(x + mx::array(1.0f))[0], {0, 0}, {33, 12}))[0]);
  }
  mx::async_eval(results);
  for (size_t i = 0; i < results.size(); ++i) expect_close(results[i], expected[i]);
}

}  // namespace
}  // namespace godwit::test

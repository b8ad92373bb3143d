// Quantised weights on the plan: within the stated error (kernels/quantized.h) of the MLX executor.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "executors/cpu_plan/executor.h"
#include "executors/mlx/executor.h"
#include "ir/text.h"
#include "kernels/isa.h"
#include "kernels/quantized.h"

namespace godwit::test {
namespace {

struct Case {
  int64_t rows, n, k, bits, group;
};

Tensor normal_tensor(std::vector<int64_t> shape, std::mt19937& random, float scale = 1) {
  Tensor t = Tensor::zeros(DType::f32, std::move(shape));
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < t.size(); ++i) reinterpret_cast<float*>(t.mutable_data())[i] = scale * normal(random);
  return t;
}

ir::Module module_of(const std::string& text, const Case& c) {
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(text + "end\n"));
  std::mt19937 random(11);
  Tensor words = Tensor::zeros(DType::u32, {c.n, c.k * c.bits / 32});
  for (int64_t i = 0; i < words.size(); ++i) reinterpret_cast<uint32_t*>(words.mutable_data())[i] = random();
  module.weights["w"] = words;
  module.weights["s"] = normal_tensor({c.n, c.k / c.group}, random, 1.0f / static_cast<float>(1 << c.bits));
  module.weights["z"] = normal_tensor({c.n, c.k / c.group}, random);
  module.weights["b"] = normal_tensor({c.n}, random);
  return module;
}

std::string text_of(std::string text, const Case& c) {
  const std::pair<const char*, int64_t> names[] = {{"<m>", c.rows},
                                                   {"<n>", c.n},
                                                   {"<k>", c.k},
                                                   {"<words>", c.k * c.bits / 32},
                                                   {"<groups>", c.k / c.group},
                                                   {"<bits>", c.bits},
                                                   {"<group>", c.group}};
  for (const auto& [name, value] : names)
    for (size_t at; (at = text.find(name)) != std::string::npos;)
      text.replace(at, std::string(name).size(), std::to_string(value));
  return text;
}

constexpr const char* weights = R"(
  weight @w: u32[<n>, <words>]
  weight @s: f32[<n>, <groups>]
  weight @z: f32[<n>, <groups>]
)";

// What rounding the activations may do to each output, over the rows of x as the product reads them.
std::vector<double> bounds(const ir::Module& module, const Case& c, const Tensor& x) {
  auto data = [&](const char* name) { return reinterpret_cast<const float*>(module.weights.at(name).data); };
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < c.n; ++i) rows.push_back(i);
  std::vector<float> w(static_cast<size_t>(c.n * c.k));
  ThreadPool pool(1);
  kernels::quantized_take({{c.n, c.k, c.bits, c.group},
                           reinterpret_cast<const uint32_t*>(module.weights.at("w").data),
                           data("s"),
                           data("z"),
                           rows.data(),
                           DType::i64,
                           c.n},
                          w.data(), pool);
  const auto* values = reinterpret_cast<const float*>(x.data);
  std::vector<double> out;
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.n; ++j) {
      double bound = 1e-4;  // float32 rounding on either side
      for (int64_t g = 0; g < c.k; g += c.group) {
        double most = 0, size = 0;
        for (int64_t t = g; t < g + c.group; ++t) {
          most = std::max<double>(most, std::fabs(values[i * c.k + t]));
          size += std::fabs(w[static_cast<size_t>(j * c.k + t)]);
        }
        bound += size * most / 254;
      }
      out.push_back(bound);
    }
  return out;
}

// `x_of` gives the rows that the product reads from the input of the graph; the rest of the graph must not stretch.
void expect_within_bounds(const std::string& pattern, const Case& c, const std::vector<int64_t>& input_shape,
                          const std::function<Tensor(const Tensor&)>& x_of) {
  const std::string text = text_of(pattern, c), before = kernels::isa();
  SCOPED_TRACE(text);
  const ir::Module module = module_of(text, c);
  std::mt19937 random(12);
  const Tensor x = normal_tensor(input_shape, random);
  executors::HostValues inputs{{"x", {{x}, false}}};
  executors::MlxExecutor mlx(module);
  const Tensor expected = mlx.run(inputs).at("out").items.at(0);
  const std::vector<double> allowed = bounds(module, c, x_of(x));
  for (const std::string& isa : kernels::available_isas()) {
    kernels::set_isa(isa);
    executors::CpuExecutor plan(module);
    const Tensor found = plan.run(inputs).at("out").items.at(0);
    EXPECT_TRUE(plan.fallbacks().empty());
    ASSERT_EQ(describe(found), describe(expected));
    for (int64_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found.number(i), expected.number(i), allowed[static_cast<size_t>(i)]) << isa << " at " << i;
  }
  kernels::set_isa(before);
}

TEST(QuantizedPlan, LinearIsWithinTheStatedError) {
  for (int64_t bits : {4, 8})
    for (int64_t group : {32, 64, 128})
      for (int64_t rows : {1, 3, 40})
        expect_within_bounds(std::string("graph main(x: f32[1, <m>, <k>]) -> (out = %1)") + weights +
                                 "  weight @b: f32[<n>]\n"
                                 "  %1 = quantized_linear %x, @w, @s, @z, @b bits=<bits> group_size=<group>  : f32[1, "
                                 "<m>, <n>]\n",
                             {rows, 37, 256, bits, group}, {1, rows, 256}, [](const Tensor& x) { return x; });
}

TEST(QuantizedPlan, ElementwiseWorkFollowsInPlace) {
  for (int64_t rows : {1, 40})
    expect_within_bounds(std::string("graph main(x: f32[<m>, <k>]) -> (out = %3)") + weights +
                             R"(  %1 = quantized_linear %x, @w, @s, @z bits=<bits> group_size=<group>  : f32[<m>, <n>]
  %2 = relu %1  : f32[<m>, <n>]
  %3 = add %2, %x  : f32[<m>, <n>]
)",
                         {rows, 64, 64, 4, 64}, {rows, 64}, [](const Tensor& x) { return x; });
}

TEST(QuantizedPlan, ReadsATransposedOperand) {
  const Case c{5, 20, 64, 8, 32};
  expect_within_bounds(std::string("graph main(x: f32[<k>, <m>]) -> (out = %2)") + weights +
                           R"(  %1 = transpose %x axes=[1, 0]  : f32[<m>, <k>]
  %2 = quantized_linear %1, @w, @s, @z bits=<bits> group_size=<group>  : f32[<m>, <n>]
)",
                       c, {c.k, c.rows}, [&](const Tensor& x) {
                         Tensor t = Tensor::zeros(DType::f32, {c.rows, c.k});
                         for (int64_t i = 0; i < x.size(); ++i)
                           reinterpret_cast<float*>(t.mutable_data())[i] =
                               reinterpret_cast<const float*>(x.data)[i % c.k * c.rows + i / c.k];
                         return t;
                       });
}

// One weight with two pairs of scales and biases is two weights.
TEST(QuantizedPlan, SharesPackedWeightsOnlyWhereAllIsTheSame) {
  const Case c{2, 16, 64, 8, 64};
  const std::string text = text_of(std::string("graph main(x: f32[<m>, <k>]) -> (out = %3)") + weights +
                                       R"(  weight @s2: f32[<n>, <groups>]
  %1 = quantized_linear %x, @w, @s, @z bits=<bits> group_size=<group>  : f32[<m>, <n>]
  %2 = quantized_linear %x, @w, @s2, @z bits=<bits> group_size=<group>  : f32[<m>, <n>]
  %3 = subtract %1, %2  : f32[<m>, <n>]
)",
                                   c);
  ir::Module module = module_of(text, c);
  module.weights["s2"] = Tensor::zeros(DType::f32, {c.n, 1});
  std::mt19937 random(13);
  executors::CpuExecutor plan(module);
  const Tensor found = plan.run({{"x", {{normal_tensor({c.rows, c.k}, random)}, false}}}).at("out").items.at(0);
  for (int64_t i = 0; i < found.size(); ++i) EXPECT_GT(std::fabs(found.number(i)), 1e-4);
}

TEST(QuantizedPlan, TakesRowsExactly) {
  const Case c{7, 9, 128, 4, 32};
  for (const char* type : {"i64", "i32"}) {
    const std::string text =
        text_of("graph main(x: " + std::string(type) + "[<m>]) -> (out = %1)" + weights +
                    "  %1 = quantized_take %x, @w, @s, @z bits=<bits> group_size=<group>  : f32[<m>, <k>]\n",
                c);
    const ir::Module module = module_of(text, c);
    Tensor indices = Tensor::zeros(type == std::string("i64") ? DType::i64 : DType::i32, {c.rows});
    const int64_t rows[] = {0, 8, -1, -9, 5, 200, -200};
    for (int64_t i = 0; i < c.rows; ++i)
      if (indices.dtype == DType::i64)
        reinterpret_cast<int64_t*>(indices.mutable_data())[i] = rows[i];
      else
        reinterpret_cast<int32_t*>(indices.mutable_data())[i] = static_cast<int32_t>(rows[i]);
    executors::HostValues inputs{{"x", {{indices}, false}}};
    executors::MlxExecutor mlx(module);
    executors::CpuExecutor plan(module);
    const Tensor expected = mlx.run(inputs).at("out").items.at(0), found = plan.run(inputs).at("out").items.at(0);
    EXPECT_TRUE(plan.fallbacks().empty());
    ASSERT_EQ(describe(found), describe(expected));
    for (int64_t i = 0; i < found.size(); ++i) EXPECT_FLOAT_EQ(found.number(i), expected.number(i));
  }
}

TEST(QuantizedPlan, WeightsFromOutsideRunThroughMlx) {
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(R"(graph main(x: f32[2, 64], s: f32[3, 1]) -> (out = %1)
  weight @w: u32[3, 8]
  weight @z: f32[3, 1]
  %1 = quantized_linear %x, @w, %s, @z bits=4 group_size=64  : f32[2, 3]
end
)"));
  std::mt19937 random(14);
  module.weights["w"] = Tensor::zeros(DType::u32, {3, 8});
  module.weights["z"] = normal_tensor({3, 1}, random);
  executors::HostValues inputs{{"x", {{normal_tensor({2, 64}, random)}, false}},
                               {"s", {{normal_tensor({3, 1}, random)}, false}}};
  executors::CpuExecutor plan(module);
  executors::MlxExecutor mlx(module);
  const Tensor expected = mlx.run(inputs).at("out").items.at(0), found = plan.run(inputs).at("out").items.at(0);
  for (int64_t i = 0; i < found.size(); ++i) EXPECT_EQ(found.number(i), expected.number(i));
  EXPECT_EQ(plan.fallbacks(), std::vector<std::string>{"quantized_linear"});
}

}  // namespace
}  // namespace godwit::test

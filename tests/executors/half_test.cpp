// float16 and bfloat16 on the plan, beside what expect_kernels() asks of every graph of the other tests.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "executors/agree.h"
#include "executors/cpu_plan/executor.h"
#include "executors/mlx/executor.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

constexpr DType types[] = {DType::f16, DType::bf16};

class Sizes {
 public:
  explicit Sizes(unsigned seed) : random_(seed) {}
  int64_t operator()(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }

 private:
  std::mt19937 random_;
};

void in_both(const std::string& text, int roundings = 4, const std::vector<float>& among = {}) {
  for (DType type : types) expect_half_kernels(text, type, {}, roundings, among);
}

std::string product(int64_t m, int64_t n, int64_t k) {
  return fmt::format(R"(graph main(x: f32[2, {0}, {2}], r: f32[2, {0}, {1}]) -> (out = %3, sum = %4)
  weight @w: f32[{1}, {2}]
  weight @b: f32[{1}]
  weight @v: f32[{2}, {1}]
  %1 = linear %x, @w, @b  : f32[2, {0}, {1}]
  %2 = silu %1  : f32[2, {0}, {1}]
  %3 = add %2, %r  : f32[2, {0}, {1}]
  %4 = matmul %x, @v  : f32[2, {0}, {1}]
)",
                     m, n, k);
}

std::string rows(int64_t m, int64_t n) {
  return fmt::format(
      R"(graph main(x: f32[{0}, {1}]) -> (a = %1, b = %2, c = %3, d = %4, e = %5, f = %6, g = %7, h = %8)
  weight @w: f32[{1}]
  weight @b: f32[{1}]
  %1 = softmax %x  : f32[{0}, {1}]
  %2 = log_softmax %x axis=0  : f32[{0}, {1}]
  %3 = layer_norm %x, @w, @b  : f32[{0}, {1}]
  %4 = rms_norm %x, @w  : f32[{0}, {1}]
  %5 = sum %x axes=[0]  : f32[{1}]
  %6 = mean %x axes=[1]  : f32[{0}]
  %7 = max %x axes=[0, 1]  : f32[]
  %8 = min %x axes=[1] keepdims=true  : f32[{0}, 1]
)",
      m, n);
}

TEST(PlanHalf, ProductsAndRowsOfAnySize) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    Sizes size(seed);
    in_both(product(size(1, 40), size(1, 120), size(1, 90)));
    in_both(rows(size(1, 30), size(1, 90)));
  }
}

TEST(PlanHalf, ConvolutionsOfAnySize) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    Sizes size(seed);
    const int64_t groups = size(1, 3), in = groups * size(1, 9), out = groups * size(1, 40), h = size(5, 14),
                  w = size(5, 14);
    in_both(fmt::format(R"(graph main(x: f32[2, {0}, {2}, {3}]) -> (a = %2, b = %3, c = %4, d = %5, e = %6)
  weight @w: f32[{1}, {5}, 3, 3]
  weight @b: f32[{1}]
  weight @d: f32[{0}, 1, 3, 3]
  weight @t: f32[{0}, {6}, 2, 3]
  %1 = conv %x, @w, @b stride=[1, 1] low=[1, 1] high=[1, 1] dilation=[1, 1] groups={4}  : f32[2, {1}, {2}, {3}]
  %2 = relu %1  : f32[2, {1}, {2}, {3}]
  %3 = conv %x, @d stride=[1, 1] low=[2, 2] high=[2, 2] dilation=[2, 2] groups={0}  : f32[2, {0}, {2}, {3}]
  %4 = conv_transpose %x, @t stride=[2, 1] low=[0, 1] high=[0, 1] output_padding=[0, 0] dilation=[1, 1] groups={4}  : f32[2, {1}, {7}, {3}]
  %5 = max_pool %x kernel=[3, 3] stride=[1, 1] low=[1, 1] high=[1, 1] dilation=[1, 1]  : f32[2, {0}, {2}, {3}]
  %6 = avg_pool %2 kernel=[3, 3] stride=[1, 1] low=[1, 1] high=[1, 1] dilation=[1, 1]  : f32[2, {1}, {2}, {3}]
)",
                        in, out, h, w, groups, in / groups, out / groups, 2 * h));
  }
}

TEST(PlanHalf, AttentionAndRecurrenceOfAnySize) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    Sizes size(seed);
    const int64_t heads = size(1, 4), queries = size(1, 40), keys = size(1, 450), depth = size(1, 40);
    in_both(fmt::format(
        R"(graph main(q: f32[2, {0}, {1}, {3}], k: f32[2, {0}, {2}, {3}], m: f32[{1}, {2}]) -> (a = %1, b = %2)
  %1 = attention %q, %k, %k scale={4}  : f32[2, {0}, {1}, {3}]
  %2 = attention %q, %k, %k, %m scale={4}  : f32[2, {0}, {1}, {3}]
)",
        heads, queries, keys, depth, 1 / std::sqrt(static_cast<double>(depth))));
    const int64_t steps = size(1, 6), batch = size(1, 5), in = size(1, 20), hidden = size(1, 40);
    in_both(
        fmt::format(
            R"(graph main(x: f32[{0}, {1}, {2}], h: f32[{1}, {3}], c: f32[{1}, {3}]) -> (y = %1, h1 = %2, c1 = %3, z = %4, g = %5)
  weight @w: f32[{4}, {2}]
  weight @u: f32[{4}, {3}]
  weight @b: f32[{4}]
  weight @gw: f32[{5}, {2}]
  weight @gu: f32[{5}, {3}]
  %1, %2, %3 = lstm %x, %h, %c, @w, @u, @b  : f32[{0}, {1}, {3}], f32[{1}, {3}], f32[{1}, {3}]
  %4, %5 = gru %x, %h, @gw, @gu  : f32[{0}, {1}, {3}], f32[{1}, {3}]
)",
            steps, batch, in, hidden, 4 * hidden, 3 * hidden),
        16);
  }
}

TEST(PlanHalf, NaNAndInfinity) {
  const std::vector<float> special{NAN, INFINITY, -INFINITY};
  in_both(product(7, 33, 40), 4, special);
  in_both(R"(graph main(x: f32[5, 50], y: f32[5, 50]) -> (a = %1, b = %2, c = %3, d = %5)
  %1 = sum %x axes=[1]  : f32[5]
  %2 = max %x axes=[0]  : f32[50]
  %3 = softmax %x  : f32[5, 50]
  %4 = maximum %x, %y  : f32[5, 50]
  %5 = relu %4  : f32[5, 50]
)",
          4, special);
}

TEST(PlanHalf, NothingAtAll) {
  for (DType type : types) {
    ir::Module module;
    const std::string t(name(type));
    module.graphs.emplace(
        "main", ir::parse_graph(fmt::format(R"(graph main(x: {0}[0, 33], y: {0}[2, 33]) -> (a = %2, b = %3, c = %4)
  weight @w: {0}[50, 33]
  %1 = linear %x, @w  : {0}[0, 50]
  %2 = relu %1  : {0}[0, 50]
  %3 = concat %x, %y axis=0  : {0}[2, 33]
  %4 = transpose %x axes=[1, 0]  : {0}[33, 0]
end
)",
                                            t)));
    module.weights["w"] = Tensor::zeros(type, {50, 33});
    executors::CpuExecutor plan(module);
    const Tensor y = Tensor::of(type, {2, 33}, std::vector<uint16_t>(66, 0x3c01));
    const executors::HostValues out = plan.run({{"x", {{Tensor::zeros(type, {0, 33})}, false}}, {"y", {{y}, false}}});
    EXPECT_EQ(describe(out.at("a").items[0]), t + "[0, 50]");
    EXPECT_EQ(describe(out.at("c").items[0]), t + "[33, 0]");
    for (uint16_t bits : out.at("b").items[0].values<uint16_t>()) EXPECT_EQ(bits, 0x3c01);
  }
}

// Patterns that no arithmetic would leave alone: signalling NaNs.
TEST(PlanHalf, WhatIsOnlyMovedKeepsItsBits) {
  for (DType type : types) {
    ir::Module module;
    module.graphs.emplace("main", ir::parse_graph(fmt::format(
                                      R"(graph main(x: {0}[4, 6], i: i64[3]) -> (a = %1, b = %3, c = %4, d = %5, e = %6)
  %1 = transpose %x axes=[1, 0]  : {0}[6, 4]
  %2 = slice %x axes=[1] starts=[1] stops=[5] steps=[2]  : {0}[4, 2]
  %3 = concat %2, %x axis=1  : {0}[4, 8]
  %4 = take %x, %i axis=0  : {0}[3, 6]
  %5 = pad %x low=[1, 0] high=[0, 1]  : {0}[5, 7]
  %6 = reshape %1 shape=[24]  : {0}[24]
end
)",
                                      name(type))));
    std::vector<uint16_t> bits;
    for (int i = 0; i < 24; ++i) bits.push_back(static_cast<uint16_t>(0x7f81 + i));
    executors::CpuExecutor plan(module);
    executors::MlxExecutor mlx(module);
    const executors::HostValues inputs{{"x", {{Tensor::of(type, {4, 6}, bits)}, false}},
                                       {"i", {{Tensor::ints({3, -1, 0})}, false}}};
    const executors::HostValues found = plan.run(inputs), expected = mlx.run(inputs);
    EXPECT_TRUE(plan.fallbacks().empty());
    for (const auto& [output, value] : expected) {
      const auto a = value.items[0].values<uint16_t>(), b = found.at(output).items[0].values<uint16_t>();
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << output;
    }
  }
}

TEST(PlanHalf, MovesWhatIsFloatAndWhatIsHalfTogether) {
  in_both(R"(graph main(x: f32[3, 6], y: f32[3, 6], c: bool[]) -> (a = %2, b = %4, c = %6, d = %9, e = %10, f = %x)
  weight @w: f32[6, 6]
  %1 = softmax %x  : f32[3, 6]
  %2 = concat %x, %1, %y axis=0  : f32[9, 6]
  %3 = transpose %2 axes=[1, 0]  : f32[6, 9]
  %4 = softmax %3  : f32[6, 9]
  %5 = sum %1 axes=[0, 1]  : f32[]
  %6 = pad %x, %5 low=[1, 1] high=[0, 0]  : f32[4, 7]
  %7 = slice %1 axes=[0] starts=[0] stops=[1]  : f32[1, 6]
  %8 = slice_update %x, %7 axes=[0] starts=[1] stops=[2]  : f32[3, 6]
  %9 = linear %8, @w  : f32[3, 6]
  %10 = if %c  : f32[3, 6] {
    %11 = softmax %y  : f32[3, 6]
    yield %11
  } {
    yield %y
  }
)");
}

// A value that one side of an if has widened is not there on the other.
TEST(PlanHalf, SidesOfAnIfConvertForThemselves) {
  for (const char* condition : {"true", "false"})
    for (DType type : types) {
      ir::Module module;
      module.graphs.emplace("main",
                            ir::parse_graph(fmt::format(R"(graph main(x: {0}[3, 6], c: bool[]) -> (a = %1, b = %4)
  %1 = if %c  : {0}[3, 6] {{
    %2 = softmax %x  : {0}[3, 6]
    yield %2
  }} {{
    %3 = exp %x  : {0}[3, 6]
    yield %3
  }}
  %4 = softmax %x  : {0}[3, 6]
end
)",
                                                        name(type))));
      executors::CpuExecutor plan(module);
      executors::MlxExecutor mlx(module);
      Tensor x = Tensor::zeros(type, {3, 6});
      for (int64_t i = 0; i < 18; ++i)
        reinterpret_cast<uint16_t*>(x.mutable_data())[i] = static_cast<uint16_t>(0x3c00 + 16 * i);
      const Tensor yes = Tensor::of(DType::boolean, {}, std::vector<uint8_t>{condition == std::string("true")});
      for (int call = 0; call < 2; ++call) {
        const executors::HostValues inputs{{"x", {{x}, false}}, {"c", {{yes}, false}}};
        const executors::HostValues found = plan.run(inputs), expected = mlx.run(inputs);
        for (const char* output : {"a", "b"})
          for (int64_t i = 0; i < 18; ++i)
            EXPECT_NEAR(found.at(output).items[0].number(i), expected.at(output).items[0].number(i),
                        0.02 * std::fabs(expected.at(output).items[0].number(i)));
      }
    }
}

// Between kernels, values have their type: what is too large for it is infinite.
TEST(PlanHalf, ResultsOfKernelsAreRounded) {
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(R"(graph main(x: f16[64, 2]) -> (a = %2, b = %4, c = %6)
  weight @w: f16[1, 2]
  %1 = sum %x axes=[0]  : f16[2]
  %2 = min %1 axes=[0]  : f16[]
  %3 = linear %x, @w  : f16[64, 1]
  %4 = mean %3 axes=[0, 1]  : f16[]
  %5 = add %x, %x  : f16[64, 2]
  %6 = mean %5 axes=[0, 1]  : f16[]
end
)"));
  module.weights["w"] = Tensor::of(DType::f16, {1, 2}, std::vector<uint16_t>{0x4000, 0x4000});
  const Tensor x = Tensor::of(DType::f16, {64, 2}, std::vector<uint16_t>(128, float_to_half(40000)));
  executors::CpuExecutor plan(module);
  const executors::HostValues out = plan.run({{"x", {{x}, false}}});
  EXPECT_TRUE(plan.fallbacks().empty());
  for (const char* output : {"a", "b", "c"}) EXPECT_EQ(out.at(output).items[0].number(0), INFINITY) << output;
}

TEST(PlanHalf, StatesAreCarriedOver) {
  for (DType type : types) {
    const std::string text = fmt::format(R"(graph main(x: {0}[3, 4]) -> (out = %2)
  state h: {0}[3, 4] -> %1
  %1 = add %x, $h  : {0}[3, 4]
  %2 = softmax %1  : {0}[3, 4]
)",
                                         name(type));
    EXPECT_TRUE(expect_agreement(text, {}, type == DType::f16 ? 0x1p-8 : 0x1p-5, 4).fallbacks.empty());
  }
}

TEST(PlanHalf, WeightsStayAsLargeAsTheyAre) {
  for (DType type : types) {
    ir::Module module;
    const std::string t(name(type));
    module.graphs.emplace("main", ir::parse_graph(fmt::format(
                                      R"(graph main(x: {0}[3, 2, 96], i: {0}[1, 64, 5, 5]) -> (a = %1, b = %2, c = %3)
  weight @w: {0}[192, 96]
  weight @c: {0}[96, 64, 3, 3]
  weight @u: {0}[192, 48]
  weight @h: {0}[2, 48]
  %1 = linear %x, @w  : {0}[3, 2, 192]
  %2 = conv %i, @c stride=[1, 1] low=[1, 1] high=[1, 1] dilation=[1, 1]  : {0}[1, 96, 5, 5]
  %3, %4, %5 = lstm %x, @h, @h, @w, @u  : {0}[3, 2, 48], {0}[2, 48], {0}[2, 48]
end
)",
                                      t)));
    size_t bytes = 0;
    for (const auto& [name, value] : module.main().weights) {
      module.weights[name] = Tensor::zeros(type, ir::values(value->shape()));
      if (name != "h") bytes += module.weights[name].nbytes();
    }
    executors::CpuExecutor plan(module);
    plan.run({{"x", {{Tensor::zeros(type, {3, 2, 96})}, false}}, {"i", {{Tensor::zeros(type, {1, 64, 5, 5})}, false}}});
    EXPECT_TRUE(plan.fallbacks().empty());
    // linear and lstm pack @w for themselves; @h is widened
    EXPECT_EQ(plan.packed_bytes(), bytes + module.weights["w"].nbytes() + 2 * module.weights["h"].nbytes());
  }
}

TEST(PlanHalf, QuantisedWeightsWithHalfScales) {
  for (DType type : types)
    for (int64_t bits : {4, 8}) {
      const std::string t(name(type));
      ir::Module module;
      module.graphs.emplace("main",
                            ir::parse_graph(fmt::format(R"(graph main(x: {0}[5, 64], i: i64[3]) -> (a = %2, b = %3)
  weight @w: u32[40, {1}]
  weight @s: {0}[40, 2]
  weight @z: {0}[40, 2]
  weight @b: {0}[40]
  %1 = quantized_linear %x, @w, @s, @z, @b bits={2} group_size=32  : {0}[5, 40]
  %2 = relu %1  : {0}[5, 40]
  %3 = quantized_take %i, @w, @s, @z bits={2} group_size=32  : {0}[3, 64]
end
)",
                                                        t, 2 * bits, bits)));
      std::mt19937 random(3);
      std::normal_distribution<float> normal;
      auto halves = [&](std::vector<int64_t> shape, float scale) {
        Tensor out = Tensor::zeros(type, std::move(shape));
        for (int64_t i = 0; i < out.size(); ++i) {
          const float v = scale * normal(random);
          reinterpret_cast<uint16_t*>(out.mutable_data())[i] =
              type == DType::f16 ? float_to_half(v) : float_to_bfloat(v);
        }
        return out;
      };
      Tensor words = Tensor::zeros(DType::u32, {40, 2 * bits});
      for (int64_t i = 0; i < words.size(); ++i) reinterpret_cast<uint32_t*>(words.mutable_data())[i] = random();
      module.weights["w"] = words;
      module.weights["s"] = halves({40, 2}, 1.0f / static_cast<float>(1 << bits));
      module.weights["z"] = halves({40, 2}, 1), module.weights["b"] = halves({40}, 1);
      executors::CpuExecutor plan(module);
      executors::MlxExecutor mlx(module);
      const executors::HostValues inputs{{"x", {{halves({5, 64}, 1)}, false}},
                                         {"i", {{Tensor::ints({0, -1, 7})}, false}}};
      const executors::HostValues found = plan.run(inputs), expected = mlx.run(inputs);
      EXPECT_TRUE(plan.fallbacks().empty());
      const double epsilon = type == DType::f16 ? 0x1p-10 : 0x1p-7;
      for (const auto& [output, error] : {std::pair("a", 0.02 + 4 * epsilon), std::pair("b", epsilon)}) {
        const Tensor &x = expected.at(output).items[0], &y = found.at(output).items[0];
        ASSERT_EQ(describe(x), describe(y));
        double scale = 0;
        for (int64_t i = 0; i < x.size(); ++i) scale = std::max(scale, std::fabs(x.number(i)));
        for (int64_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x.number(i), y.number(i), error * scale) << output;
      }
    }
}

}  // namespace
}  // namespace godwit::test

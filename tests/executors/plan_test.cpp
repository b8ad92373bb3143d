#include <gtest/gtest.h>

#include "executors/agree.h"
#include "executors/cpu_plan/executor.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

TEST(Plan, FusesElementwiseChains) {
  expect_kernels(R"(graph main(x: f32[2, 3, 5], y: f32[3, 1]) -> (out = %4)
  %1 = add %x, %y  : f32[2, 3, 5]
  %2 = sigmoid %1  : f32[2, 3, 5]
  %3 = multiply %1, %2  : f32[2, 3, 5]
  %4 = subtract %3, %x  : f32[2, 3, 5]
)");
}

TEST(Plan, ReadsViewsOfAnyStrides) {
  expect_kernels(R"(graph main(x: f32[4, 6, 5]) -> (out = %5, part = %2)
  %1 = transpose %x axes=[2, 0, 1]  : f32[5, 4, 6]
  %2 = slice %1 axes=[2, 0] starts=[1, -1] stops=[6, -6] steps=[2, -2]  : f32[3, 4, 3]
  %3 = exp %2  : f32[3, 4, 3]
  %4 = reshape %3 shape=[12, 3]  : f32[12, 3]
  %5 = flip %4 axes=[0]  : f32[12, 3]
)");
}

TEST(Plan, ReshapesWhatIsBroadcast) {
  expect_kernels(R"(graph main(x: f32[4, 1, 5], y: f32[1, 3, 1]) -> (a = %2, b = %4, c = %6)
  %1 = broadcast %x shape=[4, 3, 5]  : f32[4, 3, 5]
  %2 = reshape %1 shape=[12, 5]  : f32[12, 5]
  %3 = broadcast %x shape=[2, 4, 3, 5]  : f32[2, 4, 3, 5]
  %4 = reshape %3 shape=[8, 15]  : f32[8, 15]
  %5 = broadcast %y shape=[2, 3, 6]  : f32[2, 3, 6]
  %6 = reshape %5 shape=[6, 2, 3]  : f32[6, 2, 3]
)");
}

TEST(Plan, ElementwiseWorkFollowsAProductInPlace) {
  for (int64_t rows : {1, 2, 3, 7, 9, 64, 130})
    expect_kernels(R"(graph main(x: f32[B, 33], r: f32[B, 50]) -> (out = %3)
  weight @w: f32[50, 33]
  weight @b: f32[50]
  %1 = linear %x, @w, @b  : f32[B, 50]
  %2 = gelu %1  : f32[B, 50]
  %3 = add %2, %r  : f32[B, 50]
)",
                   {{"B", rows}});
}

// A package may have been written by anybody.
TEST(Plan, DoesNotBelieveWhatNoNodeGives) {
  for (const char* text : {R"(graph main(x: f32[1, 33]) -> (out = %1)
  weight @w: f32[50, 33]
  %1 = linear %x, @w  : f32[100000000, 50]
end
)",
                           R"(graph main(x: f32[1, 33]) -> (out = %1)
  weight @w: f32[50, 33000]
  %1 = linear %x, @w  : f32[1, 50]
end
)",
                           R"(graph main(x: f32[1, 32]) -> (out = %1)
  weight @w: u32[50, 4]
  weight @s: f32[50, 1]
  %1 = quantized_linear %x, @w, @s, @s bits=8 group_size=32  : f32[1, 50]
end
)"}) {
    ir::Module module;
    module.graphs.emplace("main", ir::parse_graph(text));
    for (const auto& [name, value] : module.main().weights)
      module.weights[name] = Tensor::zeros(value->dtype(), ir::values(value->shape()));
    executors::CpuExecutor executor(module);
    const ir::Value& x = *module.main().inputs[0];
    EXPECT_ANY_THROW(executor.run({{"x", {{Tensor::zeros(x.dtype(), ir::values(x.shape()))}, false}}})) << text;
  }
}

TEST(Plan, MultipliesBatchesOfMatrices) {
  expect_kernels(R"(graph main(x: f32[2, 5, 7, 16], y: f32[5, 9, 16]) -> (out = %2)
  %1 = transpose %y axes=[0, 2, 1]  : f32[5, 16, 9]
  %2 = matmul %x, %1  : f32[2, 5, 7, 9]
)");
  expect_kernels(R"(graph main(x: f32[3, 70], y: f32[70, 100]) -> (out = %1)
  %1 = matmul %x, %y  : f32[3, 100]
)");
}

TEST(Plan, ReducesAnyAxes) {
  for (const char* axes : {"[0]", "[1]", "[2]", "[0, 2]", "[1, 2]", "[0, 1, 2]", "[]"})
    for (const char* op : {"sum", "mean", "max", "min"}) {
      const std::string a = axes;
      const std::string shape = a == "[0]"      ? "[1, 19, 33]"
                                : a == "[1]"    ? "[4, 1, 33]"
                                : a == "[2]"    ? "[4, 19, 1]"
                                : a == "[0, 2]" ? "[1, 19, 1]"
                                : a == "[1, 2]" ? "[4, 1, 1]"
                                : a == "[]"     ? "[4, 19, 33]"
                                                : "[1, 1, 1]";
      expect_kernels(
          "graph main(x: f32[33, 4, 19]) -> (out = %2)\n  %1 = transpose %x axes=[1, 2, 0]  : f32[4, 19, 33]\n  %2 = " +
          std::string(op) + " %1 axes=" + a + " keepdims=true  : f32" + shape + "\n");
    }
}

TEST(Plan, NormalisesRows) {
  for (int64_t n : {1, 3, 16, 17, 31, 100})
    expect_kernels(R"(graph main(x: f32[3, 5, N]) -> (a = %1, b = %2, c = %3, d = %4)
  weight @w: f32[N]
  weight @b: f32[N]
  %1 = layer_norm %x, @w, @b  : f32[3, 5, N]
  %2 = rms_norm %x, @w  : f32[3, 5, N]
  %3 = softmax %x  : f32[3, 5, N]
  %4 = log_softmax %x axis=1  : f32[3, 5, N]
)",
                   {{"N", n}});
}

TEST(Plan, RunsWhatHasNoKernelThroughMlx) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[4, 4]) -> (out = %2)
  %1 = inverse %x  : f32[4, 4]
  %2 = relu %1  : f32[4, 4]
)");
  EXPECT_EQ(a.fallbacks, std::vector<std::string>{"inverse"});
}

// A convolution whose weight is no constant has no kernel: what follows reads what MLX made, in its own type.
TEST(Plan, ElementwiseWorkFollowsAFallback) {
  for (const char* type : {"f32", "f16", "bf16"}) {
    const std::string t = type;
    const Agreement a =
        expect_agreement("graph main(x: " + t + "[2, 4, 11], w: " + t +
                             "[4, 1, 4]) -> (y = %4)\n  %1 = conv %x, %w dilation=[1] groups=4 high=[0] "
                             "low=[0] stride=[1]  : " +
                             t + "[2, 4, 8]\n  %2 = cast %1 from=" + t +
                             " to=f32  : f32[2, 4, 8]\n  %3 = silu %2  : f32[2, 4, 8]\n  %4 = cast %3 "
                             "from=f32 to=" +
                             t + "  : " + t + "[2, 4, 8]\n",
                         {}, 1e-2);
    EXPECT_EQ(a.fallbacks, std::vector<std::string>{"conv"});
  }
}

TEST(Plan, StateIsCarriedOver) {
  expect_agreement(R"(graph main(x: f32[B, 4]) -> (out = %2)
  state h: f32[B, 4] -> %1
  %1 = add %x, $h  : f32[B, 4]
  %2 = multiply %1, %1  : f32[B, 4]
)",
                   {{"B", 3}}, 1e-5, 4);
}

}  // namespace
}  // namespace godwit::test

#include <gtest/gtest.h>

#include "executors/agree.h"

namespace godwit::test {
namespace {

TEST(PlanLayers, RecurrentLayers) {
  for (const char* direction : {"false", "true"})
    for (int64_t hidden : {1, 5, 16, 33})
      for (int64_t batch : {1, 3, 9}) {
        const std::string h = std::to_string(hidden), d = direction;
        expect_kernels("graph main(x: f32[T, B, 7], h: f32[B, " + h + "], c: f32[B, " + h +
                           R"(]) -> (y = %1, h1 = %2, c1 = %3)
  weight @w: f32[)" + std::to_string(4 * hidden) +
                           ", 7]\n  weight @u: f32[" + std::to_string(4 * hidden) + ", " + h + "]\n  weight @b: f32[" +
                           std::to_string(4 * hidden) + R"(]
  %1, %2, %3 = lstm %x, %h, %c, @w, @u, @b reverse=)" +
                           d + "  : f32[T, B, " + h + "], f32[B, " + h + "], f32[B, " + h + "]\n",
                       {{"T", 4}, {"B", batch}}, 1e-5, 16);
        expect_kernels("graph main(x: f32[T, B, 7], h: f32[B, " + h + R"(]) -> (y = %1, h1 = %2)
  weight @w: f32[)" + std::to_string(3 * hidden) +
                           ", 7]\n  weight @u: f32[" + std::to_string(3 * hidden) + ", " + h + "]\n  weight @b: f32[" +
                           std::to_string(3 * hidden) + "]\n  weight @v: f32[" + std::to_string(3 * hidden) + R"(]
  %1, %2 = gru %x, %h, @w, @u, @b, @v reverse=)" +
                           d + "  : f32[T, B, " + h + "], f32[B, " + h + "]\n",
                       {{"T", 4}, {"B", batch}}, 1e-5, 16);
      }
}

TEST(PlanLayers, AttentionWithMasksAndGroupedHeads) {
  for (int64_t queries : {1, 2, 3, 9, 40})
    for (const char* causal : {"false", "true"}) {
      const std::string c = causal;
      expect_kernels(
          R"(graph main(q: f32[2, 4, S, 9], k: f32[2, 2, T, 9], v: f32[2, 2, T, 17], m: f32[2, 1, S, T], b: bool[1, 1, 1, T]) -> (a = %1, b = %2, c = %3)
  %1 = attention %q, %k, %v scale=0.3 causal=)" +
              c + R"(  : f32[2, 4, S, 17]
  %2 = attention %q, %k, %v, %m scale=0.3  : f32[2, 4, S, 17]
  %3 = attention %q, %k, %v, %b scale=0.3  : f32[2, 4, S, 17]
)",
          {{"S", queries}, {"T", 450}});
    }
}

TEST(PlanLayers, TakesRowsAndPads) {
  expect_kernels(R"(graph main(x: f32[5, 7, 3], i: i64[2, 4]) -> (a = %1, b = %2, c = %3, d = %4, e = %5)
  %1 = take %x, %i axis=1  : f32[5, 2, 4, 3]
  %2 = pad %x low=[1, 0, -1] high=[0, 2, 3]  : f32[6, 9, 5]
  %3 = pad %x low=[1, 2, 0] high=[2, 0, 2] mode="reflect"  : f32[8, 9, 5]
  %4 = pad %x low=[1, 2, 0] high=[2, 9, 1] mode="edge"  : f32[8, 18, 4]
  %5 = take %i, %i axis=0  : i64[2, 4, 4]
)");
}

TEST(PlanLayers, IndexesAndMeasuresLengths) {
  expect_kernels(
      R"(graph main(x: f32[5, 7, 3], i: i64[2, 1], j: i64[4], k: i64[5, 2, 3]) -> (a = %1, b = %2, c = %3, d = %4, e = %5)
  %1 = index %x, %i, %j axes=[0, 1]  : f32[2, 4, 3]
  %2 = index %x, %i, %j axes=[0, 2]  : f32[2, 4, 7]
  %3 = take_along %x, %k axis=1  : f32[5, 2, 3]
  %4 = norm %x axes=[0]  : f32[7, 3]
  %5 = norm %x axes=[2, 0] keepdims=true  : f32[1, 7, 1]
)");
}

TEST(PlanLayers, IntegersAreExact) {
  expect_kernels(R"(graph main(x: i64[3, 4], y: i64[4], c: bool[3, 1]) -> (a = %4, b = %5, c = %6, d = %7)
  %1 = multiply %x, %y  : i64[3, 4]
  %2 = subtract %1, %y  : i64[3, 4]
  %3 = less %2, %x  : bool[3, 4]
  %4 = where %c, %2, %x  : i64[3, 4]
  %5 = cast %3 from=bool to=i64  : i64[3, 4]
  %6 = logical_and %3, %c  : bool[3, 4]
  %7 = cast %x from=i64 to=f32  : f32[3, 4]
)");
}

TEST(PlanLayers, ChoosesASideAtRunTime) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[3, 4], c: bool[]) -> (a = %2)
  %1 = if %c  : f32[3, 4] {
    %3 = exp %x  : f32[3, 4]
    yield %3
  } {
    %4 = multiply %x, %x  : f32[3, 4]
    %5 = add %4, %x  : f32[3, 4]
    yield %5
  }
  %2 = add %1, %x  : f32[3, 4]
)",
                                       {}, 1e-5, 6);
  EXPECT_TRUE(a.fallbacks.empty());
}

}  // namespace
}  // namespace godwit::test

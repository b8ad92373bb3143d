// Sorts, scans, scatters and other work with indices.
#include <gtest/gtest.h>

#include "executors/agree.h"

namespace godwit::test {
namespace {

TEST(PlanIndex, SortsLinesOfAnyAxis) {
  for (int64_t n : {1, 2, 7, 16, 33, 200})
    for (const char* axis : {"0", "1", "2"}) {
      const std::string a = axis;
      expect_kernels(R"(graph main(x: f32[3, N, 5], i: i64[3, N, 5]) -> (a = %1, b = %2, c = %3, d = %4, e = %5, f = %6)
  %1, %2 = sort %x axis=)" +
                         a + R"(  : f32[3, N, 5], i64[3, N, 5]
  %3, %4 = sort %x axis=)" +
                         a + R"( descending=true  : f32[3, N, 5], i64[3, N, 5]
  %5, %6 = sort %i axis=)" +
                         a + R"(  : i64[3, N, 5], i64[3, N, 5]
)",
                     {{"N", n}});
    }
}

TEST(PlanIndex, TakesTheFirstFew) {
  for (int64_t n : {3, 16, 100})
    for (const char* largest : {"true", "false"}) {
      const std::string l = largest;
      expect_kernels(
          R"(graph main(x: f32[4, N], i: i32[4, N], h: f16[4, N]) -> (a = %1, b = %2, c = %3, d = %4, e = %5, f = %6)
  %1, %2 = topk %x k=3 largest=)" +
              l + R"(  : f32[4, 3], i64[4, 3]
  %3, %4 = topk %i k=2 axis=0 largest=)" +
              l + R"(  : i32[2, N], i64[2, N]
  %5, %6 = topk %h k=1 largest=)" +
              l + R"(  : f16[4, 1], i64[4, 1]
)",
          {{"N", n}});
    }
}

TEST(PlanIndex, FindsExtremes) {
  for (const char* op : {"argmax", "argmin"})
    for (const char* last : {"true", "false"}) {
      const std::string text = op, l = last;
      expect_kernels(
          "graph main(x: f32[5, 7, 9], i: i64[5, 7, 9], b: bool[5, 7]) -> (a = %1, b = %2, c = %3, d = %4)\n  %1 = " +
          text + " %x axis=1 last=" + l + "  : i64[5, 9]\n  %2 = " + text + " %i axis=-1 keepdims=true last=" + l +
          "  : i64[5, 7, 1]\n  %3 = " + text + " %b axis=0 last=" + l + "  : i64[7]\n  %4 = " + text +
          " %x axis=0 last=" + l + "  : i64[7, 9]\n");
    }
}

// In float32 alone: half types have ties where float32 has none.
TEST(PlanIndex, NansAreAboveAllNumbers) {
  const Agreement a =
      expect_agreement(R"(graph main(x: f32[6, 40]) -> (a = %2, b = %3, c = %4, d = %5, e = %6, f = %7, g = %8)
  %1 = log %x  : f32[6, 40]
  %2, %3 = sort %1 axis=-1 descending=true  : f32[6, 40], i64[6, 40]
  %4, %5 = topk %1 k=30 largest=false  : f32[6, 30], i64[6, 30]
  %6 = argmax %1 axis=1  : i64[6]
  %7 = argmin %1 axis=0 last=true  : i64[40]
  %8 = variance %1 axes=[1]  : f32[6]
)");
  EXPECT_TRUE(a.fallbacks.empty());
}

TEST(PlanIndex, FindsPlacesInSortedLines) {
  for (const char* right : {"true", "false"}) {
    const std::string r = right;
    expect_kernels(R"(graph main(x: f32[3, 20], y: f32[3, 5], z: f32[31]) -> (a = %3, b = %6)
  %1, %2 = sort %x  : f32[3, 20], i64[3, 20]
  %3 = searchsorted %1, %y right=)" +
                   r + R"(  : i64[3, 5]
  %4, %5 = sort %z  : f32[31], i64[31]
  %6 = searchsorted %4, %y right=)" +
                   r + R"(  : i64[3, 5]
)");
  }
}

TEST(PlanIndex, AddsUpAlongAnyAxis) {
  for (const char* axis : {"0", "1", "2"})
    for (const char* options : {"", " exclusive=true", " reverse=true", " exclusive=true reverse=true"}) {
      const std::string a = std::string(axis) + options;
      expect_kernels(
          "graph main(x: f32[4, N, 7], i: i64[4, N, 7]) -> (a = %1, b = %2, c = %3)\n  %1 = cumsum %x axis=" + a +
              "  : f32[4, N, 7]\n  %2 = cumsum %i axis=" + a + "  : i64[4, N, 7]\n  %3 = cumprod %x axis=" + a +
              "  : f32[4, N, 7]\n",
          {{"N", 19}});
    }
}

TEST(PlanIndex, ScattersAlongAnAxis) {
  for (const char* how : {"none", "add", "mul", "min", "max"})
    for (const char* axis : {"0", "1"}) {
      const std::string r = " reduction=\"" + std::string(how) + "\"", a = axis;
      expect_kernels(
          "graph main(x: f32[5, 7], i: i64[3, 4], u: f32[4, 6], j: i64[5, 7], v: i64[5, 7]) -> (a = %1, b = %2)\n"
          "  %1 = scatter %x, %i, %u axis=" +
          a + r + "  : f32[5, 7]\n  %2 = scatter %v, %j, %v axis=" + a + r + "  : i64[5, 7]\n");
    }
}

TEST(PlanIndex, ScattersSlices) {
  for (const char* how : {"none", "add", "max"}) {
    const std::string r = " reduction=\"" + std::string(how) + "\"";
    expect_kernels(
        "graph main(x: f32[5, 7, 3], i: i64[4, 2], u: f32[4, 3], j: i64[2, 6, 1], v: f32[2, 6, 7, 3]) -> (a = %1, b = "
        "%2)\n"
        "  %1 = scatter_nd %x, %i, %u" +
        r + "  : f32[5, 7, 3]\n  %2 = scatter_nd %x, %j, %v" + r + "  : f32[5, 7, 3]\n");
  }
}

TEST(PlanIndex, PutsValuesAtIndices) {
  for (const char* accumulate : {"true", "false"}) {
    const std::string a = " accumulate=" + std::string(accumulate);
    expect_kernels(
        "graph main(x: f32[5, 7, 3], i: i64[2, 1], j: i64[4], u: f32[2, 4, 3], v: f32[7], w: f32[5, 1, 3]) -> (a = %1, "
        "b = %2, c = %3, d = %4)\n"
        "  %1 = index_put %x, %u, %i, %j axes=[0, 1]" +
        a +
        "  : f32[5, 7, 3]\n"
        "  %2 = index_put %x, %v, %i, %j axes=[0, 2]" +
        a +
        "  : f32[5, 7, 3]\n"
        "  %3 = index_put %x, %w, %j axes=[1]" +
        a +
        "  : f32[5, 7, 3]\n"
        "  %4 = index_put %j, %i, %i axes=[0]" +
        " accumulate=false  : i64[4]\n");
  }
}

TEST(PlanIndex, RollsTilesAndRepeats) {
  expect_kernels(R"(graph main(x: f32[4, 6, 5], y: f32[0, 6, 5]) -> (a = %1, b = %2, c = %3, d = %5, e = %6, f = %7)
  %1 = roll %x shifts=[2, -1] axes=[0, 2]  : f32[4, 6, 5]
  %2 = tile %x repeats=[2, 1, 3, 2]  : f32[2, 4, 18, 10]
  %3 = repeat %x count=3 axis=1  : f32[4, 18, 5]
  %4 = transpose %x axes=[0, 2, 1]  : f32[4, 5, 6]
  %5 = roll %4 shifts=[7] axes=[1]  : f32[4, 5, 6]
  %6 = concat %y, %x, %y axis=0  : f32[4, 6, 5]
  %7 = tile %x repeats=[2]  : f32[4, 6, 10]
)");
}

TEST(PlanIndex, DividesIntegers) {
  expect_kernels(
      R"(graph main(x: i64[3, 50], y: i64[50]) -> (a = %5, b = %6, c = %7, d = %8, e = %9, f = %10, g = %11, h = %12, i = %13)
  %1 = constant value=i64[]{1}  : i64[]
  %2 = subtract %x, %1  : i64[3, 50]
  %3 = multiply %2, %2  : i64[3, 50]
  %4 = add %3, %2  : i64[3, 50]
  %5 = floor_divide %4, %y  : i64[3, 50]
  %6 = trunc_divide %2, %y  : i64[3, 50]
  %7 = remainder %2, %y  : i64[3, 50]
  %8 = fmod %2, %y  : i64[3, 50]
  %9 = sign %2  : i64[3, 50]
  %10 = bitwise_not %2  : i64[3, 50]
  %11 = sum %2 axes=[0]  : i64[50]
  %12 = max %2 axes=[1]  : i64[3]
  %13 = min %x axes=[0, 1]  : i64[]
)");
}

}  // namespace
}  // namespace godwit::test

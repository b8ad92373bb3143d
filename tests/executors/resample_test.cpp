#include <gtest/gtest.h>

#include "executors/agree.h"

namespace godwit::test {
namespace {

TEST(PlanResample, ResizesInEveryMode) {
  for (const char* mode : {"nearest", "linear", "cubic", "lanczos"})
    for (const char* coordinates : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"})
      for (const char* options : {"", " antialias=true", " exclude_outside=true"}) {
        const std::string rest = " mode=\"" + std::string(mode) + "\" coordinates=\"" + coordinates + "\"" + options;
        expect_kernels(
            "graph main(x: f32[2, 3, 11, 9], y: f32[2, 9, 5, 17]) -> (a = %1, b = %2, c = %4)\n"
            "  %1 = resize %x axes=[2, 3] size=[23, 4]" +
            rest +
            "  : f32[2, 3, 23, 4]\n"
            "  %2 = resize %y axes=[3] size=[40]" +
            rest +
            "  : f32[2, 9, 5, 40]\n"
            "  %3 = transpose %y axes=[0, 3, 1, 2]  : f32[2, 17, 9, 5]\n"
            "  %4 = resize %3 axes=[2, 3] size=[9, 7]" +
            rest + "  : f32[2, 17, 9, 7]\n");
      }
}

TEST(PlanResample, ResizesWithGivenScalesAndTypes) {
  expect_kernels(
      R"(graph main(x: f32[1, 2, 10, 8], i: i64[1, 2, 10, 8], b: bool[1, 1, 4, 4]) -> (a = %1, b = %2, c = %3, d = %4)
  %1 = resize %x axes=[2, 3] size=[15, 6] mode="linear" scales=[1.55, 0.75]  : f32[1, 2, 15, 6]
  %2 = resize %i axes=[2, 3] size=[20, 16] coordinates="asymmetric" nearest="floor"  : i64[1, 2, 20, 16]
  %3 = resize %b axes=[2, 3] size=[8, 7]  : bool[1, 1, 8, 7]
  %4 = resize %x axes=[2, 3] size=[10, 8] mode="linear"  : f32[1, 2, 10, 8]
)");
}

TEST(PlanResample, ResizesRowsOfAnyLength) {
  for (int64_t c = 1; c <= 34; ++c)
    expect_kernels(R"(graph main(x: f32[2, 5, C]) -> (a = %1, b = %2)
  %1 = resize %x axes=[1] size=[7] mode="cubic"  : f32[2, 7, C]
  %2 = resize %x axes=[2] size=[21] mode="linear"  : f32[2, 5, 21]
)",
                   {{"C", c}});
}

// In float32 alone: places in half types are rounded, which the op does by itself.
TEST(PlanResample, SamplesGrids) {
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      for (const char* corners : {"true", "false"}) {
        const std::string rest =
            " mode=\"" + std::string(mode) + "\" padding=\"" + padding + "\" align_corners=" + corners;
        const Agreement a = expect_agreement(
            "graph main(x: f32[2, 5, 6, 7], g: f32[2, 4, 9, 2], v: f32[1, 3, 4, 5, 6], h: f32[1, 2, 3, 4, 3]) -> (a = "
            "%1, b = %2)\n"
            "  %1 = grid_sample %x, %g" +
                rest +
                "  : f32[2, 5, 4, 9]\n"
                "  %2 = grid_sample %v, %h" +
                rest + "  : f32[1, 3, 2, 3, 4]\n",
            {}, 2e-5);
        EXPECT_TRUE(a.fallbacks.empty());
      }
}

TEST(PlanResample, PoolsUnevenWindows) {
  expect_kernels(R"(graph main(x: f32[2, 19, 7, 10]) -> (a = %1, b = %2)
  %1 = adaptive_avg_pool %x size=[3, 4]  : f32[2, 19, 3, 4]
  %2 = adaptive_avg_pool %x size=[9, 10]  : f32[2, 19, 9, 10]
)");
}

TEST(PlanResample, AddsOverlappingWindows) {
  expect_kernels(R"(graph main(x: f32[2, 12, 12], y: f32[3, 5, 8]) -> (a = %1, b = %2, c = %4)
  %1 = fold %x output_size=[5, 4] kernel=[2, 3] stride=[2, 1] low=[1, 1] high=[1, 1] dilation=[1, 1]  : f32[2, 2, 5, 4]
  %2 = overlap_add %y step=3  : f32[3, 20]
  %4 = relu %2  : f32[3, 20]
)");
}

TEST(PlanResample, SumsProducts) {
  expect_kernels(
      R"(graph main(x: f32[2, 3, 4, 5], y: f32[2, 5, 3, 7], z: f32[7, 5], p: f32[4, 5, 6], q: f32[6, 2, 3]) -> (a = %1, b = %2, c = %3, d = %4, e = %5, f = %6)
  %1 = einsum %x, %y equation="bhqd,bdhk->bhqk"  : f32[2, 3, 4, 7]
  %2 = einsum %x, %z equation="...d,kd->...k"  : f32[2, 3, 4, 7]
  %3 = einsum %x, %y equation="bhqd,bdhk->qkhb"  : f32[4, 7, 3, 2]
  %4 = einsum %x, %p equation="bhqd, qdk -> bhk"  : f32[2, 3, 6]
  %5 = einsum %x, %x equation="bhqd,bhqd->bhq"  : f32[2, 3, 4]
  %6 = einsum %p, %q equation="ijm,mbh->ijbh"  : f32[4, 5, 2, 3]
)");
}

TEST(PlanResample, ReducesRows) {
  for (const char* axes : {"[0]", "[1]", "[0, 2]", "[1, 2]"}) {
    const std::string a = axes;
    const std::string shape = a == "[0]"      ? "[1, 19, 33]"
                              : a == "[1]"    ? "[4, 1, 33]"
                              : a == "[0, 2]" ? "[1, 19, 1]"
                                              : "[4, 1, 1]";
    expect_kernels(
        "graph main(x: f32[4, 19, 33], b: bool[4, 19, 33]) -> (a = %1, b = %2, c = %3, d = %4, e = %5, f = %6)\n"
        "  %1 = variance %x axes=" +
        a + " keepdims=true  : f32" + shape +
        "\n"
        "  %2 = variance %x axes=" +
        a + " keepdims=true correction=0.0  : f32" + shape +
        "\n"
        "  %3 = logsumexp %x axes=" +
        a + " keepdims=true  : f32" + shape +
        "\n"
        "  %4 = product %x axes=" +
        a + " keepdims=true  : f32" + shape +
        "\n"
        "  %5 = all %b axes=" +
        a + " keepdims=true  : bool" + shape +
        "\n"
        "  %6 = any %b axes=" +
        a + " keepdims=true  : bool" + shape + "\n");
  }
}

}  // namespace
}  // namespace godwit::test

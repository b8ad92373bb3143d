#include <gtest/gtest.h>

#include "executors/agree.h"

namespace godwit::test {
namespace {

TEST(PlanConv, OneTwoAndThreeAxes) {
  expect_kernels(R"(graph main(x: f32[2, 5, 19]) -> (out = %1)
  weight @w: f32[7, 5, 3]
  weight @b: f32[7]
  %1 = conv %x, @w, @b stride=[2] low=[1] high=[2] dilation=[2]  : f32[2, 7, 9]
)");
  expect_kernels(R"(graph main(x: f32[2, 3, 13, 11]) -> (out = %2)
  weight @w: f32[70, 3, 3, 5]
  weight @b: f32[70]
  %1 = conv %x, @w, @b stride=[1, 2] low=[1, 2] high=[1, 2] dilation=[1, 1]  : f32[2, 70, 13, 6]
  %2 = relu %1  : f32[2, 70, 13, 6]
)");
  expect_kernels(R"(graph main(x: f32[1, 4, 5, 6, 7]) -> (out = %1)
  weight @w: f32[9, 4, 2, 3, 3]
  %1 = conv %x, @w stride=[1, 1, 1] low=[0, 1, 1] high=[0, 1, 1] dilation=[1, 1, 1]  : f32[1, 9, 4, 6, 7]
)");
}

TEST(PlanConv, Groups) {
  expect_kernels(R"(graph main(x: f32[2, 6, 9, 9]) -> (out = %1)
  weight @w: f32[4, 3, 3, 3]
  %1 = conv %x, @w stride=[1, 1] low=[1, 1] high=[1, 1] dilation=[1, 1] groups=2  : f32[2, 4, 9, 9]
)");
  expect_kernels(R"(graph main(x: f32[2, 37, 9, 7]) -> (out = %2)
  weight @w: f32[37, 1, 3, 3]
  weight @b: f32[37]
  %1 = conv %x, @w, @b stride=[2, 1] low=[1, 1] high=[1, 1] dilation=[1, 1] groups=37  : f32[2, 37, 5, 7]
  %2 = hard_swish %1  : f32[2, 37, 5, 7]
)");
}

TEST(PlanConv, PointwiseAndResidual) {
  expect_kernels(R"(graph main(x: f32[2, 16, 7, 7], r: f32[2, 50, 7, 7]) -> (out = %3)
  weight @w: f32[50, 16, 1, 1]
  %1 = conv %x, @w stride=[1, 1] low=[0, 0] high=[0, 0] dilation=[1, 1]  : f32[2, 50, 7, 7]
  %2 = add %1, %r  : f32[2, 50, 7, 7]
  %3 = relu %2  : f32[2, 50, 7, 7]
)");
}

TEST(PlanConv, Transposed) {
  expect_kernels(R"(graph main(x: f32[2, 6, 9]) -> (out = %1)
  weight @w: f32[6, 5, 4]
  weight @b: f32[5]
  %1 = conv_transpose %x, @w, @b stride=[2] low=[1] high=[1] output_padding=[0] dilation=[1]  : f32[2, 5, 18]
)");
  expect_kernels(R"(graph main(x: f32[1, 4, 5, 6]) -> (out = %1)
  weight @w: f32[4, 3, 3, 2]
  %1 = conv_transpose %x, @w stride=[3, 2] low=[1, 0] high=[0, 0] output_padding=[1, 1] dilation=[2, 1] groups=2  : f32[1, 6, 17, 13]
)");
}

TEST(PlanConv, Pools) {
  expect_kernels(R"(graph main(x: f32[2, 19, 9, 8]) -> (a = %1, b = %2, c = %3)
  %1 = max_pool %x kernel=[3, 3] stride=[2, 2] low=[1, 1] high=[1, 1] dilation=[1, 1]  : f32[2, 19, 5, 4]
  %2 = avg_pool %x kernel=[3, 2] stride=[2, 2] low=[1, 1] high=[1, 1] dilation=[1, 1] count_padding=true  : f32[2, 19, 5, 5]
  %3 = avg_pool %x kernel=[3, 2] stride=[2, 2] low=[1, 1] high=[1, 1] dilation=[1, 1]  : f32[2, 19, 5, 5]
)");
}

}  // namespace
}  // namespace godwit::test

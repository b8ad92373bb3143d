// Sizes that depend on data, loops and sequences: stretches of the graph are planned.
#include <gtest/gtest.h>

#include "executors/agree.h"

namespace godwit::test {
namespace {

constexpr const char* counted = R"(graph main(x: f32[N, 6], m: bool[N]) -> (y = %6, i = %1)
  weight @w: f32[9, 6]
  %1 = nonzero %m  : i64[K, 1]
  %2 = squeeze %1 axes=[1]  : i64[K]
  %3 = take %x, %2 axis=0  : f32[K, 6]
  %4 = linear %3, @w  : f32[K, 9]
  %5 = gelu %4  : f32[K, 9]
  %6 = softmax %5  : f32[K, 9]
)";

TEST(PlanStaged, PlansBehindSizesThatDependOnData) {
  for (int64_t n : {20, 40}) {
    const Agreement a = expect_agreement(counted, {{"N", n}}, 1e-5, 6);
    EXPECT_EQ(a.fallbacks, std::vector<std::string>{"nonzero"});
  }
}

// Nothing may be found.
TEST(PlanStaged, RunsOverNothing) {
  for (int64_t n : {0, 1, 2}) expect_agreement(counted, {{"N", n}}, 1e-5, 8);
}

TEST(PlanStaged, ReadsSizesOfTheData) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[1, 5], n: i64[1], m: i64[1]) -> (y = %4)
  bind %n symbols=["k"]
  %1 = broadcast %x shape=[k + 1, 5]  : f32[k + 1, 5]
  %2 = exp %1  : f32[k + 1, 5]
  bind %m symbols=["l"]
  %3 = pad %2 low=[0, 0] high=[l, 1]  : f32[k + l + 1, 6]
  %4 = sum %3 axes=[1]  : f32[k + l + 1]
)",
                                       {}, 1e-5, 12);
  EXPECT_TRUE(a.fallbacks.empty());
}

TEST(PlanStaged, PlansBodiesOfLoops) {
  for (int64_t b : {1, 7}) {
    const Agreement a = expect_agreement(R"(graph main(x: f32[B, 4], n: i64[]) -> (y = %1, all = %2)
  weight @w: f32[4, 4]
  state h: f32[B, 4] -> %1
  %9 = constant value=bool[]{1}  : bool[]
  %1, %2 = loop %n, _, $h  : f32[B, 4], f32[T, B, 4] {
    (%3: i64[], %4: f32[B, 4])
    %5 = linear %4, @w  : f32[B, 4]
    %6 = add %5, %x  : f32[B, 4]
    %7 = tanh %6  : f32[B, 4]
    yield %9, %7, %7
  }
)",
                                         {{"B", b}}, 1e-5, 5);
    EXPECT_TRUE(a.fallbacks.empty());
  }
}

TEST(PlanStaged, LoopsOverWhatGrows) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[2, 3], n: i64[]) -> (y = %8)
  %9 = constant value=bool[]{1}  : bool[]
  %1 = loop %n, _, %x  : f32[R, 3] {
    (%3: i64[], %4: f32[Q, 3])
    %5 = concat %4, %x axis=0  : f32[Q + 2, 3]
    %6 = relu %5  : f32[Q + 2, 3]
    yield %9, %6
  }
  %8 = sum %1 axes=[0]  : f32[3]
)",
                                       {}, 1e-5, 8);
  EXPECT_TRUE(a.fallbacks.empty());
}

TEST(PlanStaged, PlansBetweenSequences) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[3, 4], i: i64[]) -> (y = %5)
  %1 = exp %x  : f32[3, 4]
  %2 = sequence %x, %1, %x  : seq(f32[3, 4])
  %3 = sequence_at %2, %i  : f32[3, 4]
  %4 = add %3, %1  : f32[3, 4]
  %5 = softmax %4  : f32[3, 4]
)",
                                       {}, 1e-5, 6);
  EXPECT_EQ(a.fallbacks, (std::vector<std::string>{"sequence", "sequence_at"}));
}

TEST(PlanStaged, ChoosesBetweenShapes) {
  const Agreement a = expect_agreement(R"(graph main(x: f32[3, 4], c: bool[]) -> (a = %2)
  %1 = if %c  : f32[P, 4] {
    %3 = slice %x axes=[0] starts=[0] stops=[2]  : f32[2, 4]
    %4 = exp %3  : f32[2, 4]
    yield %4
  } {
    yield %x
  }
  %2 = add %1, %1  : f32[P, 4]
)",
                                       {}, 1e-5, 6);
  EXPECT_TRUE(a.fallbacks.empty());
}

}  // namespace
}  // namespace godwit::test

#include "parity/golden.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::parity {
namespace {

TEST(Golden, SplitsByPrefixAndBack) {
  Tensors tensors = {{"input/x", Tensor::ints({1})}, {"output/y", Tensor::ints({2})}, {"layer/a.b", Tensor::ints({3})}};
  Golden golden = golden_of(tensors, 0, "g");
  EXPECT_EQ(golden.inputs.at("x").integer(0), 1);
  EXPECT_EQ(golden.outputs.at("y").integer(0), 2);
  EXPECT_EQ(golden.layers.at("a.b").integer(0), 3);
  EXPECT_EQ(tensors_of(golden).size(), 3u);
}

TEST(Golden, RefusesOddNamesAndMissingSteps) {
  EXPECT_THROW(golden_of({{"x", Tensor::ints({1})}}, 0, "g"), FileError);
  EXPECT_THROW(golden_of({{"input/x", Tensor::ints({1})}}, 0, "g"), FileError);
  EXPECT_THROW(golden_of({{"output/y", Tensor::ints({1, 2})}}, 3, "g"), FileError);
}

TEST(Golden, StepsAreRowsOfTheLeadingAxis) {
  Tensor all = Tensor::of(DType::f32, {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  Tensor second = step_of(all, 1);
  EXPECT_EQ(second.shape, std::vector<int64_t>{3});
  EXPECT_EQ(second.number(0), 4);
  EXPECT_THROW(step_of(all, 2), InternalError);
}

TEST(Golden, RandomInputsFitTheGraphAndRepeat) {
  ir::Graph graph;
  graph.add_input("x", {DType::f32, ir::Shape{ir::Dim::symbol("B"), ir::Dim(4)}});
  graph.add_input("ids", {DType::i64, ir::Shape{ir::Dim::symbol("B")}});
  Tensors a = random_inputs(graph, 7, {{"B", 3}}), b = random_inputs(graph, 7, {{"B", 3}});
  EXPECT_EQ(a.at("x").shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(a.at("ids").shape, std::vector<int64_t>{3});
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(a.at("x").number(i), b.at("x").number(i));
  for (int64_t i = 0; i < 3; ++i) EXPECT_LE(a.at("ids").integer(i), 1);
  EXPECT_EQ(random_inputs(graph, 7).at("x").shape[0], 2);
  EXPECT_NE(random_inputs(graph, 8, {{"B", 3}}).at("x").number(0), a.at("x").number(0));
}

}  // namespace
}  // namespace godwit::parity

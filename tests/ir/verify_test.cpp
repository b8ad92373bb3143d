#include "ir/verify.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/text.h"

namespace godwit::ir {
namespace {

Graph sample() {
  return parse_graph(R"(graph main(x: f32[B]) -> (y = %3)
  weight @w: f32[4]
  %0 = relu %x  : f32[B]
  %1 = if %0  : f32[B] {
    %2 = relu %0  : f32[B]
    yield %2
  } {
    yield %x
  }
  %3 = add %1, @w  : f32[B]
end
)");
}

std::string first(const Graph& g) {
  auto found = defects(g);
  return found.empty() ? "" : found.front();
}

TEST(Verify, AcceptsASoundGraph) { EXPECT_EQ(first(sample()), ""); }

TEST(Verify, FindsUseBeforeDefinition) {
  Graph g = sample();
  g.nodes.reverse();
  EXPECT_NE(first(g).find("before it is made"), std::string::npos);
  EXPECT_THROW(verify(g, "a test"), InternalError);
}

TEST(Verify, FindsUseOutsideTheRegion) {
  Graph g = sample();
  g.outputs[0] = (*std::next(g.nodes.begin()))->regions[0]->outputs[0];
  EXPECT_NE(first(g).find("out of its region"), std::string::npos);
}

TEST(Verify, FindsAForeignProducer) {
  Graph g = sample();
  g.nodes.front()->outputs[0]->producer = g.nodes.back().get();
  EXPECT_NE(first(g).find("does not own"), std::string::npos);
}

TEST(Verify, FindsAmbiguousNames) {
  Graph g = sample();
  g.add_output("y", g.outputs[0]);
  EXPECT_EQ(first(g), "two outputs are called y");
}

TEST(Verify, FindsUnspeakableSymbols) {
  Graph g = sample();
  g.inputs[0]->type.shape = Shape{Dim::symbol("batch size")};
  EXPECT_NE(first(g).find("'batch size' is no symbol"), std::string::npos);
}

TEST(Verify, ComparesDeclaredWeightsWithTheStore) {
  Module m;
  m.graphs.emplace("main", sample());
  ASSERT_EQ(defects(m).size(), 1u);
  EXPECT_NE(defects(m)[0].find("weight w is missing"), std::string::npos);
  m.weights["w"] = Tensor::zeros(DType::f32, {5});
  EXPECT_NE(defects(m)[0].find("weight w is f32[5], declared as f32[4]"), std::string::npos);
  m.weights["w"] = Tensor::zeros(DType::f32, {4});
  EXPECT_TRUE(defects(m).empty());
}

}  // namespace
}  // namespace godwit::ir

#include "parity/tolerance.h"

#include <gtest/gtest.h>

namespace godwit::parity {
namespace {

// A chain of `count` nodes of one op over values of one dtype.
ir::Graph chain(const std::string& op, int count, DType dtype) {
  ir::Graph graph;
  ir::Type type{dtype, ir::Shape{ir::Dim(2)}};
  ir::Value* value = graph.add_input("x", type);
  for (int i = 0; i < count; ++i) {
    auto node = std::make_unique<ir::Node>();
    node->op = op;
    node->inputs = {value};
    value = graph.add_value({.type = type, .producer = node.get()});
    node->outputs = {value};
    graph.nodes.push_back(std::move(node));
  }
  graph.add_output("y", value);
  return graph;
}

TEST(Tolerance, FollowsDtypeAndDepth) {
  EXPECT_EQ(tolerance_for(chain("conv", 100, DType::f32)).tolerance.scaled, 1e-5);
  EXPECT_EQ(tolerance_for(chain("conv", 101, DType::f32)).tolerance.scaled, 1e-4);
  EXPECT_EQ(tolerance_for(chain("add", 500, DType::f32)).tolerance.scaled, 1e-5);
  EXPECT_EQ(tolerance_for(chain("conv", 1, DType::f16)).tolerance.scaled, 4 * 0x1p-10);
  EXPECT_EQ(tolerance_for(chain("conv", 1, DType::bf16)).tolerance.scaled, 4 * 0x1p-7);
}

TEST(Tolerance, RecurrentGraphsAreHarder) {
  ChosenTolerance chosen = tolerance_for(chain("lstm", 1, DType::f32));
  EXPECT_EQ(chosen.tolerance.scaled, 1e-4);
  EXPECT_EQ(chosen.why, "float32, recurrent");
  ir::Graph stateful = chain("add", 1, DType::f32);
  stateful.add_state("s", {DType::f32, ir::Shape{ir::Dim(2)}});
  EXPECT_EQ(tolerance_for(stateful).tolerance.scaled, 1e-4);
}

}  // namespace
}  // namespace godwit::parity

// Windows that are larger than the input: with ceil_mode one incomplete window is left, as in PyTorch.
#include "ops/pool.h"

#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include "ops/builder.h"

namespace godwit::test {
namespace {

namespace mx = mlx::core;
using ops::Ints;

const Ints huge{1 << 20}, one{1}, zero{0};

ir::Shape inferred(const std::string& op, bool ceil_mode) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{1, 2, 4}});
  const ir::Dims kernel{1 << 20};
  return b
      .op(op, {x},
          {{"kernel", kernel},
           {"stride", kernel},
           {"low", ir::Dims{0}},
           {"high", ir::Dims{0}},
           {"dilation", ir::Dims{1}},
           {"ceil_mode", ceil_mode}})
      ->shape();
}

TEST(Pool, AWindowLargerThanTheInputHoldsWhatThereIs) {
  const mx::array x = mx::reshape(mx::array({1.0f, 2.0f, 3.0f, 6.0f, -4.0f, -3.0f, -2.0f, -1.0f}), {1, 2, 4});
  const mx::array mean = ops::avg_pool(x, huge, huge, zero, zero, one, true, false, 0);
  EXPECT_TRUE(mx::array_equal(mean, mx::reshape(mx::array({3.0f, -2.5f}), {1, 2, 1})).item<bool>());
  const mx::array most = ops::max_pool(x, huge, huge, zero, zero, one, true);
  EXPECT_TRUE(mx::array_equal(most, mx::reshape(mx::array({6.0f, -1.0f}), {1, 2, 1})).item<bool>());
  const auto found = ops::max_pool_indices(x, huge, huge, zero, zero, one, true);
  EXPECT_TRUE(mx::array_equal(found.at(0), most).item<bool>());
  EXPECT_TRUE(mx::array_equal(found.at(1), mx::reshape(mx::array({3, 3}), {1, 2, 1})).item<bool>());
}

TEST(Pool, InferenceKnowsIt) {
  for (const char* op : {"avg_pool", "max_pool"}) {
    EXPECT_EQ(inferred(op, true), (ir::Shape{1, 2, 1})) << op;
    EXPECT_THROW(inferred(op, false), UsageError) << op;
  }
}

}  // namespace
}  // namespace godwit::test

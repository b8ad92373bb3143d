#include "passes/carry_state.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace godwit {
namespace {

ir::Module accumulator() {
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(R"(graph main(x: f32[B, 2], sum: f32[B, 2]) -> (y = %1, total = %2)
  %1 = negative %x  : f32[B, 2]
  %2 = add %x, %sum  : f32[B, 2]
end
)"));
  return module;
}

TEST(CarryState, ACallReadsWhatTheLastOneGave) {
  ir::Module module = accumulator();
  passes::carry_state(module.main(), "sum", "total");
  EXPECT_TRUE(ir::defects(module).empty());
  executors::MlxExecutor executor(module);
  const Tensor x = Tensor::of<float>(DType::f32, {1, 2}, {1, 2});
  for (int call = 1; call <= 3; ++call) {
    const auto results = executor.run({{"x", {{x}, false}}});
    EXPECT_EQ(results.at("total").items.at(0).number(1), 2.0 * call);
  }
  executor.reset();
  EXPECT_EQ(executor.run({{"x", {{x}, false}}}).at("total").items.at(0).number(1), 2.0);
}

void expect_refusal(const std::string& input, const std::string& output, const std::string& part) {
  ir::Module module = accumulator();
  try {
    passes::carry_state(module.main(), input, output);
    FAIL() << "not refused: " << input << "=" << output;
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(CarryState, NamesAndTypesMustFit) {
  expect_refusal("z", "total", "no input called z; it has: x, sum");
  expect_refusal("sum", "z", "no output called z; it has: y, total");
  ir::Module module;
  module.graphs.emplace(
      "main", ir::parse_graph("graph main(x: f32[2, 3]) -> (y = %1)\n  %1 = sum %x axes=[0]  : f32[3]\nend\n"));
  EXPECT_THROW(passes::carry_state(module.main(), "x", "y"), UsageError);
  module.main() = ir::parse_graph("graph main(x: f32[2], s: f32[B]) -> (y = %s)\nend\n");
  EXPECT_THROW(passes::carry_state(module.main(), "s", "y"), UsageError);  // nothing tells B any more
}

}  // namespace
}  // namespace godwit

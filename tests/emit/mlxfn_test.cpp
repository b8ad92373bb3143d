// Function files load in MLX and give the executor's numbers.
#include <gtest/gtest.h>
#include <mlx/export.h>
#include <mlx/mlx.h>

#include <fstream>

#include "base/error.h"
#include "emit/generated.h"
#include "executors/mlx/executor.h"
#include "ir/text.h"
#include "ops/builder.h"

namespace godwit::emit {
namespace {

namespace mx = mlx::core;

ir::Module small_model() {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 3, 8}});
  ir::Value* sum = graph.add_state("sum", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 4, 6}});
  std::vector<float> weight(4 * 3 * 3);
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.05f * static_cast<float>(i % 7) - 0.1f;
  ir::Value* y =
      b.op("conv", {x, b.weight("conv.weight", Tensor::of(DType::f32, {4, 3, 3}, weight))},
           {{"stride", ir::Dims{1}}, {"low", ir::Dims{0}}, {"high", ir::Dims{0}}, {"dilation", ir::Dims{1}}});
  ir::Value* next = b.op("add", {sum, b.op("gelu", {y})});
  graph.states[0].after = next;
  graph.add_output("y", b.op("softmax", {next}));
  return module;
}

TEST(Mlxfn, LoadsInMlxAndMatches) {
  const ir::Module module = small_model();
  const auto dir = testing::package_folder("mlxfn", module, {{"B", 2}}, 2);
  write_mlxfn(module, dir / "mlxfn", {.symbols = {{"B", 2}}});
  auto golden = mx::load_safetensors((dir / "golden.safetensors").string()).first;
  const mx::ImportedFunction function = mx::import_function((dir / "mlxfn" / "model.mlxfn").string());
  mx::array sum = mx::zeros({2, 4, 6});
  for (int step = 0; step < 2; ++step) {
    std::vector<mx::array> results = function({mx::take(golden.at("input/x"), step, 0), sum});
    ASSERT_EQ(results.size(), 2u);
    mx::array gap = mx::max(mx::abs(mx::subtract(results[0], mx::take(golden.at("output/y"), step, 0))));
    EXPECT_LE(gap.item<float>(), 1e-6f);
    sum = results[1];
  }
  if (!testing::has_python_mlx())
    GTEST_SKIP() << "no Python with mlx: the Python half is not run (GODWIT_PYTHON names one)";
  std::ofstream(dir / "check.py") << "import sys\nimport mlx.core as mx\n"
                                     "golden = mx.load(sys.argv[1] + '/golden.safetensors')\n"
                                     "model = mx.import_function(sys.argv[1] + '/mlxfn/model.mlxfn')\n"
                                     "y, state = model(golden['input/x'][0], mx.zeros([2, 4, 6]))\n"
                                     "assert mx.abs(y - golden['output/y'][0]).max().item() <= 1e-6\n";
  const testing::Run python = testing::run_python(dir / "check.py", dir.string());
  EXPECT_EQ(python.status, 0) << python.output;
}

void expect_refusal(const std::string& text, const std::string& part, const Options& options = {}) {
  ir::Module module;
  module.graphs["main"] = ir::parse_graph(text);
  try {
    write_mlxfn(module, std::filesystem::path(GODWIT_WORK) / "refused", options);
    FAIL() << "not refused: " << text;
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Mlxfn, RefusesWhatAFunctionFileCannotHold) {
  expect_refusal("graph main(x: f32[B]) -> (y = %1)\n  %1 = negative %x  : f32[B]\nend\n", "give a size for B");
  expect_refusal(
      "graph main(x: f32[2], n: i64[]) -> (y = %1)\n  %1 = loop %n, _, %x carried=1  : f32[2] {\n    (%2: i64[], %3: "
      "f32[2])\n    %4 = constant value=bool[]{1}  : bool[]\n    yield %4, %3\n  }\nend\n",
      "depends on the data of a run");
  expect_refusal("graph main(x: bool[4]) -> (y = %1)\n  %1 = nonzero %x  : i64[u0, 1]\nend\n",
                 "depends on the data of a run");
}

TEST(Mlxfn, ABranchBecomesAChoice) {
  ir::Module module;
  module.graphs["main"] = ir::parse_graph(R"(graph main(x: f32[2]) -> (y = %4)
  %1 = sum %x axes=[0]  : f32[]
  %2 = constant value=f32[]{0}  : f32[]
  %3 = less %1, %2  : bool[]
  %4 = if %3  : f32[2] {
    %5 = negative %x  : f32[2]
    yield %5
  } {
    yield %x
  }
end
)");
  const auto dir = std::filesystem::path(GODWIT_WORK) / "branch";
  write_mlxfn(module, dir);
  const mx::ImportedFunction function = mx::import_function((dir / "model.mlxfn").string());
  for (float sign : {1.0f, -1.0f}) {
    const mx::array y = function({mx::array({sign, 2 * sign})})[0];
    EXPECT_TRUE(mx::array_equal(y, mx::array({1.0f, 2.0f})).item<bool>());
  }
}

}  // namespace
}  // namespace godwit::emit

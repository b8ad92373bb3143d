// Small archives against what torch computed for them (tools/goldens/torchscript.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "executors/mlx/executor.h"
#include "frontends/frontend.h"
#include "ir/text.h"

namespace godwit::frontends {
namespace {

using executors::HostValue;
using nlohmann::json;

const std::string kFolder = "tests/data/torchscript/";

Tensor tensor_of(const json& j) {
  const auto shape = j.at("shape").get<std::vector<int64_t>>();
  if (j.at("dtype") == "int64") return Tensor::of(DType::i64, shape, j.at("data").get<std::vector<int64_t>>());
  return Tensor::of(DType::f32, shape, j.at("data").get<std::vector<float>>());
}

void expect_near(const Tensor& found, const Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(found.shape, expected.shape) << what;
  ASSERT_EQ(found.dtype, expected.dtype) << what;
  double scale = 1e-6;
  for (int64_t i = 0; i < expected.size(); ++i) scale = std::max(scale, std::abs(expected.number(i)));
  for (int64_t i = 0; i < expected.size(); ++i)
    ASSERT_LE(std::abs(found.number(i) - expected.number(i)), tolerance * scale) << what << " element " << i;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, MatchesTorch) {
  const std::string name = GetParam();
  const json calls = json::parse(std::ifstream(kFolder + name + ".json"));
  ASSERT_FALSE(calls.empty());
  ImportOptions options;
  const auto& inputs = calls.at(0).at("inputs");
  const std::string input = name == "traced_conv" ? "x" : "x";
  for (const auto& j : inputs) options.inputs[input].shape = ir::dims(tensor_of(j).shape);
  const Imported imported = import_torchscript(kFolder + name + ".pt", options);
  ASSERT_TRUE(unsupported_ops(imported.module).empty()) << unsupported_ops(imported.module)[0].name;
  EXPECT_GT(imported.source_nodes, 0u);

  const ir::Graph& graph = imported.module.main();
  executors::MlxExecutor executor(imported.module);
  for (size_t call = 0; call < calls.size(); ++call) {
    std::map<std::string, HostValue> values;
    values[graph.inputs.at(0)->name] = {{tensor_of(calls[call].at("inputs").at(0))}, false};
    const auto found = executor.run(values);
    const auto& expected = calls[call].at("outputs");
    ASSERT_EQ(graph.output_names.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      expect_near(
          found.at(graph.output_names[i]).items.at(0), tensor_of(expected[i]), name == "stateful" ? 1e-4 : 1e-5,
          name + " call " + std::to_string(call) + " output " + graph.output_names[i] + "\n" + ir::print(graph));
  }
}

INSTANTIATE_TEST_SUITE_P(Archives, Golden,
                         ::testing::Values("traced_conv", "scripted_conv", "control", "branching", "stateful", "writes",
                                           "compared", "in_place", "frozen", "transformers"),
                         [](const auto& info) { return info.param; });

TEST(TorchScript, NamesOutputsByTheirPath) {
  ImportOptions options;
  options.inputs["x"].shape = ir::Shape{2, 4};
  const Imported imported = import_torchscript(kFolder + "control.pt", options);
  const std::vector<std::string> names = {"output_0", "output_1_a", "output_1_b", "output_1_c"};
  EXPECT_EQ(imported.module.main().output_names, names);
}

TEST(TorchScript, FoldsControlFlowAway) {
  ImportOptions options;
  options.inputs["x"].shape = ir::Shape{2, 4};
  const Imported imported = import_torchscript(kFolder + "control.pt", options);
  ir::for_each_node(imported.module.main(), [](const ir::Node& node, const ir::Graph&) {
    EXPECT_NE(node.op, "if");
    EXPECT_NE(node.op, "loop");
  });
}

TEST(TorchScript, AsksForWhatTheFileDoesNotSay) {
  EXPECT_THROW(import_torchscript(kFolder + "control.pt"), UsageError);
  ImportOptions options;
  options.inputs["y"].shape = ir::Shape{2, 4};
  EXPECT_THROW(import_torchscript(kFolder + "traced_conv.pt", options), UsageError);
  options.inputs.clear();
  options.inputs["x"].shape = ir::Shape{2, 4, 1};  // the program raises: it wants 2 dimensions
  try {
    import_torchscript(kFolder + "control.pt", options);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("expected 2 dimensions, got 3"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("torchscript.py:"), std::string::npos) << error.what();
  }
}

TEST(TorchScript, RefusesWritesToSharedMemory) {
  ImportOptions options;
  options.inputs["x"].shape = ir::Shape{3};
  try {
    import_torchscript(kFolder + "shared.pt", options);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("writes to 'a', which shares its memory with 'b'"), std::string::npos)
        << error.what();
  }
}

TEST(TorchScript, TakesTheShapesOfTheTrace) {
  const Imported imported = import_torchscript(kFolder + "traced_conv.pt");
  EXPECT_EQ(ir::str(imported.module.main().inputs.at(0)->type), "f32[2, 3, 8, 8]");
}

}  // namespace
}  // namespace godwit::frontends

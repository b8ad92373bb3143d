// Blocks and loops found along the module tree, and the code that comes of them.
#include "emit/code/program.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "emit/generated.h"
#include "ops/builder.h"

namespace godwit::emit {
namespace {

using ir::Value;

Tensor filled(std::vector<int64_t> shape, float start) {
  std::vector<float> values(static_cast<size_t>(checked_size(shape)));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 0.1f * static_cast<float>((i * 7 + static_cast<size_t>(start)) % 11) - 0.5f;
  return Tensor::of(DType::f32, std::move(shape), values);
}

// Three equal layers between an entry and a head, as an exporter gives them.
ir::Module layered(bool anonymous = false) {
  ir::Module module;
  module.metadata["source"] = "layers.pt2";
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  auto weight = [&](const std::string& name, std::vector<int64_t> shape, float start) {
    const std::string stored = anonymous ? "w" + std::to_string(module.weights.size()) : name;
    return b.weight(stored, filled(std::move(shape), start));
  };
  Value* x = graph.add_input("tokens", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 4, 8}});
  Value* mask = graph.add_input("mask", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 1, 1}});
  b.set_place("m.py:1", "entry");
  x = b.op("linear", {x, weight("entry.weight", {8, 8}, 1)});
  for (int i = 0; i < 3; ++i) {
    const std::string at = "encoder.layers." + std::to_string(i);
    b.set_place("m.py:2", at + ".norm");
    Value* y = b.op("layer_norm", {x, weight(at + ".norm.weight", {8}, 2), weight(at + ".norm.bias", {8}, 3)});
    b.set_place("m.py:3", at + ".up");
    y = b.op("linear",
             {y, weight(at + ".up.weight", {16, 8}, static_cast<float>(i)), weight(at + ".up.bias", {16}, 4)});
    b.set_place("m.py:4", at);
    y = b.op("gelu", {y});
    y = b.reshape(y, {ir::Dim::symbol("B"), 4, 16});
    b.set_place("m.py:5", at + ".down");
    y = b.op("linear", {y, weight(at + ".down.weight", {8, 16}, static_cast<float>(i + 5))});
    b.set_place("m.py:6", at);
    y = b.op("multiply", {y, mask});
    x = b.op("add", {x, y});
  }
  b.set_place("m.py:7", "head");
  Value* pooled = b.op("mean", {x}, {{"axes", ir::Dims{1}}});
  graph.add_output("hidden", x);
  graph.add_output("pooled", b.op("reshape", {pooled}, {{"shape", ir::Dims{ir::Dim::symbol("B") * 2, 4}}}));
  return module;
}

TEST(Outline, RepeatedLayersBecomeOneBlockInALoop) {
  const ir::Module module = layered();
  const Program program = outline(module);
  ASSERT_EQ(program.blocks.size(), 1u);
  const Block& layer = *program.blocks[0];
  EXPECT_EQ(layer.name, "Layer");
  EXPECT_EQ(layer.instances.size(), 3u);
  EXPECT_EQ(layer.weights.size(), 5u);
  EXPECT_EQ(layer.parameters.size(), 2u);
  const std::vector<Statement>& body = program.roots.at(0).block->body;
  ASSERT_EQ(body.size(), 4u);  // linear, loop, mean, reshape
  EXPECT_EQ(body[1].kind, Statement::Kind::repeat);
  EXPECT_EQ(body[1].count, 3);
  EXPECT_EQ(join(body[1].scope), "encoder.layers");
  EXPECT_EQ(body[1].carried, (std::vector<int>{0, -1}));
}

TEST(Outline, ALayerThatDiffersEndsTheLoop) {
  ir::Module module = layered();
  int seen = 0;
  for (auto& node : module.main().nodes)
    if (node->op == "gelu" && ++seen == 3) node->attrs["approximate"] = std::string("tanh");
  const Program program = outline(module);
  const std::vector<Statement>& body = program.roots.at(0).block->body;
  EXPECT_EQ(body[1].kind, Statement::Kind::repeat);
  EXPECT_EQ(body[1].count, 2);
}

TEST(Outline, AHiddenStateThatIsAnOutputIsNotLost) {
  ir::Module module = layered();
  int seen = 0;
  for (auto& node : module.main().nodes)
    if (node->op == "add" && ++seen == 2) module.main().add_output("second", node->output());
  const Program program = outline(module);
  const std::vector<Statement>& body = program.roots.at(0).block->body;
  EXPECT_EQ(body[1].kind, Statement::Kind::repeat);
  EXPECT_EQ(body[1].count, 2);  // the second layer's result is read elsewhere: the third is a call of its own
  EXPECT_EQ(body[2].kind, Statement::Kind::call);
}

TEST(Outline, UnsupportedOpsAreNamedTogether) {
  ir::Module module = layered();
  ops::Builder b(module, module.main());
  b.unsupported("aten.histc", {}, {{DType::f32, ir::Shape{3}}});
  try {
    outline(module);
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("unsupported.aten.histc (1)"), std::string::npos) << e.what();
  }
}

// Blocks and weights that are called like the variables that hold their results.
TEST(Outline, VariablesDoNotHideMembers) {
  ir::Module module;
  module.metadata["source"] = "stages.pt2";
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  Value* x = graph.add_input("x", {DType::f32, ir::Shape{2, 8}});
  b.set_place("m.py:1", "");
  x = b.op("multiply", {x, b.weight("multiply", filled({8}, 1))});
  for (const std::string stage : {"stem", "head"}) {
    b.set_place("m.py:2", stage + ".linear");
    Value* y = b.op("linear", {x, b.weight(stage + ".linear", filled({8, 8}, 2))});
    b.set_place("m.py:3", stage + ".norm1");
    y = b.op("layer_norm", {y, b.weight(stage + ".norm1.weight", filled({8}, 3)), nullptr});
    b.set_place("m.py:4", stage);
    x = b.op("add", {x, b.op("tanh", {b.op("sigmoid", {y})})});
    x = b.op("silu", {x});
  }
  graph.add_output("state", x);
  EXPECT_EQ(outline(module).roots.at(0).block->body.back().kind, Statement::Kind::call);
  const auto dir = testing::package_folder("stages", module, {});
  write_cpp(module, dir / "cpp", {.class_name = "Stages"});
  write_python(module, dir / "python", {.class_name = "Stages"});
  const testing::Run cpp = testing::build_and_test_cpp(dir);
  EXPECT_EQ(cpp.status, 0) << cpp.output;
  if (!testing::has_python_mlx()) GTEST_SKIP() << "no Python with mlx: the Python half is not run";
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
}

TEST(Outline, NamesFromFilesRunNothing) {
  ir::Module module;
  module.metadata["source"] = "m\"\"\"\nraise SystemExit('run')\n\"\"\".onnx";
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  Value* x = graph.add_input("x", {DType::f32, ir::Shape{2, 8}});
  for (int i = 0; i < 2; ++i) {
    const std::string at = "layers{1/0}\n1/0\\." + std::to_string(i);
    b.set_place("m.py:1", at);
    Value* y = b.op("tanh", {b.op("linear", {x, b.weight(at + ".w", filled({8, 8}, 2))})});
    x = b.op("silu", {b.op("add", {x, b.op("sigmoid", {y})})});
  }
  graph.add_output("y", x);
  ASSERT_EQ(outline(module).roots.at(0).block->body.at(0).kind, Statement::Kind::repeat);
  const auto dir = testing::package_folder("names", module, {});
  write_cpp(module, dir / "cpp", {.class_name = "Names"});
  write_python(module, dir / "python", {.class_name = "Names"});
  const testing::Run cpp = testing::build_and_test_cpp(dir);
  EXPECT_EQ(cpp.status, 0) << cpp.output;
  if (!testing::has_python_mlx()) GTEST_SKIP() << "no Python with mlx: the Python half is not run";
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
}

class Layered : public ::testing::TestWithParam<bool> {};

TEST_P(Layered, GeneratedCodeGivesTheSameNumbers) {
  const ir::Module module = layered(GetParam());
  const auto dir = testing::package_folder(GetParam() ? "anonymous" : "layered", module, {{"B", 3}});
  write_cpp(module, dir / "cpp", {.class_name = "Layers"});
  write_python(module, dir / "python", {.class_name = "Layers"});
  if (GetParam()) {  // the harder of the two; a compiler run is slow
    const testing::Run cpp = testing::build_and_test_cpp(dir);
    EXPECT_EQ(cpp.status, 0) << cpp.output;
    EXPECT_NE(cpp.output.find("pooled: largest error"), std::string::npos) << cpp.output;
  }
  if (!testing::has_python_mlx())
    GTEST_SKIP() << "no Python with mlx: the Python half is not run (GODWIT_PYTHON names one)";
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
  EXPECT_NE(python.output.find("pooled: largest error"), std::string::npos) << python.output;
}

// Weights under the names of the module tree, and under names that tell nothing.
INSTANTIATE_TEST_SUITE_P(WeightNames, Layered, ::testing::Bool());

}  // namespace
}  // namespace godwit::emit

// Programs of tests/data/pt2 (tools/goldens/pt2.py) against PyTorch's recorded results, two calls each.
#include "frontends/pt2/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/zip.h"
#include "executors/mlx/executor.h"
#include "frontends/pt2/translation.h"
#include "support/zip_writer.h"

namespace godwit::frontends {
namespace {

using Json = nlohmann::json;

const std::string folder = "tests/data/pt2/";

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Tensor tensor_of(const Json& j) {
  const DType dtype = *parse_dtype(j["dtype"].get<std::string>());
  Tensor t = Tensor::zeros(dtype, j["shape"].get<std::vector<int64_t>>());
  const auto values = j["values"].get<std::vector<double>>();
  std::byte* to = t.mutable_data();
  for (double v : values) {
    Tensor one = Tensor::scalar(dtype, v);
    std::copy_n(one.data, item_size(dtype), to);
    to += item_size(dtype);
  }
  return t;
}

void expect_near(const std::string& name, const Tensor& computed, const Tensor& reference, double tolerance) {
  ASSERT_EQ(describe(computed), describe(reference)) << name;
  double scale = 1e-3;
  for (int64_t i = 0; i < reference.size(); ++i) scale = std::max(scale, std::fabs(reference.number(i)));
  for (int64_t i = 0; i < reference.size(); ++i)
    ASSERT_NEAR(computed.number(i), reference.number(i), tolerance * scale) << name << " at " << i;
}

// Runs the recorded calls; the tolerance is a share of each output's scale.
void check(const std::string& name, double tolerance) {
  Imported model = import_pt2(folder + name + ".pt2");
  for (const UnsupportedOp& op : unsupported_ops(model.module))
    ADD_FAILURE() << name << ": " << op.name << " is not supported";
  executors::MlxExecutor executor(model.module);
  const Json recorded = Json::parse(text_of(folder + name + ".json"));
  for (const Json& call : recorded["calls"]) {
    std::map<std::string, executors::HostValue> inputs;
    for (const auto& [key, value] : call["inputs"].items()) inputs[key].items = {tensor_of(value)};
    auto outputs = executor.run(inputs);
    ASSERT_EQ(outputs.size(), call["outputs"].size()) << name;
    for (const auto& [key, value] : call["outputs"].items()) {
      ASSERT_TRUE(outputs.count(key)) << name << ": no output " << key;
      expect_near(name + "." + key, outputs[key].items.at(0), tensor_of(value), tolerance);
    }
  }
}

TEST(ImportPt2, ConvolutionWithADynamicBatch) { check("block", 1e-5); }
TEST(ImportPt2, WritesThroughViewsAreSeen) { check("views", 1e-5); }
TEST(ImportPt2, WritesThroughViewsThatPickElements) { check("picked", 1e-5); }
TEST(ImportPt2, RecurrentLayers) { check("recurrent", 1e-4); }
TEST(ImportPt2, BuffersThatAreWrittenAreState) { check("counter", 1e-5); }
TEST(ImportPt2, ControlFlow) { check("control", 1e-5); }
TEST(ImportPt2, SymbolicSizes) { check("symbolic", 1e-5); }
TEST(ImportPt2, MappedFunctions) { check("mapped", 1e-5); }
// Keys come out of a bfloat16 region: one rounding (2^-8) of theirs moves the result.
TEST(ImportPt2, AutocastTiedAndStridedWeights) { check("mixed", 4.0 / 128); }

TEST(ImportPt2, AutocastCastsInsideTheRegion) {
  Imported model = import_pt2(folder + "mixed.pt2");
  bool found = false;
  ir::for_each_node(model.module.main(), [&](const ir::Node& node, const ir::Graph&) {
    found = found || (node.op == "linear" && node.output()->dtype() == DType::bf16);
  });
  EXPECT_TRUE(found);
}

TEST(ImportPt2, WeightsKeepTheirNamesAndNodesTheirPlaces) {
  Imported model = import_pt2(folder + "block.pt2");
  EXPECT_EQ(model.module.weights.count("conv.weight"), 1u);
  EXPECT_FALSE(model.module.main().inputs[0]->shape()[0].is_known());
  bool placed = false;
  ir::for_each_node(model.module.main(), [&](const ir::Node& node, const ir::Graph&) {
    if (node.op == "conv") placed = node.scope == "conv" && !node.place.empty();
  });
  EXPECT_TRUE(placed);
}

TEST(ImportPt2, OptionsSpecialiseInputs) {
  ImportOptions options;
  options.inputs["x"].shape = ir::Shape{7, 2, 5, 6};
  Imported model = import_pt2(folder + "block.pt2", options);
  EXPECT_TRUE(model.module.main().inputs.at(0)->shape()[0].is(7));
  options.inputs["x"].shape = ir::Shape{7, 2, 5, 9};
  EXPECT_THROW(import_pt2(folder + "block.pt2", options), UsageError);
  options.inputs["x"].shape = ir::Shape{7, 2, 5};
  EXPECT_THROW(import_pt2(folder + "block.pt2", options), UsageError);
  ImportOptions unknown;
  unknown.inputs["y"].shape = ir::Shape{1};
  EXPECT_THROW(import_pt2(folder + "block.pt2", unknown), UsageError);
}

// A fault of ours inside a translator is no gap of the operator table: it stays ours, with operator and place.
TEST(ImportPt2, AFaultInATranslatorStaysInternal) {
  ir::Module module;
  ir::Graph graph;
  ops::Builder builder(module, graph);
  pt2::Translation translation(builder, "model.pt2");
  formats::pt2::Argument x;
  x.kind = formats::pt2::Argument::Kind::symbol;
  x.name = "x";
  formats::pt2::Graph program;
  program.inputs = {x};
  program.nodes = {{"torch.ops.aten.relu.default", "relu", {{"self", x}}, {}, "model.py:7", ""}};
  aten::Value broken;
  broken.data = aten::TensorRef();  // what no operator ever gives
  try {
    translation.run(program, {broken});
    FAIL() << "accepted";
  } catch (const InternalError& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find("aten::relu"), std::string::npos) << what;
    EXPECT_NE(what.find("model.py:7"), std::string::npos) << what;
  }
}

// Mutations of the program's text, packed again so that they get past the archive.
}  // namespace
}  // namespace godwit::frontends

#include "parity/validate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ops/builder.h"
#include "parity/bench.h"

namespace godwit::parity {
namespace {

constexpr int64_t kWidth = 8;
constexpr int kLayers = 4;

Tensor pattern(std::vector<int64_t> shape, int seed) {
  Tensor t = Tensor::zeros(DType::f32, std::move(shape));
  auto* values = reinterpret_cast<float*>(t.mutable_data());
  for (int64_t i = 0; i < t.size(); ++i) values[i] = std::sin(static_cast<float>(i * 7 + seed * 13 + 1)) * 0.5f;
  return t;
}

std::string layer_name(int i) { return "layer" + std::to_string(i); }

// Four linear layers with tanh between them; every linear result is named.
ir::Module network() {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder builder(module, graph);
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{ir::Dim(2), ir::Dim(kWidth)}});
  for (int i = 0; i < kLayers; ++i) {
    builder.set_place("net.py:" + std::to_string(i + 1));
    ir::Value* weight = builder.weight(layer_name(i) + ".weight", pattern({kWidth, kWidth}, i));
    ir::Value* bias = builder.weight(layer_name(i) + ".bias", pattern({kWidth}, 10 + i));
    x = builder.op("linear", {x, weight, bias});
    x->name = layer_name(i);
    if (i + 1 < kLayers) x = builder.op("tanh", {x});
  }
  graph.add_output("y", x);
  return module;
}

// What the graph itself computes, layers included: the golden of an unharmed copy.
Golden record(const ir::Module& module) {
  Golden golden;
  golden.name = "golden";
  golden.inputs["x"] = pattern({2, kWidth}, 99);
  executors::MlxExecutor executor(module);
  executor.observe([&](const ir::Node& node, const auto& /*operands*/, const std::vector<ops::Datum>& results) {
    if (node.op != "linear") return;
    golden.layers[node.output()->name] = executors::to_host(std::get<ops::array>(results[0]), DType::f32);
  });
  golden.outputs["y"] = executor.run({{"x", {{golden.inputs["x"]}, false}}}).at("y").items[0];
  return golden;
}

void add_to_first_element(Tensor& weight, float delta) {
  Tensor copy = Tensor::of_bytes(weight.dtype, weight.shape, weight.bytes());
  reinterpret_cast<float*>(copy.mutable_data())[0] += delta;
  weight = copy;
}

TEST(Validate, AnUnharmedGraphPasses) {
  ir::Module module = network();
  ValidateResult result = validate(module, {record(module)}, {.layers = true});
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.max_error, 0);
  EXPECT_EQ(result.layers.size(), static_cast<size_t>(kLayers));
  EXPECT_EQ(result.layers_unmatched, 0);
  EXPECT_FALSE(result.first_divergence);
  EXPECT_EQ(result.tolerance.scaled, 1e-5);
}

TEST(Validate, FindsAnInjectedFaultAtTheRightNode) {
  Golden golden = record(network());
  for (int faulty = 0; faulty < kLayers; ++faulty) {
    ir::Module module = network();
    add_to_first_element(module.weights.at(layer_name(faulty) + ".weight"), 1e-2f);
    ValidateResult result = validate(module, {golden}, {.layers = true});
    EXPECT_FALSE(result.passed);
    ASSERT_TRUE(result.first_divergence);
    EXPECT_EQ(result.first_divergence->name, layer_name(faulty));
    EXPECT_EQ(result.first_divergence->place, "net.py:" + std::to_string(faulty + 1));
    EXPECT_GT(result.max_error, 1e-5);
  }
}

TEST(Validate, TheCallersToleranceReplacesOurs) {
  Golden golden = record(network());
  ir::Module module = network();
  add_to_first_element(module.weights.at("layer3.weight"), 1e-3f);
  EXPECT_FALSE(validate(module, {golden}, {}).passed);
  EXPECT_TRUE(validate(module, {golden}, {.atol = 1e-2}).passed);
  EXPECT_FALSE(validate(module, {golden}, {.atol = 1e-7}).passed);
}

TEST(Validate, MissingAndExtraOutputsFail) {
  ir::Module module = network();
  Golden extra = record(module);
  extra.outputs["z"] = extra.outputs["y"];
  ValidateResult result = validate(module, {extra}, {});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.outputs.at(1).reason, "the graph has no such output");
  Golden renamed = record(module);
  renamed.outputs = {{"z", renamed.outputs["y"]}};
  EXPECT_FALSE(validate(module, {renamed}, {}).passed);
}

TEST(Validate, MissingInputsAndGoldensAreTheCallersFault) {
  ir::Module module = network();
  Golden golden = record(module);
  golden.inputs.clear();
  EXPECT_THROW(validate(module, {golden}, {}), UsageError);
  EXPECT_THROW(validate(module, {}, {}), UsageError);
}

// A running sum: state that a call leaves to the next.
ir::Module running_sum() {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder builder(module, graph);
  ir::Type type{DType::f32, ir::Shape{ir::Dim(2)}};
  ir::Value* x = graph.add_input("x", type);
  ir::Value* before = graph.add_state("sum", type);
  ir::Value* sum = builder.op("add", {before, x});
  graph.states.at(0).after = sum;
  graph.add_output("y", sum);
  return module;
}

TEST(Validate, StateCarriesOverTheStepsOfASequence) {
  Golden golden;
  golden.name = "golden";
  golden.steps = 3;
  golden.inputs["x"] = Tensor::of(DType::f32, {3, 2}, std::vector<float>{1, 2, 1, 2, 1, 2});
  golden.outputs["y"] = Tensor::of(DType::f32, {3, 2}, std::vector<float>{1, 2, 2, 4, 3, 6});
  ir::Module module = running_sum();
  EXPECT_TRUE(validate(module, {golden, golden}, {}).passed);  // the second starts anew
  golden.outputs["y"] = Tensor::of(DType::f32, {3, 2}, std::vector<float>{1, 2, 1, 2, 1, 2});
  EXPECT_FALSE(validate(module, {golden}, {}).passed);
}

class FixedPeer : public Peer {
 public:
  std::string name() const override { return "fixed"; }
  std::string version() const override { return "1"; }
  double run_ms() override {
    ++runs;
    return 1e6;
  }
  int64_t peak_memory_bytes() const override { return 7; }
  int runs = 0;
};

TEST(Bench, MeasuresBothSidesInTurn) {
  ir::Module module = network();
  FixedPeer peer;
  BenchResult result = bench(module, {{"x", pattern({2, kWidth}, 1)}}, {.warmup = 2, .runs = 5}, &peer);
  EXPECT_EQ(peer.runs, 7);
  EXPECT_EQ(result.latency.runs, 5);
  EXPECT_GT(result.latency.median_ms, 0);
  EXPECT_GT(result.peak_memory_bytes, 1 << 20);
  ASSERT_TRUE(result.against);
  EXPECT_NEAR(result.against->ratio, 1e6 / result.latency.median_ms, 1e-3 * result.against->ratio);
  EXPECT_THROW(bench(module, {}, {.runs = 0}), UsageError);
}

}  // namespace
}  // namespace godwit::parity

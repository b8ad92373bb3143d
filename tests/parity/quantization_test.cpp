// The choice of bits and the numbers of the report.
#include "parity/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/error.h"
#include "ops/builder.h"
#include "parity/tolerance.h"

namespace godwit::parity {
namespace {

using Bits = QuantizeOptions::Bits;

// x -> layers.0 -> ... -> y, 64 features wide. The weights of one layer may be hard to round: in every group one is far
// larger than the others.
ir::Module chain(int layers, int hard = -1, float outlier = 300) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 0.125F);
  ir::Value* y = graph.add_input("x", {DType::f32, ir::Shape{8, 64}});
  for (int layer = 0; layer < layers; ++layer) {
    std::vector<float> weight(64 * 64);
    for (size_t i = 0; i < weight.size(); ++i)
      weight[i] = normal(generator) * (layer == hard && i % 64 == 0 ? outlier : 1);
    const Tensor tensor = Tensor::of(DType::f32, {64, 64}, weight);
    y = b.op("linear", {y, b.weight("layers." + std::to_string(layer) + ".weight", tensor)});
  }
  graph.add_output("y", y);
  return module;
}

Golden example(const ir::Module& module) {
  Golden golden;
  golden.inputs = random_inputs(module.main(), 1);
  // The outliers meet a feature that is zero: what is lost around them is all that counts.
  for (int row = 0; row < 8; ++row) reinterpret_cast<float*>(golden.inputs.at("x").mutable_data())[row * 64] = 0;
  return golden;
}

std::map<std::string, const LayerQuantization*> by_name(const QuantizationReport& report) {
  std::map<std::string, const LayerQuantization*> out;
  for (const LayerQuantization& l : report.layers) out[l.name] = &l;
  return out;
}

TEST(Quantization, ReportsBytesAndErrors) {
  ir::Module module = chain(3);
  const QuantizationReport report = quantize(module, example(module), {.bits = Bits::eight, .overrides = {}});
  ASSERT_EQ(report.layers.size(), 3u);
  EXPECT_EQ(report.bytes_before, 3u * 64 * 64 * 4);
  EXPECT_EQ(report.bytes_after, 3u * (64 * 64 + 64 * 2 * 4));
  for (const LayerQuantization& l : report.layers) {
    EXPECT_EQ(l.bits, 8);
    EXPECT_EQ(l.shape, (std::vector<int64_t>{64, 64}));
    EXPECT_EQ(l.bytes_after, 64u * 64 + 64 * 2 * 4);
    // Rounding to steps of 1/255 of a range of some 5 deviations.
    EXPECT_GT(l.weight_error->rms, 0.002);
    EXPECT_LT(l.weight_error->rms, 0.01);
    EXPECT_NEAR(l.output_error->rms, l.weight_error->rms, 0.003);
  }
  ASSERT_EQ(report.outputs.size(), 1u);
  EXPECT_GT(report.outputs[0].error.rms, 0.003);
  EXPECT_LT(report.outputs[0].error.rms, 0.03);
  EXPECT_NEAR(report.outputs[0].error.cosine, 1 - std::pow(report.outputs[0].error.rms, 2) / 2, 1e-4);
  EXPECT_EQ(report.measured_on, "random input");
  const nlohmann::json json = to_json(report);
  EXPECT_EQ(json["layers"][0]["name"], "layers.0");
  EXPECT_NE(to_text(report).find("layers.2"), std::string::npos);
}

TEST(Quantization, FourBitsCostMore) {
  ir::Module four = chain(3), eight = chain(3);
  const auto a = quantize(four, example(four), {.bits = Bits::four, .overrides = {}});
  const auto b = quantize(eight, example(eight), {.bits = Bits::eight, .overrides = {}});
  EXPECT_GT(a.outputs[0].error.rms, 8 * b.outputs[0].error.rms);
  EXPECT_LT(a.bytes_after, b.bytes_after);
}

TEST(Quantization, PatternsOverrule) {
  ir::Module module = chain(4);
  const QuantizationReport report = quantize(
      module, example(module), {.bits = Bits::four, .overrides = {{"layers.*", 8}, {"layers.[01]", 4}, {"*.0", 0}}});
  const auto layers = by_name(report);
  EXPECT_EQ(layers.at("layers.0")->bits, 0);
  EXPECT_EQ(layers.at("layers.0")->bytes_after, layers.at("layers.0")->bytes_before);
  EXPECT_EQ(layers.at("layers.1")->bits, 4);
  EXPECT_EQ(layers.at("layers.2")->bits, 8);
  EXPECT_EQ(layers.at("layers.3")->why, "asked for");
  EXPECT_EQ(module.weights.at("layers.0.weight").dtype, DType::f32);
}

TEST(Quantization, MixedRaisesTheLayersThatNeedIt) {
  ir::Module module = chain(4, 0);
  const QuantizationReport report = quantize(module, example(module), {.bits = Bits::mixed, .overrides = {}});
  const auto layers = by_name(report);
  // Its small weights vanish beside the outliers, with 8 bits as with 4.
  EXPECT_EQ(layers.at("layers.0")->bits, 0);
  EXPECT_NE(layers.at("layers.0")->why.find("alone with 4 bits"), std::string::npos);
  EXPECT_LE(report.outputs[0].error.rms, mixed_target * 1.01);
  EXPECT_EQ(report.bits, "mixed");
}

TEST(Quantization, MixedStaysWithinItsTargetUnlessTold) {
  ir::Module module = chain(2);
  const QuantizationReport report = quantize(module, example(module), {.bits = Bits::mixed, .overrides = {}});
  EXPECT_LE(report.outputs[0].error.rms, mixed_target);
  ir::Module fixed = chain(2);
  const QuantizationReport given =
      quantize(fixed, example(fixed), {.bits = Bits::mixed, .overrides = {{"layers.0", 4}, {"layers.1", 4}}});
  EXPECT_EQ(by_name(given).at("layers.1")->bits, 4);
  EXPECT_GT(given.outputs[0].error.rms, mixed_target);
  ir::Module loose = chain(2);
  const QuantizationReport half =
      quantize(loose, example(loose), {.bits = Bits::mixed, .target = 0.12, .overrides = {}});
  EXPECT_EQ(by_name(half).at("layers.0")->bits + by_name(half).at("layers.1")->bits, 4 + 8);
  EXPECT_LE(half.outputs[0].error.rms, 0.12);
}

std::string refusal(ir::Module module, const QuantizeOptions& options) {
  try {
    quantize(module, example(module), options);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

TEST(Quantization, Refusals) {
  EXPECT_NE(refusal(chain(2), {.overrides = {{"decoder.*", 4}}})
                .find("no layer matches decoder.*; there are: layers.0, layers.1"),
            std::string::npos);
  EXPECT_NE(refusal(chain(2), {.overrides = {{"*", 0}}}).find("no layer is left"), std::string::npos);
  EXPECT_NE(refusal(chain(2), {.group_size = 128, .overrides = {}}).find("64 columns do not divide into groups of 128"),
            std::string::npos);
  ir::Module module = chain(2);
  quantize(module, example(module), {.overrides = {}});
  EXPECT_NE(refusal(std::move(module), {.overrides = {}}).find("quantised already"), std::string::npos);
}

TEST(Quantization, AToleranceThatClaimsNoParity) {
  ir::Module four = chain(2), eight = chain(2);
  quantize(eight, example(eight), {.bits = Bits::eight, .overrides = {}});
  EXPECT_EQ(tolerance_for(eight.main()).tolerance.scaled, 5e-2);
  EXPECT_EQ(tolerance_for(eight.main()).why, "float32, weights of 8 bits: no parity");
  quantize(four, example(four), {.bits = Bits::eight, .overrides = {{"layers.1", 4}}});
  EXPECT_EQ(tolerance_for(four.main()).tolerance.scaled, 3e-1);
  EXPECT_EQ(tolerance_for(chain(1).main()).tolerance.scaled, 1e-5);
}

}  // namespace
}  // namespace godwit::parity

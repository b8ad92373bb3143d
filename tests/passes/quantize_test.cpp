// Which weights are quantised, under which names, and that the graph then computes with the rounded numbers.
#include "passes/quantize.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ops/builder.h"
#include "parity/golden.h"
#include "passes/pass.h"

namespace godwit {
namespace {

using passes::AffineFormat;
using passes::QuantizableWeight;

Tensor random_tensor(const std::vector<int64_t>& shape, uint32_t seed, DType dtype = DType::f32) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::zeros(dtype, shape);
  for (int64_t i = 0; i < t.size(); ++i) {
    if (dtype == DType::f32)
      reinterpret_cast<float*>(t.mutable_data())[i] = normal(generator);
    else
      reinterpret_cast<uint16_t*>(t.mutable_data())[i] = float_to_half(normal(generator));
  }
  return t;
}

const ir::Attrs pointwise{
    {"stride", ir::Dims{1}}, {"low", ir::Dims{0}}, {"high", ir::Dims{0}}, {"dilation", ir::Dims{1}}};

// A graph with weights from a name and a shape.
struct Net {
  ir::Module module;
  ops::Builder b{module, module.graphs["main"]};
  uint32_t seed = 1;

  ir::Value* input(const std::string& name, const ir::Type& type) { return b.graph().add_input(name, type); }
  ir::Value* weight(const std::string& name, const std::vector<int64_t>& shape, DType dtype = DType::f32) {
    return b.weight(name,
                    module.weights.contains(name) ? module.weights.at(name) : random_tensor(shape, ++seed, dtype));
  }
  std::map<std::string, QuantizableWeight> found(int group_size = 32) const {
    std::map<std::string, QuantizableWeight> out;
    for (QuantizableWeight& w : passes::quantizable_weights(module, group_size)) out.emplace(w.weight, w);
    return out;
  }
  // All weights that nothing hinders.
  void quantize(AffineFormat format) {
    const auto all = passes::quantizable_weights(module, format.group_size);
    std::map<std::string, AffineFormat> formats;
    for (const QuantizableWeight& w : all)
      if (w.obstacle.empty()) formats[w.weight] = format;
    passes::quantize(module, all, formats);
  }
  // Every weight that could be quantised in its place: the numbers that a quantised graph stands for.
  void round(AffineFormat format) {
    for (const QuantizableWeight& w : passes::quantizable_weights(module, format.group_size)) {
      if (!w.obstacle.empty()) continue;
      Tensor& t = module.weights.at(w.weight);
      const Tensor m = passes::dequantize_matrix(passes::quantize_matrix(passes::matrix_of(w, t), format), format);
      t = passes::stored_form(w, m, t.shape);
    }
  }
  executors::HostValues run() const {
    executors::HostValues inputs;
    for (const auto& [name, tensor] : parity::random_inputs(module.main(), 3, {{"B", 5}}))
      inputs[name] = {{tensor}, false};
    return executors::MlxExecutor(module).run(inputs);
  }
  std::map<std::string, int> ops() const {
    std::map<std::string, int> out;
    ir::for_each_node(module.main(), [&](const ir::Node& node, const ir::Graph&) { ++out[node.op]; });
    return out;
  }
};

// Two equal nets: one quantised, one with the rounded weights in float.
void expect_rounded_numbers(Net& net, Net& twin, AffineFormat format, double tolerance = 1e-5) {
  net.quantize(format);
  twin.round(format);
  const executors::HostValues found = net.run(), expected = twin.run();
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, value] : expected) {
    const Tensor &x = found.at(name).items.at(0), &y = value.items.at(0);
    ASSERT_EQ(x.shape, y.shape) << name;
    double scale = 0;
    for (int64_t i = 0; i < y.size(); ++i) scale = std::max(scale, std::abs(y.number(i)));
    ASSERT_GT(scale, 0) << name;
    for (int64_t i = 0; i < y.size(); ++i) ASSERT_NEAR(x.number(i), y.number(i), tolerance * scale) << name << " " << i;
  }
}

// One of each kind of layer.
void build_all(Net& net) {
  ops::Builder& b = net.b;
  ir::Value* x = net.input("x", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 3, 64}});
  ir::Value* y = b.op("linear", {x, net.weight("fc.weight", {32, 64}), net.weight("fc.bias", {32})});
  y = b.op("matmul", {y, net.weight("MatMul_7", {32, 40})});
  net.b.graph().add_output("y", y);
  ir::Value* image = net.input("image", {DType::f32, ir::Shape{2, 64, 5}});
  net.b.graph().add_output(
      "c", b.op("conv", {image, net.weight("conv.weight", {7, 64, 1}), net.weight("conv.bias", {7})}, pointwise));
  ir::Value* ids = net.input("ids", {DType::i64, ir::Shape{2, 3}});
  net.b.graph().add_output("e", b.op("take", {net.weight("embedding.weight", {9, 64}), ids}));
}

class Formats : public testing::TestWithParam<AffineFormat> {};

TEST_P(Formats, EveryKindOfLayerComputesWithTheRoundedWeights) {
  Net net, twin;
  build_all(net);
  build_all(twin);
  expect_rounded_numbers(net, twin, GetParam());
  const std::map<std::string, int> ops = net.ops();
  EXPECT_EQ(ops.count("linear") + ops.count("take") + ops.count("conv") + ops.count("matmul"),
            GetParam().group_size == 32 ? 0u : 1u);  // the product with 32 features
  EXPECT_EQ(ops.at("quantized_take"), 1);
  EXPECT_TRUE(passes::is_quantized(net.module));
  EXPECT_FALSE(passes::is_quantized(twin.module));
}

INSTANTIATE_TEST_SUITE_P(Quantize, Formats,
                         testing::Values(AffineFormat{4, 32}, AffineFormat{8, 32}, AffineFormat{4, 64},
                                         AffineFormat{8, 64}));

TEST(Quantize, TensorsHaveTheNamesThatMlxUses) {
  Net net;
  build_all(net);
  net.module.weights["conv.scales"] = random_tensor({2}, 9);  // a parameter of the model that happens to be called so
  ir::Value* p = net.input("p", {DType::f32, ir::Shape{2}});
  net.b.graph().add_output("s",
                           net.b.op("add", {p, net.b.weight("conv.scales", net.module.weights.at("conv.scales"))}));
  net.quantize({4, 32});
  const std::map<std::string, Tensor>& weights = net.module.weights;
  EXPECT_EQ(describe(weights.at("fc.weight")), "u32[32, 8]");
  EXPECT_EQ(describe(weights.at("fc.scales")), "f32[32, 2]");
  EXPECT_EQ(describe(weights.at("fc.biases")), "f32[32, 2]");
  EXPECT_EQ(describe(weights.at("fc.bias")), "f32[32]");
  EXPECT_EQ(describe(weights.at("MatMul_7.weight")), "u32[40, 4]");
  EXPECT_EQ(describe(weights.at("conv_1.weight")), "u32[7, 8]");
  EXPECT_EQ(describe(weights.at("conv.scales")), "f32[2]");
  EXPECT_EQ(describe(weights.at("embedding.weight")), "u32[9, 8]");
  EXPECT_FALSE(weights.contains("MatMul_7") || weights.contains("conv.weight"));
}

TEST(Quantize, ASharedWeightIsQuantisedOnce) {
  Net net, twin;
  for (Net* n : {&net, &twin}) {
    ir::Value* ids = n->input("ids", {DType::i64, ir::Shape{4}});
    ir::Value* rows = n->b.op("take", {n->weight("tied.weight", {6, 32}), ids}, {{"axis", ir::Dim(-2)}});
    n->b.graph().add_output("y", n->b.op("linear", {rows, n->weight("tied.weight", {6, 32})}));
  }
  EXPECT_EQ(net.found().at("tied.weight").nodes.size(), 2u);
  expect_rounded_numbers(net, twin, {4, 32});
  EXPECT_EQ(net.module.weights.size(), 3u);
}

TEST(Quantize, WhatAnotherNodeNeedsStaysFloat) {
  Net net;
  ir::Value* x = net.input("x", {DType::f32, ir::Shape{2, 32}});
  ir::Value* w = net.weight("both.weight", {32, 32});
  net.b.graph().add_output("a", net.b.op("linear", {x, w}));
  net.b.set_place("model.py:7", "penalty");
  net.b.graph().add_output("b", net.b.op("exp", {w}));
  ir::Value* two = net.weight("two_ways", {32, 32});
  net.b.graph().add_output("c", net.b.op("linear", {net.b.op("matmul", {x, two}), two}));
  ir::Value* result = net.weight("result", {32, 32});
  net.b.graph().add_output("d", net.b.op("linear", {x, result}));
  net.b.graph().add_output("e", result);
  net.b.graph().add_output(
      "f", net.b.op("linear", {net.b.op("linear", {x, net.weight("odd", {33, 32})}), net.weight("narrow", {32, 33})}));
  Tensor broken = random_tensor({4, 32}, 5);
  reinterpret_cast<float*>(broken.mutable_data())[7] = std::numeric_limits<float>::infinity();
  net.b.graph().add_output("g", net.b.op("linear", {x, net.b.weight("broken", broken)}));
  const auto found = net.found();
  EXPECT_EQ(found.at("both.weight").obstacle, "exp (penalty, model.py:7) needs it as it is");
  EXPECT_NE(found.at("two_ways").obstacle.find("the other way round"), std::string::npos);
  EXPECT_EQ(found.at("result").obstacle, "it is a result, too");
  EXPECT_EQ(found.at("narrow").obstacle, "33 columns do not divide into groups of 32");
  EXPECT_EQ(found.at("broken").obstacle, "it holds NaN or infinity");
  EXPECT_EQ(found.at("odd").obstacle, "");
  net.quantize({8, 32});
  EXPECT_EQ(net.ops().at("quantized_linear"), 1);
  EXPECT_EQ(net.module.weights.at("both.weight").dtype, DType::f32);
}

TEST(Quantize, OnlyPointwiseConvolutionsAreLinear) {
  Net net;
  auto conv = [&](const std::string& name, const std::vector<int64_t>& shape, const std::string& attr, ir::Attr value) {
    ir::Attrs attrs = pointwise;
    attrs[attr] = std::move(value);
    ir::Value* x = net.input("x_" + name, {DType::f32, ir::Shape{1, 64, 8}});
    net.b.graph().add_output(name, net.b.op("conv", {x, net.weight(name, shape)}, attrs));
  };
  conv("plain", {8, 64, 1}, "groups", ir::Dim(1));
  conv("strided", {8, 64, 1}, "stride", ir::Dims{2});
  conv("padded", {8, 64, 1}, "low", ir::Dims{1});
  conv("grouped", {8, 32, 1}, "groups", ir::Dim(2));
  conv("wide", {8, 64, 3}, "groups", ir::Dim(1));
  const auto found = net.found();
  EXPECT_EQ(found.size(), 1u);
  EXPECT_EQ(found.count("plain"), 1u);
}

TEST(Quantize, HalfTypesKeepTheirType) {
  Net net, twin;
  for (Net* n : {&net, &twin}) {
    ir::Value* x = n->input("x", {DType::f16, ir::Shape{2, 64}});
    n->b.graph().add_output("y", n->b.op("linear", {x, n->weight("fc.weight", {5, 64}, DType::f16)}));
  }
  expect_rounded_numbers(net, twin, {8, 64}, 4 * 0x1p-10);
  EXPECT_EQ(describe(net.module.weights.at("fc.scales")), "f16[5, 1]");
}

TEST(Quantize, LayersInsideBranchesAreQuantised) {
  Net net, twin;
  for (Net* n : {&net, &twin}) {
    ir::Value* x = n->input("x", {DType::f32, ir::Shape{2, 32}});
    ir::Value* w = n->weight("fc.weight", {32, 32});
    std::vector<std::unique_ptr<ir::Graph>> regions;
    for (int i = 0; i < 2; ++i) {
      regions.push_back(std::make_unique<ir::Graph>());
      ops::Builder::Into inside(n->b, *regions.back());
      ir::Value* y = n->b.op("linear", {x, w});
      regions.back()->outputs.push_back(i == 0 ? y : n->b.op("negative", {y}));
    }
    ir::Value* sum = n->b.op("sum", {x}, {{"axes", ir::Dims{0, 1}}});
    ir::Value* yes = n->b.op("less", {sum, n->b.scalar(DType::f32, 0)});
    n->b.graph().add_output("y",
                            n->b.region_op("if", {yes}, {}, std::move(regions), {{DType::f32, ir::Shape{2, 32}}})[0]);
  }
  expect_rounded_numbers(net, twin, {4, 32});
  EXPECT_EQ(net.ops().at("quantized_linear"), 2);
  EXPECT_EQ(net.module.weights.size(), 3u);
}

}  // namespace
}  // namespace godwit

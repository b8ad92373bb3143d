// What the neural rows refuse, and what they say. Everything here may come from a hostile file.
#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include "ir/text.h"
#include "ops/attention.h"
#include "ops/builder.h"
#include "ops/conv.h"
#include "ops/detection.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace godwit::test {
namespace {

namespace mx = mlx::core;

// The message of building `op` over inputs of the given types ("f32[1, 3, 8]", "_" absent); empty where it is accepted.
std::string refusal(const std::string& op, const std::vector<std::string>& inputs,
                    const std::map<std::string, std::string>& attrs) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  b.set_place("model.py:41", "encoder.conv1");
  std::vector<ir::Value*> values;
  for (const std::string& text : inputs) {
    if (text == "_") {
      values.push_back(nullptr);
      continue;
    }
    const size_t bracket = text.find('[');
    const ir::Attr shape = ir::parse_attr(text.substr(bracket));
    values.push_back(graph.add_input("x", {*parse_dtype(text.substr(0, bracket)), std::get<ir::Dims>(shape)}));
  }
  ir::Attrs parsed;
  for (const auto& [key, value] : attrs) parsed.emplace(key, ir::parse_attr(value));
  try {
    b.op(op, values, parsed);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

std::map<std::string, std::string> with(std::map<std::string, std::string> base,
                                        const std::map<std::string, std::string>& changes) {
  for (const auto& [key, value] : changes) base[key] = value;
  return base;
}

const std::map<std::string, std::string> conv1{{"stride", "[1]"}, {"low", "[0]"}, {"high", "[0]"}, {"dilation", "[1]"}};
const std::map<std::string, std::string> pool1 = with(conv1, {{"kernel", "[2]"}});

TEST(NeuralErrors, ConvolutionNamesShapesAndPlace) {
  EXPECT_EQ(refusal("conv", {"f32[1, 3, 8]", "f32[4, 3, 3]"}, conv1), "");
  EXPECT_EQ(refusal("conv", {"f32[1, 128, 3000]", "f32[64, 80, 3]"}, conv1),
            "[conv] weight [64, 80, 3] expects 80 channels, input is [1, 128, 3000]; operands: f32[1, 128, 3000], "
            "f32[64, 80, 3] (node encoder.conv1, model.py:41)");
}

TEST(NeuralErrors, ConvolutionAttributes) {
  const std::vector<std::string> in{"f32[1, 3, 8]", "f32[4, 3, 3]"};
  EXPECT_NE(refusal("conv", in, with(conv1, {{"stride", "[0]"}})), "");
  EXPECT_NE(refusal("conv", in, with(conv1, {{"stride", "[1, 1]"}})), "");
  EXPECT_NE(refusal("conv", in, with(conv1, {{"dilation", "[9]"}})), "");
  EXPECT_NE(refusal("conv", in, with(conv1, {{"dilation", "[9000000000]"}})), "");
  EXPECT_NE(refusal("conv", in, with(conv1, {{"groups", "0"}})), "");
  EXPECT_NE(refusal("conv", {"f32[1, 4, 8]", "f32[3, 2, 3]"}, with(conv1, {{"groups", "2"}})), "");
  EXPECT_NE(refusal("conv", {"f32[1, 3]", "f32[4, 3]"}, conv1), "");
  EXPECT_NE(refusal("conv", {"f32[1, 3, 8]", "f32[4, 3, 3]", "f32[5]"}, conv1), "");
  EXPECT_NE(refusal("conv", {"f32[1, 3, 8]", "f32[4, 3, 0]"}, conv1), "");
  const auto transpose = with(conv1, {{"output_padding", "[0]"}});
  EXPECT_EQ(refusal("conv_transpose", {"f32[1, 4, 8]", "f32[4, 3, 3]"}, transpose), "");
  EXPECT_NE(refusal("conv_transpose", {"f32[1, 4, 8]", "f32[3, 4, 3]"}, transpose), "");
  EXPECT_NE(refusal("conv_transpose", {"f32[1, 4, 8]", "f32[4, 3, 3]"}, with(transpose, {{"low", "[99]"}})), "");
}

TEST(NeuralErrors, PoolsAndResize) {
  EXPECT_EQ(refusal("max_pool", {"f32[1, 3, 8]"}, pool1), "");
  EXPECT_NE(refusal("max_pool", {"f32[1, 3, 8]"}, with(pool1, {{"kernel", "[9]"}})), "");
  EXPECT_NE(refusal("max_pool", {"f32[1, 3, 8]"}, with(pool1, {{"kernel", "[0]"}})), "");
  EXPECT_NE(refusal("avg_pool", {"i64[1, 3, 8]"}, pool1), "");
  EXPECT_NE(refusal("adaptive_avg_pool", {"f32[1, 3, 8]"}, {{"size", "[0]"}}), "");
  const std::map<std::string, std::string> frame{{"axes", "[2]"}, {"size", "[16]"}};
  EXPECT_EQ(refusal("resize", {"f32[1, 3, 8]"}, frame), "");
  EXPECT_NE(refusal("resize", {"f32[1, 3, 8]"}, with(frame, {{"size", "[4000000000]"}})), "");
  EXPECT_NE(refusal("resize", {"f32[1, 3, 8]"}, with(frame, {{"mode", "\"spline\""}})), "");
  EXPECT_NE(refusal("resize", {"f32[1, 3, 8]"}, with(frame, {{"scales", "[0.0]"}})), "");
  EXPECT_NE(refusal("resize", {"f32[1, 3, 8]"}, with(frame, {{"axes", "[3]"}})), "");
}

TEST(NeuralErrors, AffineWeights) {
  const std::map<std::string, std::string> how{{"bits", "4"}, {"group_size", "32"}};
  const std::vector<std::string> in{"f32[2, 64]", "u32[3, 8]", "f32[3, 2]", "f32[3, 2]"};
  auto changed = [&](size_t i, const std::string& type) {
    std::vector<std::string> out = in;
    out[i] = type;
    return refusal("quantized_linear", out, how);
  };
  EXPECT_EQ(refusal("quantized_linear", in, how), "");
  EXPECT_EQ(changed(0, "f32[2, 96]"),
            "[quantized_linear] weight [3, 8] with 4 bits expects 64 features, the input has 96; operands: f32[2, 96], "
            "u32[3, 8], f32[3, 2], f32[3, 2] (node encoder.conv1, model.py:41)");
  EXPECT_NE(changed(1, "u32[3, 16]").find("need a weight of [3, 8] with 4 bits, it is [3, 16]"), std::string::npos);
  EXPECT_NE(changed(1, "i32[3, 8]").find("packed u32 is needed"), std::string::npos);
  EXPECT_NE(changed(0, "f16[2, 64]"), "");
  EXPECT_NE(changed(0, "f32[]"), "");
  EXPECT_NE(changed(2, "f32[3, 1]"), "");
  EXPECT_NE(changed(3, "f16[3, 2]"), "");
  EXPECT_NE(changed(1, "u32[3, 8, 1]"), "");
  EXPECT_NE(refusal("quantized_linear", in, with(how, {{"bits", "3"}})).find("3 bits"), std::string::npos);
  EXPECT_NE(refusal("quantized_linear", in, with(how, {{"group_size", "16"}})).find("groups of 16"), std::string::npos);
  const std::vector<std::string> wide{"f32[2, 64]", "u32[0, 400000000]", "f32[0, 100000000]", "f32[0, 100000000]"};
  EXPECT_NE(refusal("quantized_linear", wide, how).find("more than an axis can have"), std::string::npos);
  EXPECT_EQ(refusal("quantized_take", {"i64[5]", in[1], in[2], in[3]}, how), "");
  EXPECT_NE(refusal("quantized_take", {"f32[5]", in[1], in[2], in[3]}, how), "");
}

TEST(NeuralErrors, AttentionAndRecurrence) {
  const std::vector<std::string> qkv{"f32[1, 6, 4, 8]", "f32[1, 4, 4, 8]", "f32[1, 4, 4, 8]"};
  EXPECT_NE(refusal("attention", qkv, {{"scale", "1.0"}}).find("6 heads do not share 4 key heads"), std::string::npos);
  EXPECT_NE(refusal("attention", {"f32[1, 2, 4, 8]", "f32[1, 2, 5, 8]", "f32[1, 2, 5, 8]", "bool[1, 2, 4, 4]"},
                    {{"scale", "1.0"}}),
            "");
  const std::vector<std::string> lstm{"f32[7, 2, 3]", "f32[2, 4]", "f32[2, 4]", "f32[16, 3]", "f32[16, 4]"};
  EXPECT_EQ(refusal("lstm", lstm, {}), "");
  EXPECT_NE(refusal("lstm", lstm, {{"activations", R"(["sigmoid", "tanh", "cosh"])"}}).find("cosh"), std::string::npos);
  EXPECT_NE(refusal("lstm", lstm, {{"activations", R"(["sigmoid"])"}}), "");
  EXPECT_NE(refusal("lstm", {"f32[7, 2, 3]", "f32[2, 4]", "f32[2, 4]", "f32[12, 3]", "f32[12, 4]"}, {}), "");
  EXPECT_NE(refusal("quantize", {"f32[2, 3]", "f32[4]"}, {{"to", "u8"}}), "");
  EXPECT_NE(refusal("quantize", {"f32[2, 3]", "f32[]"}, {{"to", "f32"}}), "");
}

TEST(NeuralErrors, WhatOnlyTheRunCanSee) {
  const mx::array x = mx::zeros({1, 3, 8});
  EXPECT_THROW(ops::conv(x, mx::zeros({4, 2, 3}), {}, {1}, {0}, {0}, {1}, 1), UsageError);
  EXPECT_THROW(ops::conv(x, mx::zeros({4, 3, 9}), {}, {1}, {0}, {0}, {1}, 1), UsageError);
  EXPECT_THROW(ops::conv(x, mx::zeros({4, 3, 3}), {}, {1}, {2147483647}, {2147483647}, {1}, 1), UsageError);
  EXPECT_THROW(ops::max_pool(x, {9}, {1}, {0}, {0}, {1}, false), UsageError);
  EXPECT_THROW(ops::max_pool_indices(x, {2}, {1}, {1}, {1}, {2147483647}, true), UsageError);
  const mx::array weight = mx::zeros({3, 4, 3});
  EXPECT_THROW(ops::conv_transpose(x, weight, {}, {2147483647}, {0}, {0}, {0}, {1}, 1), UsageError);
  EXPECT_THROW(ops::conv_transpose(x, weight, {}, {1}, {0}, {0}, {0}, {2147483647}, 1), UsageError);
  EXPECT_THROW(ops::fold(x, {2147483647}, {3}, {1}, {0}, {0}, {1}), UsageError);
  EXPECT_THROW(ops::avg_pool(x, {2}, {2147483647}, {2147483647}, {2147483647}, {1}, true, true, 0), UsageError);
  EXPECT_THROW(ops::resize(x, {2}, {2147483647}, "linear", "half_pixel", {}, "floor", -0.75, false, false, {}, 0),
               UsageError);
  const mx::array boxes = mx::zeros({1, 4}), owner = mx::array({7});
  EXPECT_THROW(ops::roi_align(mx::zeros({1, 1, 4, 4}), boxes, owner, "avg", 2, 2, 1.0, 0, true), UsageError);
}

// Coordinates that are not numbers must not become addresses.
TEST(NeuralErrors, CoordinatesThatAreNoNumbers) {
  const float nan = std::nanf("");
  mx::array grid({nan, nan, 1e30f, -1e30f, HUGE_VALF, 0.0f, 0.0f, 0.0f}, {1, 2, 2, 2});
  mx::array x = mx::reshape(mx::arange(16.0f), {1, 1, 4, 4});
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* padding : {"zeros", "border", "reflection"}) {
      mx::array y = ops::grid_sample(x, grid, mode, padding, false);
      EXPECT_EQ(y.shape(), (mx::Shape{1, 1, 2, 2}));
      EXPECT_TRUE(std::isfinite(mx::take(mx::flatten(y), 3).item<float>())) << mode << " " << padding;
    }
  mx::array moved = mx::full({1, 2, 4, 4}, nan);
  EXPECT_NO_THROW(
      ops::deform_conv(x, moved, mx::ones({1, 1, 1, 1}), {}, {}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1, 1).eval());
}

}  // namespace
}  // namespace godwit::test

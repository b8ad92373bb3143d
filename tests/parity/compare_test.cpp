#include "parity/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace godwit::parity {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor floats(std::vector<float> values) {
  return Tensor::of(DType::f32, {static_cast<int64_t>(values.size())}, values);
}

TEST(Compare, EqualTensorsPassWithInfiniteSnr) {
  Comparison c = compare("y", floats({1, -2, 3}), floats({1, -2, 3}), {});
  EXPECT_TRUE(c.passed);
  EXPECT_EQ(c.max_abs, 0);
  EXPECT_EQ(c.scale, 3);
  EXPECT_DOUBLE_EQ(c.cosine, 1);
  EXPECT_DOUBLE_EQ(c.pearson, 1);
  EXPECT_TRUE(std::isinf(c.snr_db));
}

TEST(Compare, ErrorIsJudgedByTheScaleOfTheOutput) {
  Comparison near = compare("y", floats({100, 0.0005f}), floats({100, 0}), {});
  EXPECT_TRUE(near.passed);  // 5e-4 <= 1e-5 * 100
  EXPECT_NEAR(near.scaled_error(), 5e-6, 1e-12);
  Comparison far = compare("y", floats({1, 0.0005f}), floats({1, 0}), {});
  EXPECT_FALSE(far.passed);
  EXPECT_EQ(far.beyond, 1);
  EXPECT_EQ(far.worst, 1);
}

TEST(Compare, StatisticsOfAKnownDifference) {
  Comparison c = compare("y", floats({1, 2, 3, 5}), floats({1, 2, 3, 4}), {});
  EXPECT_DOUBLE_EQ(c.max_abs, 1);
  EXPECT_DOUBLE_EQ(c.mean_abs, 0.25);
  EXPECT_DOUBLE_EQ(c.max_rel, 0.25);
  EXPECT_DOUBLE_EQ(c.mean_rel, 0.0625);
  EXPECT_NEAR(c.snr_db, 10 * std::log10(30.0), 1e-9);
  EXPECT_NEAR(c.cosine, 34 / std::sqrt(39.0 * 30.0), 1e-12);
  EXPECT_NEAR(c.pearson, 6.5 / std::sqrt(8.75 * 5.0), 1e-12);
}

TEST(Compare, CorrelationAloneDoesNotPass) {
  Comparison c = compare("y", floats({1.01f, 2.02f, 3.03f}), floats({1, 2, 3}), {});
  EXPECT_NEAR(c.cosine, 1, 1e-9);
  EXPECT_FALSE(c.passed);
}

TEST(Compare, NanAndInfinityFailUnlessTheReferenceHasThemThere) {
  Comparison bad = compare("y", floats({1, kNan}), floats({1, 2}), {});
  EXPECT_FALSE(bad.passed);
  EXPECT_EQ(bad.not_finite, 1);
  EXPECT_NE(bad.reason.find("NaN"), std::string::npos);
  EXPECT_TRUE(compare("y", floats({1, kNan, -kInf}), floats({1, kNan, -kInf}), {}).passed);
  EXPECT_FALSE(compare("y", floats({1, kInf}), floats({1, -kInf}), {}).passed);
  EXPECT_FALSE(compare("y", floats({1, 2}), floats({1, kNan}), {}).passed);
}

TEST(Compare, IntegersMustBeEqual) {
  Tensor a = Tensor::ints({1, 2, 3}), b = Tensor::ints({1, 2, 4});
  EXPECT_TRUE(compare("i", a, a, {}).passed);
  EXPECT_FALSE(compare("i", a, b, Tolerance{.scaled = 1, .atol = 10}).passed);
}

TEST(Compare, ShapeAndDtypeMustMatch) {
  Comparison shape = compare("y", floats({1, 2}), floats({1, 2, 3}), {});
  EXPECT_FALSE(shape.passed);
  EXPECT_EQ(shape.reason, "shape [2], reference has [3]");
  Comparison dtype = compare("y", floats({1}), Tensor::ints({1}), {});
  EXPECT_EQ(dtype.reason, "dtype float32, reference has int64");
}

TEST(Compare, AbsoluteAndRelativeBoundsOfTheCaller) {
  Tolerance loose{.scaled = 0, .atol = 0.1, .rtol = 0.1};
  EXPECT_TRUE(compare("y", floats({10.9f}), floats({10}), loose).passed);
  EXPECT_FALSE(compare("y", floats({11.2f}), floats({10}), loose).passed);
}

TEST(Compare, EmptyAndComplexTensors) {
  EXPECT_TRUE(compare("y", floats({}), floats({}), {}).passed);
  Tensor a = Tensor::of(DType::c64, {1}, std::vector<float>{1, 2});
  Tensor b = Tensor::of(DType::c64, {1}, std::vector<float>{1, 3});
  EXPECT_TRUE(compare("z", a, a, {}).passed);
  EXPECT_FALSE(compare("z", a, b, {}).passed);
}

TEST(Compare, HalfTypes) {
  uint16_t one = float_to_half(1.0f), next = static_cast<uint16_t>(one + 1);
  Tensor a = Tensor::of(DType::f16, {1}, std::vector<uint16_t>{one});
  Tensor b = Tensor::of(DType::f16, {1}, std::vector<uint16_t>{next});
  EXPECT_NEAR(compare("h", b, a, {}).max_abs, 0x1p-10, 1e-9);
}

}  // namespace
}  // namespace godwit::parity

// Sums over many elements: rounding must not grow with their number.
#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include <cmath>
#include <random>

#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"

namespace godwit::test {
namespace {

namespace mx = mlx::core;

struct Sample {
  std::vector<float> values;
  double mean = 0, variance = 0;

  explicit Sample(int n) {
    std::mt19937 generator(7);
    std::normal_distribution<float> normal(3.0f, 1.0f);
    for (int i = 0; i < n; ++i) values.push_back(normal(generator));
    for (float v : values) mean += v / n;
    for (float v : values) variance += (v - mean) * (v - mean) / n;
  }
  mx::array shaped(const mx::Shape& shape) const { return mx::array(values.data(), shape, mx::float32); }
};

// 1,000,003 is prime, so that runs have to be filled up.
const std::vector<mx::Shape> shapes = {{1, 1048576}, {1, 1000003}, {1, 1000, 1001}, {1, 4, 512, 300}};

std::vector<int> all_but_first(const mx::Shape& shape) {
  std::vector<int> axes;
  for (size_t i = 1; i < shape.size(); ++i) axes.push_back(static_cast<int>(i));
  return axes;
}

TEST(LongSums, ReductionsKeepTheirDigits) {
  for (const mx::Shape& shape : shapes) {
    int n = 1;
    for (int d : shape) n *= d;
    const Sample sample(n);
    const mx::array x = sample.shaped(shape);
    const ops::Ints axes = all_but_first(shape);
    EXPECT_NEAR(ops::sum(x, axes, false).item<float>() / n, sample.mean, 1e-6 * sample.mean) << n;
    EXPECT_NEAR(ops::mean(x, axes, true).item<float>(), sample.mean, 1e-6 * sample.mean) << n;
    EXPECT_NEAR(ops::variance(x, axes, false, 0.0).item<float>(), sample.variance, 2e-6 * sample.variance) << n;
    const double length = std::sqrt((sample.variance + sample.mean * sample.mean) * n);
    EXPECT_NEAR(ops::norm(x, axes, false, 2.0).item<float>(), length, 2e-6 * length) << n;
  }
}

TEST(LongSums, NormsAndPools) {
  const Sample sample(1048576);
  mx::array normed = mx::flatten(ops::group_norm(sample.shaped({1, 4, 512, 512}), std::nullopt, std::nullopt, 1, 0.0));
  normed.eval();
  const double expected = (sample.values[5] - sample.mean) / std::sqrt(sample.variance);
  EXPECT_NEAR(normed.data<float>()[5], expected, 3e-6);
  mx::array pooled = ops::adaptive_avg_pool(sample.shaped({1, 1, 1024, 1024}), {1, 1});
  EXPECT_NEAR(pooled.item<float>(), sample.mean, 1e-6 * sample.mean);
}

TEST(LongSums, IntegersStayExact) {
  const mx::array x = mx::full({3000}, mx::array(2147483647, mx::int32));
  const mx::array wide = mx::astype(x, mx::int64);
  EXPECT_EQ(ops::sum(wide, {0}, false).item<int64_t>(), int64_t{2147483647} * 3000);
}

}  // namespace
}  // namespace godwit::test

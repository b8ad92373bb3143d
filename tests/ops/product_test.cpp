// Products for stock MLX: sums of runs, of the same values.
#include "ops/product.h"

#include <gtest/gtest.h>
#include <mlx/mlx.h>
#include <mlx/primitives.h>

#include "ops/conv.h"
#include "ops/linalg.h"

namespace godwit::ops {
namespace {

namespace mx = mlx::core;

array wide(const array& x) { return mx::astype(x, mx::float64, mx::Device::cpu); }

double error_of(const array& computed, const array& exact) {
  EXPECT_EQ(computed.shape(), exact.shape());
  const mx::StreamContext cpu(mx::Device::cpu);
  array gap = mx::max(mx::abs(mx::subtract(wide(computed), exact))), scale = mx::max(mx::abs(exact));
  return gap.item<double>() / scale.item<double>();
}

bool is_whole(const array& y) { return std::string(y.primitive().name()) == "Matmul"; }

struct Shapes {
  mx::Shape a, b;
};

TEST(Product, RunsOfALongSumAddUp) {
  const std::vector<Shapes> all = {
      {{3, 1024}, {1024, 5}}, {{3, 5000}, {5000, 5}},          {{5000}, {5000, 4}},          {{2, 3, 1100}, {1100}},
      {{1300}, {1300}},       {{4, 1, 3, 2048}, {5, 2048, 2}}, {{2, 3, 1027}, {2, 1027, 4}}, {{1025}, {2, 3, 1025, 4}}};
  mx::random::seed(1);  // a single sum may be close to 0 by chance
  for (const Shapes& s : all) {
    const array a = mx::random::normal(s.a), b = mx::random::normal(s.b);
    const ForStockMlx stock;
    const array y = product(a, b);
    EXPECT_FALSE(is_whole(y));
    EXPECT_LE(error_of(y, mx::matmul(wide(a), wide(b), mx::Device::cpu)), 2e-6);
  }
}

TEST(Product, OnlyLongSumsOfFloat32ForStockMlxAreInRuns) {
  const array a = mx::random::normal({3, 1023}), b = mx::random::normal({1023, 5});
  const array c = mx::random::normal({3, 1024}), d = mx::random::normal({1024, 5});
  EXPECT_TRUE(is_whole(product(c, d)));
  {
    const ForStockMlx stock;
    EXPECT_TRUE(is_whole(product(a, b)));
    EXPECT_FALSE(is_whole(product(c, d)));
    EXPECT_TRUE(is_whole(product(mx::astype(c, mx::float16), mx::astype(d, mx::float16))));
  }
  EXPECT_TRUE(is_whole(product(c, d)));
}

TEST(Product, ConvolutionsAndLinearLayersGoThroughIt) {
  const array x = mx::random::normal({2, 300, 9}), w = mx::random::normal({4, 300, 4});
  const array rows = mx::random::normal({2, 7, 1500}), weight = mx::random::normal({6, 1500});
  const array expected = conv(x, w, std::nullopt, {1}, {1}, {2}, {1}, 1);
  const array expected_rows = linear(rows, weight, std::nullopt);
  const ForStockMlx stock;
  EXPECT_LE(error_of(conv(x, w, std::nullopt, {1}, {1}, {2}, {1}, 1), wide(expected)), 2e-6);
  EXPECT_FALSE(is_whole(linear(rows, weight, std::nullopt)));
  EXPECT_LE(error_of(linear(rows, weight, std::nullopt), wide(expected_rows)), 2e-6);
}

}  // namespace
}  // namespace godwit::ops

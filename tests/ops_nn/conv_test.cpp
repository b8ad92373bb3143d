// What the recorded cases are too small for.
#include "ops/conv.h"

#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include <cmath>
#include <vector>

namespace godwit::test {
namespace {

namespace mx = mlx::core;

double largest(const mx::array& x) { return mx::max(mx::abs(x)).item<float>(); }

// A convolution over single channels as a sum of shifted inputs.
mx::array by_shifts(const mx::array& x, const mx::array& weight, int stride, int dilation) {
  const int out = (x.shape(2) - dilation * (weight.shape(2) - 1) - 1) / stride + 1;
  mx::array sum = mx::zeros({1, 1, out, out});
  for (int i = 0; i < weight.shape(2); ++i)
    for (int j = 0; j < weight.shape(3); ++j) {
      const int y = i * dilation, z = j * dilation, reach = (out - 1) * stride + 1;
      mx::array part = mx::slice(x, {0, 0, y, z}, {1, 1, y + reach, z + reach}, {1, 1, stride, stride});
      sum = mx::add(sum, mx::multiply(part, mx::slice(weight, {0, 0, i, j}, {1, 1, i + 1, j + 1})));
    }
  return sum;
}

// Large inputs are convolved in parts: the seams must not show.
TEST(Conv, PartsFitTogether) {
  mx::array x = mx::random::normal({1, 1, 1531, 1531}, mx::float32, 0, 1, mx::random::key(1));
  mx::array weight = mx::random::normal({1, 1, 3, 3}, mx::float32, 0, 1, mx::random::key(2));
  for (auto [stride, dilation] : {std::pair{1, 1}, {1, 3}}) {
    const ops::Ints s{stride, stride}, d{dilation, dilation}, none{0, 0};
    mx::array y = ops::conv(x, weight, {}, s, none, none, d, 1), expected = by_shifts(x, weight, stride, dilation);
    ASSERT_EQ(y.shape(), expected.shape());
    EXPECT_LE(largest(mx::subtract(y, expected)), 1e-5 * largest(expected));
  }
}

// A view as input: its memory is not in the order of its axes.
TEST(Conv, TransposedInput) {
  mx::array x = mx::random::normal({1, 9, 7, 4}, mx::float32, 0, 1, mx::random::key(3));
  mx::array weight = mx::random::normal({3, 4, 3, 2}, mx::float32, 0, 1, mx::random::key(4));
  const ops::Ints one{1, 1}, none{0, 0};
  mx::array view = mx::moveaxis(x, -1, 1);
  mx::array copy = mx::contiguous(view);
  copy.eval();
  mx::array a = ops::conv(view, weight, {}, one, none, none, one, 1);
  mx::array b = ops::conv(copy, weight, {}, one, none, none, one, 1);
  EXPECT_EQ(largest(mx::subtract(a, b)), 0);
}

// The spectrum of something loud and low: what is quiet in it is the difference of large sums.
TEST(Conv, FilterBanksKeepWhatIsQuiet) {
  const int size = 256, filters = 8, step = 64;
  std::vector<float> sound(size + 3 * step), bank;
  for (size_t i = 0; i < sound.size(); ++i)
    sound[i] = static_cast<float>(1000 * std::sin(0.01 * static_cast<double>(i)));
  for (int f = 0; f < filters; ++f)
    for (int i = 0; i < size; ++i)
      bank.push_back(
          static_cast<float>((0.5 - 0.5 * std::cos(2 * M_PI * i / size)) * std::cos(M_PI * i * (100 + f) / 128)));
  const mx::array x(sound.data(), {1, 1, static_cast<int>(sound.size())}), weight(bank.data(), {filters, 1, size});
  mx::array y = mx::flatten(ops::conv(x, weight, {}, {step}, {0}, {0}, {1}, 1));
  y.eval();
  double loudest = 0;
  for (int f = 0; f < filters; ++f)
    for (int t = 0; t < 4; ++t) {
      double exact = 0;
      for (int i = 0; i < size; ++i) exact += static_cast<double>(sound[t * step + i]) * bank[f * size + i];
      EXPECT_NEAR(y.data<float>()[f * 4 + t], exact, 1e-6 * std::abs(exact)) << f << ", " << t;
      loudest = std::max(loudest, std::abs(exact));
    }
  EXPECT_LE(loudest, 1e-2);  // of sums of terms up to 1000
}

}  // namespace
}  // namespace godwit::test

// Errors of the elementwise functions in units in the last place, for every instruction set that the machine has.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/isa.h"

namespace godwit::kernels {
namespace {

double ulps(float found, double exact) {
  const auto nearest = static_cast<float>(exact);
  if (std::isnan(nearest) || std::isnan(found)) return std::isnan(nearest) == std::isnan(found) ? 0 : INFINITY;
  if (found == nearest) return 0;
  if (std::isinf(nearest) || std::isinf(found)) return INFINITY;
  const double unit = std::max(std::fabs(static_cast<double>(std::nextafter(nearest, INFINITY)) - nearest), 0x1p-149);
  return std::fabs(found - exact) / unit;
}

std::vector<float> arguments(float low, float high) {
  std::vector<float> x{0.0f, -0.0f, low, high};
  std::mt19937 random(3);
  std::uniform_real_distribution<float> even(low, high);
  for (int i = 0; i < 20000; ++i) x.push_back(even(random));
  for (float scale = 1; scale > 1e-30f; scale *= 0.3f) {
    x.push_back(std::min(high, scale)), x.push_back(std::max(low, -scale));
  }
  return x;
}

void expect_ulps(const char* name, double (*exact)(double), float low, float high, double limit) {
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    const std::vector<float> x = arguments(low, high);
    std::vector<float> y(x.size());
    tile_function(name)(y.data(), x.data(), nullptr, nullptr, static_cast<int64_t>(x.size()), 0, 0);
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (const double u = ulps(y[i], exact(static_cast<double>(x[i]))); u > worst) worst = u, at = i;
    EXPECT_LE(worst, limit) << name << "(" << x[at] << ") = " << y[at] << " with " << isa;
  }
}

TEST(Math, ErrorsInUlps) {
  expect_ulps(
      "exp", [](double x) { return std::exp(x); }, -87, 88.7f, 2);
  expect_ulps(
      "log", [](double x) { return std::log(x); }, 1e-30f, 1e30f, 2);
  expect_ulps(
      "tanh", [](double x) { return std::tanh(x); }, -12, 12, 2);
  expect_ulps(
      "erf", [](double x) { return std::erf(x); }, -6, 6, 2);
  expect_ulps(
      "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80, 3);
}

TEST(Math, GeluIsOffByAFractionOfItsArgument) {
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    const std::vector<float> x = arguments(-8, 8);
    std::vector<float> y(x.size());
    tile_function("gelu")(y.data(), x.data(), nullptr, nullptr, static_cast<int64_t>(x.size()), 0, 0);
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = 0.5 * x[i] * std::erfc(-x[i] / std::sqrt(2.0));
      ASSERT_LE(std::fabs(y[i] - exact), 4e-7 * std::fabs(x[i])) << "gelu(" << x[i] << ") with " << isa;
    }
  }
}

TEST(Math, LimitsAndNaN) {
  const float x[] = {INFINITY, -INFINITY, NAN, 100, -200, 0};
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    float y[6];
    auto run = [&](const char* name) { tile_function(name)(y, x, nullptr, nullptr, 6, 0, 0); };
    run("exp");
    EXPECT_TRUE(std::isinf(y[0]) && y[1] == 0 && std::isnan(y[2]) && std::isinf(y[3]) && y[4] == 0 && y[5] == 1) << isa;
    run("tanh");
    EXPECT_TRUE(y[0] == 1 && y[1] == -1 && std::isnan(y[2]) && y[3] == 1 && y[4] == -1 && y[5] == 0) << isa;
    run("erf");
    EXPECT_TRUE(y[0] == 1 && y[1] == -1 && std::isnan(y[2]) && y[3] == 1 && y[4] == -1 && y[5] == 0) << isa;
    run("sigmoid");
    EXPECT_TRUE(y[0] == 1 && y[1] == 0 && std::isnan(y[2]) && y[3] == 1 && y[5] == 0.5f) << isa;
    run("log");
    EXPECT_TRUE(std::isinf(y[0]) && std::isnan(y[1]) && std::isnan(y[2]) && std::isnan(y[4]) && y[5] == -INFINITY)
        << isa;
    run("relu");
    EXPECT_TRUE(std::isinf(y[0]) && y[1] == 0 && std::isnan(y[2]) && y[3] == 100 && y[4] == 0) << isa;
  }
}

TEST(Math, TailsOfEveryLength) {
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    std::vector<float> x(70), y(70);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    for (int64_t offset = 0; offset < 3; ++offset)
      for (int64_t n = 0; n < 40; ++n) {
        std::fill(y.begin(), y.end(), -7.0f);
        tile_function("add")(y.data() + offset, x.data() + 1, x.data() + 2, nullptr, n, 0, 0);
        for (int64_t i = 0; i < 70; ++i) {
          const int64_t k = i - offset;
          ASSERT_EQ(y[static_cast<size_t>(i)], k >= 0 && k < n ? static_cast<float>(2 * k + 3) : -7.0f)
              << isa << " " << n;
        }
      }
  }
}

}  // namespace
}  // namespace godwit::kernels

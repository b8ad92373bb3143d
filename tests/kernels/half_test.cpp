#include "kernels/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/tensor.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/isa.h"

namespace godwit::kernels {
namespace {

constexpr DType types[] = {DType::f16, DType::bf16};

float exact(DType type, uint16_t bits) { return type == DType::f16 ? half_to_float(bits) : bfloat_to_float(bits); }
uint16_t rounded(DType type, float x) { return type == DType::f16 ? float_to_half(x) : float_to_bfloat(x); }

TEST(Half, EveryPatternIsWidenedExactly) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (DType type : types) {
      std::vector<float> wide(all.size());
      widen(type, all.data(), 65536, wide.data());
      for (size_t i = 0; i < all.size(); ++i) {
        const float expected = exact(type, all[i]);
        ASSERT_TRUE(std::isnan(expected) ? std::isnan(wide[i]) : std::memcmp(&expected, &wide[i], 4) == 0)
            << i << " " << name;
      }
    }
  }
}

std::vector<float> numbers() {
  std::vector<float> x{
      0.0f,      -0.0f,           INFINITY,        -INFINITY,      NAN,           65504.0f,   65519.99f,
      65520.0f,  1e30f,           3.39e38f,        0x1p-24f,       0x1p-25f,      0x1.8p-25f, 0x1p-133f,
      0x1p-149f, 1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 1.0f + 0x1p-8f, 1.0f + 0x3p-8f};
  uint32_t payload = 0x7f800001u;  // a NaN that truncation would make an infinity
  float nan;
  std::memcpy(&nan, &payload, 4);
  x.push_back(nan);
  std::mt19937 random(4);
  for (int i = 0; i < 100000; ++i) {
    const uint32_t bits = random();
    float any;
    std::memcpy(&any, &bits, 4);
    x.push_back(any);
    x.push_back(std::ldexp(static_cast<float>(bits) / 4294967296.0f, static_cast<int>(bits % 48) - 30));
  }
  return x;
}

TEST(Half, NumbersAreRoundedToNearestEven) {
  const std::vector<float> x = numbers();
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (DType type : types) {
      std::vector<uint16_t> y(x.size());
      std::vector<float> in_place = x;
      narrow(type, x.data(), static_cast<int64_t>(x.size()), y.data());
      tile_function(type == DType::f16 ? "round_f16" : "round_bf16")(in_place.data(), in_place.data(), nullptr, nullptr,
                                                                     static_cast<int64_t>(x.size()), 0, 0);
      for (size_t i = 0; i < x.size(); ++i) {
        const float expected = exact(type, rounded(type, x[i])), found = exact(type, y[i]);
        ASSERT_TRUE(std::isnan(expected) ? std::isnan(found) : found == expected) << x[i] << " " << name;
        ASSERT_TRUE(std::isnan(expected) ? std::isnan(in_place[i]) : in_place[i] == expected) << x[i] << " " << name;
      }
    }
  }
}

TEST(Half, NothingIsWrittenBehindTheEnd) {
  const std::vector<float> x(100, 1.5f);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (DType type : types)
      for (int64_t n = 0; n < 40; ++n) {
        std::vector<uint16_t> y(41, 7);
        narrow(type, x.data(), n, y.data());
        for (int64_t i = 0; i < 41; ++i)
          ASSERT_EQ(y[static_cast<size_t>(i)], i < n ? rounded(type, 1.5f) : 7) << n << " " << name;
        std::vector<float> z(41, 9.0f);
        widen(type, y.data(), n, z.data());
        for (int64_t i = 0; i < 41; ++i) ASSERT_EQ(z[static_cast<size_t>(i)], i < n ? 1.5f : 9.0f) << n << " " << name;
      }
  }
}

// Panels of a half type give what the same numbers give as float32, bit for bit.
void expect_same_product(DType type, int64_t m, int64_t n, int64_t k, bool transposed, ThreadPool& pool) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)), bias(static_cast<size_t>(n));
  std::vector<uint16_t> half(b.size());
  for (auto* v : {&a, &b, &bias})
    for (float& x : *v) x = normal(random);
  for (size_t i = 0; i < b.size(); ++i) half[i] = rounded(type, b[i]), b[i] = exact(type, half[i]);
  const int64_t row = transposed ? 1 : n, column = transposed ? k : 1;
  std::vector<float> packed(static_cast<size_t>(packed_size(k, n))), c(static_cast<size_t>(m * n)), d(c.size());
  std::vector<uint16_t> half_packed(packed.size());
  pack(b.data(), row, column, k, n, packed.data());
  pack(type, half.data(), row, column, k, n, half_packed.data());
  gemm({m, n, k, a.data(), k, packed.data(), bias.data(), c.data(), n}, pool);
  gemm({m, n, k, a.data(), k, {half_packed.data(), type}, bias.data(), d.data(), n}, pool);
  ASSERT_EQ(c, d) << m << " " << n << " " << k << " " << isa();
}

TEST(Half, ProductsWithHalfPanels) {
  ThreadPool pool(2);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (DType type : types) {
      for (int64_t m : {1, 2, 3, 7, 8, 13, 30})
        for (int64_t n : {1, 3, 4, 16, 17, 33, 48, 65, 100}) expect_same_product(type, m, n, 19, n % 2 == 1, pool);
      for (int64_t k : {0, 1, 2, 3, 1023, 1024, 2050}) expect_same_product(type, 5, 40, k, k % 2 == 0, pool);
      expect_same_product(type, 130, 70, 64, true, pool);
    }
  }
}

}  // namespace
}  // namespace godwit::kernels

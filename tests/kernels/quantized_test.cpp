#include "kernels/quantized.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <random>
#include <vector>

#include "base/tensor.h"
#include "kernels/isa.h"

namespace godwit::kernels {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

struct Weights {
  QuantizedShape shape;
  std::vector<uint32_t> words;
  std::vector<float> scales, biases;
  Tensor packed;

  uint32_t number(int64_t row, int64_t i) const {
    const int64_t bit = (row * shape.k + i) * shape.bits;
    return words[at(bit / 32)] >> (bit % 32) & ((1u << shape.bits) - 1);
  }
  int64_t group_of(int64_t row, int64_t i) const { return row * (shape.k / shape.group) + i / shape.group; }
  double value(int64_t row, int64_t i) const {
    return static_cast<double>(scales[at(group_of(row, i))]) * number(row, i) + biases[at(group_of(row, i))];
  }
  const std::byte* data() const {
    const auto address = reinterpret_cast<uintptr_t>(packed.data);
    return packed.data + (64 - address % 64) % 64;
  }
};

Weights random_weights(const QuantizedShape& shape, std::mt19937& random) {
  std::normal_distribution<float> normal;
  Weights w{shape,
            std::vector<uint32_t>(at(shape.n * shape.k * shape.bits / 32)),
            std::vector<float>(at(shape.n * (shape.k / shape.group))),
            {},
            {}};
  w.biases.resize(w.scales.size());
  for (uint32_t& word : w.words) word = random();
  // As quantization leaves them: numbers on both sides of zero, some groups of one sign.
  for (size_t i = 0; i < w.scales.size(); ++i) {
    w.scales[i] = (0.5f + std::fabs(normal(random))) / static_cast<float>(1 << shape.bits);
    w.biases[i] = -w.scales[i] * static_cast<float>(1 << (shape.bits - 1)) + 0.3f * normal(random);
  }
  w.packed = Tensor::zeros(DType::u8, {static_cast<int64_t>(packed_quantized_size(shape)) + 64});
  pack_quantized(shape, w.words.data(), w.scales.data(), w.biases.data(), const_cast<std::byte*>(w.data()));
  return w;
}

// C with a border of nines, of which the last column and row stay.
std::vector<float> multiply(const Weights& w, int64_t m, const float* a, int64_t a_stride, const float* bias,
                            ThreadPool& pool) {
  const int64_t width = w.shape.n + 1;
  std::vector<float> c(at((m + 1) * width), 9.0f);
  Tensor scratch = Tensor::zeros(DType::u8, {static_cast<int64_t>(quantized_scratch(w.shape, m)) + 64});
  auto* start = scratch.mutable_data() + (64 - reinterpret_cast<uintptr_t>(scratch.data) % 64) % 64;
  quantized_gemm({w.shape, m, a, a_stride, w.data(), bias, c.data(), width, start}, pool);
  for (int64_t i = 0; i < m; ++i) EXPECT_EQ(c[at(i * width + w.shape.n)], 9.0f) << "written past a row";
  for (int64_t j = 0; j < width; ++j) EXPECT_EQ(c[at(m * width + j)], 9.0f) << "written past the last row";
  return c;
}

// Half a step of the activations an element, and float32 rounding of what cancels (2^-20 of the absolute sum).
void expect_product(const QuantizedShape& shape, int64_t m, ThreadPool& pool, bool with_bias = true) {
  std::mt19937 random(static_cast<unsigned>(m * 31 + shape.n));
  std::normal_distribution<float> normal;
  const Weights w = random_weights(shape, random);
  const int64_t stride = shape.k + 3;
  std::vector<float> a(at(m * stride + 1)), bias(at(shape.n)), largest(at(m * shape.k));
  for (auto* v : {&a, &bias})
    for (float& x : *v) x = normal(random);
  for (int64_t i = 0; i < m * shape.k; ++i) {
    const float* group = &a[at(1 + i / shape.k * stride + i % shape.k / shape.group * shape.group)];
    largest[at(i)] = i % shape.group ? largest[at(i - 1)] : 0;
    for (int64_t j = 0; i % shape.group == 0 && j < shape.group; ++j)
      largest[at(i)] = std::max(largest[at(i)], std::fabs(group[j]));
  }
  const auto c = multiply(w, m, a.data() + 1, stride, with_bias ? bias.data() : nullptr, pool);
  std::vector<double> value(at(shape.k)), size(at(shape.k));  // of a row of weights; what scale and bias come to
  for (int64_t j = 0; j < shape.n; ++j) {
    for (int64_t t = 0; t < shape.k; ++t) {
      const double shift = w.biases[at(w.group_of(j, t))];
      value[at(t)] = w.value(j, t);
      size[at(t)] = std::fabs(value[at(t)] - shift) + std::fabs(shift);
    }
    for (int64_t i = 0; i < m; ++i) {
      const float *row = &a[at(1 + i * stride)], *most = &largest[at(i * shape.k)];
      double sum = with_bias ? bias[at(j)] : 0, bound = 0, all = std::fabs(sum);
      for (size_t t = 0; t < value.size(); ++t) {
        sum += row[t] * value[t];
        bound += std::fabs(value[t]) * most[t] / 254;
        all += size[t] * most[t];
      }
      ASSERT_NEAR(c[at(i * (shape.n + 1) + j)], sum, bound + std::ldexp(all, -20))
          << isa() << ": " << m << " x " << shape.n << " x " << shape.k << ", " << shape.bits << " bits in groups of "
          << shape.group << ", at " << i << ", " << j;
    }
  }
}

class EveryIsa : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { set_isa(GetParam()); }
  void TearDown() override { set_isa(available_isas().front()); }
  ThreadPool pool_{2};
};

TEST_P(EveryIsa, EveryTail) {
  for (int64_t bits : {4, 8}) {
    for (int64_t m = 1; m <= 64; ++m) expect_product({33, 64, bits, 32}, m, pool_);
    for (int64_t n = 1; n <= 50; ++n) expect_product({n, 64, bits, 64}, n % 3 == 0 ? 35 : n % 3, pool_, n % 2);
    for (int64_t m : {1, 5, 40, 65})
      for (int64_t group : {32, 64, 128})
        for (int64_t k : {128, 640}) expect_product({33, k, bits, group}, m, pool_);
  }
}

TEST_P(EveryIsa, BlocksOfRows) { expect_product({17, 32, 4, 32}, 1100, pool_); }

TEST_P(EveryIsa, ZeroSizes) {
  expect_product({0, 64, 4, 32}, 3, pool_);
  expect_product({5, 64, 8, 32}, 0, pool_);
  for (int64_t m : {1, 40}) expect_product({5, 0, 4, 32}, m, pool_);  // the bias alone
}

TEST_P(EveryIsa, ThreadsDoNotMatter) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const Weights w = random_weights({300, 1024, 4, 64}, random);
  std::vector<float> a(at(100 * 1024));
  for (float& x : a) x = normal(random);
  ThreadPool one(1), five(5);
  for (int64_t m : {1, 3, 100})
    EXPECT_EQ(multiply(w, m, a.data(), 1024, nullptr, one), multiply(w, m, a.data(), 1024, nullptr, five)) << m;
}

TEST_P(EveryIsa, EveryElementIsHandedOnOnce) {
  std::mt19937 random(4);
  const int64_t n = 300;
  const Weights w = random_weights({n, 128, 8, 64}, random);
  for (int64_t m : {3, 40, 100}) {  // parts of columns, of rows
    const std::vector<float> a(at(m * 128), 0.25f);
    std::vector<float> c(at(m * n)), seen(at(m * n));
    std::vector<std::byte> room(quantized_scratch(w.shape, m) + 64);
    auto* scratch = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64;
    std::mutex lock;
    quantized_gemm({w.shape, m, a.data(), 128, w.data(), nullptr, c.data(), n, scratch}, pool_,
                   [&](int64_t first, int64_t last, int64_t left, int64_t right) {
                     std::lock_guard hold(lock);
                     for (int64_t r = first; r < last; ++r)
                       for (int64_t i = left; i < right; ++i) seen[at(r * n + i)] += 1;
                   });
    EXPECT_EQ(seen, std::vector<float>(at(m * n), 1.0f)) << m;
  }
}

// The largest sums that numbers and rounded activations can give, of either sign, stay exact.
TEST_P(EveryIsa, LargestNumbers) {
  for (int64_t bits : {4, 8})
    for (int64_t m : {1, 40}) {
      const QuantizedShape shape{20, 256, bits, 128};
      Weights w{shape,
                std::vector<uint32_t>(at(shape.n * shape.k * bits / 32), ~0u),
                std::vector<float>(at(shape.n * 2), 1.0f),
                std::vector<float>(at(shape.n * 2)),
                {}};
      w.packed = Tensor::zeros(DType::u8, {static_cast<int64_t>(packed_quantized_size(shape)) + 64});
      pack_quantized(shape, w.words.data(), w.scales.data(), w.biases.data(), const_cast<std::byte*>(w.data()));
      for (float x : {1.0f, -1.0f}) {
        const std::vector<float> a(at(m * shape.k), x);
        const auto c = multiply(w, m, a.data(), shape.k, nullptr, pool_);
        const float expected = x * 256 * static_cast<float>((1 << bits) - 1);
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < shape.n; ++j)
            ASSERT_NEAR(c[at(i * 21 + j)], expected, std::fabs(expected) * 1e-6f) << bits << " " << m;
      }
    }
}

// A NaN or an infinity makes its row NaN and no other; tiny and huge numbers stay finite.
TEST_P(EveryIsa, WhatIsNotFinite) {
  std::mt19937 random(6);
  const QuantizedShape shape{18, 128, 4, 64};
  const Weights w = random_weights(shape, random);
  const float infinity = std::numeric_limits<float>::infinity();
  for (int64_t m : {2, 40})
    for (float bad : {std::nanf(""), infinity, -infinity}) {
      std::vector<float> a(at(m * 128), 0.5f);
      a[128 + 77] = bad;
      const auto c = multiply(w, m, a.data(), 128, nullptr, pool_);
      for (int64_t j = 0; j < 18; ++j) {
        EXPECT_TRUE(std::isfinite(c[at(j)]));
        EXPECT_TRUE(std::isnan(c[at(19 + j)])) << bad << " " << m;
      }
    }
  for (int64_t m : {2, 40})
    for (float size : {0.0f, std::numeric_limits<float>::denorm_min(), 1e-38f, 1e-36f, 1e34f}) {
      const std::vector<float> a(at(m * 128), size);
      const auto c = multiply(w, m, a.data(), 128, nullptr, pool_);
      for (int64_t j = 0; j < 18; ++j) EXPECT_TRUE(std::isfinite(c[at(j)])) << size;
    }
}

TEST_P(EveryIsa, TakeIsExact) {
  std::mt19937 random(7);
  for (int64_t bits : {4, 8}) {
    const Weights w = random_weights({9, 256, bits, 128}, random);
    const std::vector<int64_t> rows = {0, 8, -1, 3, -9, 100, -100};  // those beyond stop at the ends
    const std::vector<int64_t> meant = {0, 8, 8, 3, 0, 8, 0};
    std::vector<float> out(rows.size() * 256);
    quantized_take({w.shape, w.words.data(), w.scales.data(), w.biases.data(), rows.data(), DType::i64,
                    static_cast<int64_t>(rows.size())},
                   out.data(), pool_);
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t j = 0; j < 256; ++j) {
        const int64_t row = meant[i], group = w.group_of(row, j);
        const float scaled = w.scales[at(group)] * static_cast<float>(w.number(row, j));
        EXPECT_EQ(out[i * 256 + at(j)], scaled + w.biases[at(group)]);
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, EveryIsa, testing::ValuesIn(available_isas()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace godwit::kernels

#include "kernels/conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/attention.h"
#include "kernels/depthwise.h"
#include "kernels/interleave.h"
#include "kernels/isa.h"
#include "kernels/rows.h"

namespace godwit::kernels {
namespace {

std::vector<float> normal(int64_t n) {
  static std::mt19937 random(3);
  std::normal_distribution<float> distribution;
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = distribution(random);
  return out;
}

struct Case {
  int64_t height, width, channels, filters, kernel_height, kernel_width, stride, pad;
  bool depthwise = false;
};

// The definition, in double; every element may be off by a share of the sum of magnitudes.
void expect_convolution(const Case& s, ThreadPool& pool) {
  constexpr int64_t batch = 2;
  Conv c{};
  c.batch = batch, c.channels = s.channels, c.filters = s.filters, c.groups = s.depthwise ? s.channels : 1;
  c.in = {1, s.height, s.width};
  c.out = {1, (s.height + 2 * s.pad - s.kernel_height) / s.stride + 1,
           (s.width + 2 * s.pad - s.kernel_width) / s.stride + 1};
  Taps t;
  t.in_stride = {1, s.stride, s.stride}, t.base = {0, -s.pad, -s.pad}, t.points = c.out;
  for (int64_t h = 0; h < s.kernel_height; ++h)
    for (int64_t w = 0; w < s.kernel_width; ++w) t.offsets.push_back({0, h, w});
  t.run = s.depthwise ? 1 : s.kernel_width;
  prepare(t, c);
  const auto taps = static_cast<int64_t>(t.offsets.size());
  const int64_t each = c.channels / c.groups, depth = taps * each, filters = s.depthwise ? s.channels : s.filters;
  const std::vector<float> x = normal(batch * s.height * s.width * s.channels), bias = normal(filters);
  const std::vector<float> weight = normal(depth * filters);  // (tap, channel, filter), or (tap, channel)
  std::vector<float> packed(static_cast<size_t>(packed_size(depth, filters)));
  pack(weight.data(), filters, 1, depth, filters, packed.data());
  const std::vector<float> zeros(static_cast<size_t>(t.run * s.channels));
  std::vector<float> y(static_cast<size_t>(batch * c.out[1] * c.out[2] * filters + 1), 9.0f);
  c.x = x.data(), c.bias = bias.data(), c.zeros = zeros.data(), c.y = y.data();
  c.weight = s.depthwise ? weight.data() : packed.data();
  std::vector<int> finished(static_cast<size_t>(batch * c.out[1] * c.out[2]));
  const Done done = [&](int64_t first, int64_t last, int64_t left, int64_t) {
    for (int64_t i = first; i < last && left == 0; ++i) ++finished[static_cast<size_t>(i)];
  };
  s.depthwise ? depthwise_conv(c, t, pool, done) : conv(c, t, pool, done);
  ASSERT_EQ(y.back(), 9.0f) << "written past the end";
  for (int count : finished) ASSERT_EQ(count, 1);
  for (int64_t p = 0; p < batch * c.out[1] * c.out[2]; ++p)
    for (int64_t f = 0; f < filters; ++f) {
      double sum = bias[static_cast<size_t>(f)], size = std::fabs(sum);
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t tap = k / each, channel = s.depthwise ? f : k % each;
        const int64_t h = p / c.out[2] % c.out[1] * s.stride - s.pad + tap / s.kernel_width;
        const int64_t w = p % c.out[2] * s.stride - s.pad + tap % s.kernel_width;
        if (h < 0 || w < 0 || h >= s.height || w >= s.width) continue;
        const int64_t at = ((p / c.out[2] / c.out[1] * s.height + h) * s.width + w) * s.channels + channel;
        const double part = static_cast<double>(x[static_cast<size_t>(at)]) *
                            weight[static_cast<size_t>(s.depthwise ? tap * s.channels + f : k * filters + f)];
        sum += part, size += std::fabs(part);
      }
      ASSERT_NEAR(y[static_cast<size_t>(p * filters + f)], sum, 1e-6 * size + 1e-6)
          << isa() << ", " << s.width << " wide, " << s.channels << " channels, kernel " << s.kernel_width
          << ", stride " << s.stride << ", point " << p << ", filter " << f;
    }
}

TEST(Conv, BordersAndTails) {
  ThreadPool pool(2);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (int64_t stride : {1, 2, 3})
      for (int64_t channels : {1, 3, 5, 20})  // up to five are joined to patches
        expect_convolution({9, 17, channels, 21, 3, 3, stride, 1}, pool);
    expect_convolution({13, 30, 3, 16, 7, 7, 2, 3}, pool);
    expect_convolution({5, 4, 2, 70, 5, 6, 1, 3}, pool);
    expect_convolution({7, 7, 40, 64, 3, 3, 1, 1}, pool);
    expect_convolution({3, 200, 2, 8, 1, 4, 1, 0}, pool);
  }
}

TEST(Conv, Depthwise) {
  ThreadPool pool(2);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (int64_t stride : {1, 2, 3})
      for (int64_t kernel : {1, 3, 4, 5, 7})
        for (int64_t width : {5, 7, 14, 23})
          expect_convolution({6, width, 19, 19, kernel, kernel, stride, kernel / 2, true}, pool);
    expect_convolution({2, 3, 40, 40, 3, 7, 1, 3, true}, pool);  // narrower than the kernel
  }
}

void expect_attention(int64_t queries, int64_t keys, int64_t depth, bool causal, ThreadPool& pool) {
  constexpr int64_t heads = 3;
  const std::vector<float> q = normal(heads * queries * depth), k = normal(heads * keys * depth);
  const std::vector<float> v = normal(heads * keys * depth), mask = normal(queries * keys);
  std::vector<float> out(q.size());
  Attention a{};
  a.batch = 1, a.heads = a.kv_heads = heads, a.queries = queries, a.keys = keys, a.depth = a.value_depth = depth;
  a.q = q.data(), a.k = k.data(), a.v = v.data(), a.out = out.data(), a.scale = 0.3f, a.causal = causal;
  a.q_stride = a.out_stride = {0, queries * depth, depth}, a.k_stride = a.v_stride = {0, keys * depth, depth};
  a.mask = mask.data(), a.mask_dtype = DType::f32, a.mask_stride = {0, 0, keys, 1};
  attention(a, pool);
  for (int64_t row = 0; row < heads * queries; ++row) {
    const int64_t head = row / queries, i = row % queries;
    std::vector<double> weight;
    double sum = 0;
    for (int64_t j = 0; j < (causal ? std::min(keys, i + 1) : keys); ++j) {
      double score = 0;
      for (int64_t d = 0; d < depth; ++d)
        score += static_cast<double>(q[static_cast<size_t>(row * depth + d)]) *
                 k[static_cast<size_t>((head * keys + j) * depth + d)];
      weight.push_back(std::exp(score * a.scale + mask[static_cast<size_t>(i * keys + j)]));
      sum += weight.back();
    }
    for (int64_t d = 0; d < depth; ++d) {
      double wanted = 0;
      for (size_t j = 0; j < weight.size(); ++j)
        wanted += weight[j] / sum *
                  v[(static_cast<size_t>(head * keys) + j) * static_cast<size_t>(depth) + static_cast<size_t>(d)];
      ASSERT_NEAR(out[static_cast<size_t>(row * depth + d)], wanted, 1e-5) << isa() << " " << queries << " " << keys;
    }
  }
}

TEST(Attention, BlocksAndTails) {
  for (int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (const std::string& name : available_isas()) {
      set_isa(name);
      for (int64_t queries : {1, 25, 70})
        for (int64_t keys : {1, 40, 513}) expect_attention(queries, keys, 32, false, pool);
      expect_attention(70, 70, 20, true, pool);
    }
  }
}

TEST(Rows, ExtremesAndNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const std::string& name : available_isas()) {
    set_isa(name);
    const RowFunctions f = row_functions();
    EXPECT_EQ(f.max(nullptr, 0), -infinity);
    EXPECT_EQ(f.min(nullptr, 0), infinity);
    for (int64_t n : {1, 3, 16, 64, 65, 131}) {
      const std::vector<float> x = normal(n);
      EXPECT_EQ(f.max(x.data(), n), *std::max_element(x.begin(), x.end()));
      EXPECT_EQ(f.min(x.data(), n), *std::min_element(x.begin(), x.end()));
      for (int64_t at = 0; at < n; ++at) {
        std::vector<float> y = x;
        y[static_cast<size_t>(at)] = nan;
        EXPECT_TRUE(std::isnan(f.max(y.data(), n))) << n << " " << at << " " << name;
        EXPECT_TRUE(std::isnan(f.min(y.data(), n))) << n << " " << at << " " << name;
      }
    }
  }
}

TEST(Interleave, Planes) {
  for (const std::string& name : available_isas()) {
    set_isa(name);
    EXPECT_EQ(interleave(1), nullptr);
    EXPECT_EQ(interleave(5), nullptr);
    for (int64_t planes : {2, 3, 4})
      for (int64_t n : {1, 15, 16, 50}) {
        const std::vector<float> x = normal(planes * (n + 3));
        std::vector<float> out(static_cast<size_t>(planes * n + 1), 9.0f);
        interleave(planes)(x.data(), n + 3, n, out.data());
        for (int64_t i = 0; i < planes * n; ++i)
          ASSERT_EQ(out[static_cast<size_t>(i)], x[static_cast<size_t>(i % planes * (n + 3) + i / planes)]);
        ASSERT_EQ(out.back(), 9.0f);
      }
  }
}

TEST(Transpose, Tails) {
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (int64_t rows : {1, 4, 7, 16, 33})
      for (int64_t columns : {1, 3, 4, 18}) {
        const std::vector<float> x = normal(columns * (rows + 2));
        std::vector<float> out(static_cast<size_t>(rows * (columns + 1)), 9.0f);
        transpose(x.data(), rows + 2, rows, columns, out.data(), columns + 1);
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < columns; ++c)
            ASSERT_EQ(out[static_cast<size_t>(r * (columns + 1) + c)], x[static_cast<size_t>(c * (rows + 2) + r)]);
          ASSERT_EQ(out[static_cast<size_t>(r * (columns + 1) + columns)], 9.0f);
        }
      }
  }
}

}  // namespace
}  // namespace godwit::kernels

#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/isa.h"

namespace godwit::kernels {
namespace {

void expect_product(int64_t m, int64_t n, int64_t k, ThreadPool& pool) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const int64_t stride = k + 3;
  std::vector<float> a(static_cast<size_t>(m * stride + 1)), b(static_cast<size_t>(k * n)),
      bias(static_cast<size_t>(n));
  for (auto* v : {&a, &b, &bias})
    for (float& x : *v) x = normal(random);
  std::vector<float> packed(static_cast<size_t>(packed_size(k, n))), c(static_cast<size_t>(m * (n + 1)), 9.0f);
  pack(b.data(), n, 1, k, n, packed.data());
  gemm({m, n, k, a.data() + 1, stride, packed.data(), bias.data(), c.data(), n + 1}, pool);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias[static_cast<size_t>(j)], size = std::fabs(sum);
      for (int64_t t = 0; t < k; ++t) {
        const double part =
            static_cast<double>(a[static_cast<size_t>(1 + i * stride + t)]) * b[static_cast<size_t>(t * n + j)];
        sum += part, size += std::fabs(part);
      }
      ASSERT_NEAR(c[static_cast<size_t>(i * (n + 1) + j)], sum, 1e-6 * size + 1e-6)
          << m << " " << n << " " << k << " " << isa();
    }
    ASSERT_EQ(c[static_cast<size_t>(i * (n + 1) + n)], 9.0f) << "written past a row";
  }
}

TEST(Gemm, EveryTail) {
  ThreadPool pool(2);
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (int64_t m = 1; m <= 18; ++m)
      for (int64_t n : {1, 2, 15, 16, 17, 31, 33, 47, 48, 49, 65, 100}) expect_product(m, n, 19, pool);
    for (int64_t k : {0, 1, 2, 3, 1023, 1024, 1025, 2050}) expect_product(5, 40, k, pool);
    expect_product(130, 70, 64, pool);
  }
}

}  // namespace
}  // namespace godwit::kernels

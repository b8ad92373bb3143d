// godwit_bench_quantized ROWS OUTPUTS INPUTS BITS GROUP [THREADS] [RUNS]
//
// Products of quantised weights with ROWS rows of activations, and reads of the same memory in turn: one JSON object
// with the medians and the best times of both. The weights are copied until no cache holds them all.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "base/error.h"
#include "kernels/isa.h"
#include "kernels/quantized.h"
#include "reading.h"

namespace godwit {
namespace {

constexpr size_t all_copies = size_t{3} << 29;

using bench::Buffer, bench::read;

double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + static_cast<int64_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void measure(int64_t rows, const kernels::QuantizedShape& shape, int threads, int runs) {
  ThreadPool pool(threads);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<uint32_t> words(static_cast<size_t>(shape.n * shape.k * shape.bits / 32));
  std::vector<float> scales(static_cast<size_t>(shape.n * (shape.k / shape.group)), 0.01f),
      biases(scales.size(), -0.1f);
  for (uint32_t& w : words) w = static_cast<uint32_t>(random());
  const size_t bytes = kernels::packed_quantized_size(shape);
  const size_t copies = std::max<size_t>(rows == 1 ? all_copies / bytes : 2, 2);
  Buffer packed(bytes * copies), scratch(kernels::quantized_scratch(shape, rows));
  kernels::pack_quantized(shape, words.data(), scales.data(), biases.data(), packed.at, &pool);
  for (size_t i = 1; i < copies; ++i) std::memcpy(packed.at + i * bytes, packed.at, bytes);
  std::vector<float> a(static_cast<size_t>(rows * shape.k)), c(static_cast<size_t>(rows * shape.n));
  for (float& x : a) x = normal(random);
  std::vector<double> ours, reads;
  for (int run = -2; run < runs; ++run) {
    const std::byte* weight = packed.at + static_cast<size_t>(run + 2) % copies * bytes;
    const std::byte* other = packed.at + static_cast<size_t>(run + 2 + static_cast<int>(copies) / 2) % copies * bytes;
    const double reading = read(other, bytes, pool);
    const auto start = std::chrono::steady_clock::now();
    kernels::quantized_gemm({shape, rows, a.data(), shape.k, weight, nullptr, c.data(), shape.n, scratch.at}, pool);
    const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (run >= 0) ours.push_back(time), reads.push_back(reading);
  }
  const double work = 2e-9 * static_cast<double>(rows * shape.n) * static_cast<double>(shape.k);
  const double size = 1e-9 * static_cast<double>(bytes);
  const double best = *std::min_element(ours.begin(), ours.end()),
               best_read = *std::min_element(reads.begin(), reads.end());
  fmt::print(
      R"({{"rows": {}, "outputs": {}, "inputs": {}, "bits": {}, "group": {}, "threads": {}, "isa": "{}", "bytes": {}, )"
      R"("median_ms": {:.4f}, "best_ms": {:.4f}, "gflops": {:.1f}, "best_gflops": {:.1f}, "gb_per_s": {:.2f}, )"
      R"("best_gb_per_s": {:.2f}, "read_gb_per_s": {:.2f}, "best_read_gb_per_s": {:.2f}}})"
      "\n",
      rows, shape.n, shape.k, shape.bits, shape.group, threads, kernels::isa(), bytes, 1e3 * median(ours), 1e3 * best,
      work / median(ours), work / best, size / median(ours), size / best, size / median(reads), size / best_read);
}

}  // namespace
}  // namespace godwit

int main(int argc, char** argv) {
  auto number = [&](int i, int64_t otherwise) { return i < argc ? std::atoll(argv[i]) : otherwise; };
  const int64_t bits = number(4, 0), group = number(5, 0), k = number(3, 0);
  if (number(1, 0) < 1 || number(2, 0) < 1 || k < 1 || (bits != 4 && bits != 8) ||
      (group != 32 && group != 64 && group != 128) || k % group) {
    fmt::print(stderr,
               "usage: godwit_bench_quantized ROWS OUTPUTS INPUTS BITS(4|8) GROUP(32|64|128) [THREADS] [RUNS]\n");
    return 1;
  }
  try {
    godwit::measure(number(1, 0), {number(2, 0), k, bits, group}, static_cast<int>(number(6, 2)),
                    static_cast<int>(std::max<int64_t>(number(7, 60), 1)));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

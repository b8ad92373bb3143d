// godwit_bench_machine THREADS | --isas
//
// The instruction sets that the kernels may use here, the best first; or what the machine can do at most: float32
// multiply-adds a second for each instruction set, with all threads and with one, and bytes read a second from memory.
// One JSON object.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/isa.h"
#include "reading.h"

namespace godwit::bench {
namespace {

constexpr int sums = 12;  // independent chains: more than two units with a latency of four or five need
constexpr int64_t steps = 1 << 20;

// Every step is `sums` multiply-adds of vectors. The factors come from memory, so that nothing is known beforehand.
template <class Vector>
__attribute__((always_inline)) inline float multiply_adds() {
  static volatile float source[2] = {0.999f, 0.001f};
  Vector total[sums], x = Vector{} + source[0], y = Vector{} + source[1];
  for (Vector& t : total) t = y;
  for (int64_t i = 0; i < steps; ++i)
    for (Vector& t : total) t = t * x + y;
  float all = 0;
  for (const Vector& t : total) all += t[0];
  return all;
}

struct Peak {
  size_t lanes;
  float (*run)();
};

#if defined(__x86_64__)
using Wide = float __attribute__((vector_size(64)));
using Middle = float __attribute__((vector_size(32)));
__attribute__((target("avx512f"))) float wide() { return multiply_adds<Wide>(); }
__attribute__((target("avx2,fma"))) float middle() { return multiply_adds<Middle>(); }
#endif
using Narrow = float __attribute__((vector_size(16)));
float narrow() { return multiply_adds<Narrow>(); }

Peak peak_of(const std::string& isa) {
#if defined(__x86_64__)
  if (isa == "amx" || isa.starts_with("avx512")) return {16, wide};
  if (isa == "avx2") return {8, middle};
#endif
  return {4, narrow};
}

double gflops(const Peak& peak, ThreadPool& pool) {
  static std::atomic<float> sink;
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(pool.threads() * 4, 1, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) sink = peak.run();
    });
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    const double work = 2e-9 * static_cast<double>(peak.lanes * sums * steps) * pool.threads() * 4;
    best = std::max(best, work / taken.count());
  }
  return best;
}

double gigabytes_read(ThreadPool& pool) {
  constexpr size_t bytes = size_t{1} << 29;
  Buffer buffer(bytes);
  std::memset(buffer.at, 1, bytes);
  std::vector<double> times;
  for (int run = 0; run < 9; ++run) times.push_back(read(buffer.at, bytes, pool));
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return 1e-9 * static_cast<double>(bytes) / times[4];
}

nlohmann::json measure(int threads) {
  ThreadPool one(1), all(threads);
  nlohmann::json found = {
      {"threads", threads}, {"isas", kernels::available_isas()}, {"read_gb_per_s", gigabytes_read(all)}};
  for (const std::string& isa : kernels::available_isas()) {
    found["gflops"][isa] = gflops(peak_of(isa), all);
    found["gflops_one"][isa] = gflops(peak_of(isa), one);
  }
  return found;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "1";
  try {
    const nlohmann::json found = what == "--isas" ? nlohmann::json(godwit::kernels::available_isas())
                                                  : godwit::bench::measure(std::max(std::atoi(what.c_str()), 1));
    fmt::print("{}\n", found.dump());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

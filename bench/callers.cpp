// godwit_bench_callers PACKAGE CALLERS SECONDS
//
// So many threads, each with a model of its own, call it for so long: one JSON object with the calls a second of all.
// GODWIT_THREADS sets the pool that they share.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "godwit/model.h"

namespace {

using Clock = std::chrono::steady_clock;

// Normal floats, or integers that every table of embeddings has; a symbol counts as one.
godwit::Model::Tensors random_inputs(const godwit::Model& model) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  godwit::Model::Tensors inputs;
  for (const godwit::Model::Port& port : model.inputs()) {
    std::vector<int64_t> shape;
    for (const std::string& d : port.shape) shape.push_back(std::max(std::atoll(d.c_str()), 1LL));
    godwit::Tensor tensor = godwit::Tensor::zeros(port.dtype, shape);
    if (port.dtype == godwit::DType::f32)
      for (int64_t i = 0; i < tensor.size(); ++i) reinterpret_cast<float*>(tensor.mutable_data())[i] = normal(random);
    else if (port.dtype == godwit::DType::i64)
      for (int64_t i = 0; i < tensor.size(); ++i) reinterpret_cast<int64_t*>(tensor.mutable_data())[i] = 1;
    else
      throw godwit::UsageError("no random values for " + port.name);
    inputs.emplace(port.name, tensor);
  }
  return inputs;
}

// Calls a second of each caller, in the time that all are at work.
std::vector<double> measure(const std::string& package, int callers, double seconds) {
  std::atomic<int> ready{0};
  std::atomic<bool> failed{false};
  std::vector<double> rates(static_cast<size_t>(callers));
  auto call = [&](size_t index) {
    try {
      godwit::Model model(package);
      const auto inputs = random_inputs(model);
      for (int i = 0; i < 3; ++i) model.run(inputs);
      for (++ready; ready < callers && !failed;) std::this_thread::yield();
      const auto start = Clock::now();
      std::chrono::duration<double> taken{};
      int64_t calls = 0;
      for (; taken.count() < seconds && !failed; taken = Clock::now() - start, ++calls) model.run(inputs);
      rates[index] = static_cast<double>(calls) / taken.count();
    } catch (const std::exception& error) {
      failed = true;
      fmt::print(stderr, "{}\n", error.what());
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < rates.size(); ++i) threads.emplace_back(call, i);
  for (std::thread& t : threads) t.join();
  if (failed) std::exit(1);
  return rates;
}

}  // namespace

int main(int argc, char** argv) {
  const int callers = argc > 3 ? std::atoi(argv[2]) : 0;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 0;
  if (callers < 1 || seconds <= 0) {
    fmt::print(stderr, "usage: godwit_bench_callers PACKAGE CALLERS SECONDS\n");
    return 1;
  }
  double all = 0;
  for (double rate : measure(argv[1], callers, seconds)) all += rate;
  fmt::print(R"({{"callers": {}, "calls_per_s": {:.3f}}})"
             "\n",
             callers, all);
  return 0;
}

#include "parity/bench.h"

#include <chrono>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "executors/executor.h"

// Of OpenBLAS, where it is linked.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int threads);

namespace godwit::parity {

BenchResult bench(const ir::Module& module, const Tensors& inputs, const BenchOptions& options, Peer* peer) {
  require<UsageError>(options.runs > 0 && options.warmup >= 0 && options.threads > 0,
                      "bench needs at least one run and one thread, given {} and {}", options.runs, options.threads);
  if (openblas_set_num_threads) openblas_set_num_threads(options.threads);
  ThreadPool::set_threads(options.threads);
  const auto executor = executors::make_executor(options.executor, module, options.graph);
  std::map<std::string, executors::HostValue> arguments;
  for (const auto& [name, tensor] : inputs) arguments[name] = executors::HostValue{{tensor}, false};

  auto run_ms = [&] {
    auto start = std::chrono::steady_clock::now();
    executor->run(arguments);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  Progress progress("bench", static_cast<uint64_t>(options.warmup + options.runs), "runs");
  for (int i = 0; i < options.warmup; ++i) {
    run_ms();
    if (peer) peer->run_ms();
    progress.add(1);
  }
  BenchResult result;
  std::vector<double> theirs;
  for (int i = 0; i < options.runs; ++i) {
    result.series_ms.push_back(run_ms());
    if (peer) theirs.push_back(peer->run_ms());
    progress.add(1);
  }
  result.latency = summarize(result.series_ms);
  result.threads = options.threads;
  result.executor = options.executor;
  result.fallbacks = executor->fallbacks();
  result.peak_memory_bytes = static_cast<int64_t>(peak_memory_bytes());
  if (peer) {
    Latency latency = summarize(theirs);
    double ratio = latency.median_ms / result.latency.median_ms;
    result.against = {peer->name(), peer->version(), latency, std::move(theirs), peer->peak_memory_bytes(), ratio};
  }
  return result;
}

nlohmann::json to_json(const BenchResult& r) {
  nlohmann::json json = to_json(r.latency);
  json["threads"] = r.threads;
  json["executor"] = r.executor;
  json["fallbacks"] = r.fallbacks;
  json["peak_memory_bytes"] = r.peak_memory_bytes;
  if (r.against) {
    nlohmann::json peer = to_json(r.against->latency);
    peer["name"] = r.against->name;
    peer["version"] = r.against->version;
    peer["peak_memory_bytes"] = r.against->peak_memory_bytes;
    peer["ratio"] = r.against->ratio;
    json["against"] = std::move(peer);
  }
  return json;
}

}  // namespace godwit::parity

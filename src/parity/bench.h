// Latency of a graph, alone or in turn with the original in its own framework.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "parity/golden.h"
#include "parity/statistics.h"

namespace godwit::parity {

// The other side: anything that runs once and says how long it took.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  virtual double run_ms() = 0;
  virtual int64_t peak_memory_bytes() const = 0;
};

struct BenchOptions {
  std::string graph = "main";
  std::string executor = "cpu";  // or "mlx"
  int warmup = 10;
  int runs = 100;
  int threads = 1;  // of this side; the peer is started with its own number
};

struct BenchResult {
  Latency latency;
  std::vector<double> series_ms;  // in the order measured
  int64_t peak_memory_bytes = 0;
  int threads = 1;
  std::string executor;
  std::vector<std::string> fallbacks;  // what ran without a kernel of the CPU plan
  struct Against {
    std::string name, version;
    Latency latency;
    std::vector<double> series_ms;
    int64_t peak_memory_bytes = 0;
    double ratio = 0;  // the peer's median divided by ours: above 1, godwit is faster
  };
  std::optional<Against> against;
};

// A run starts with inputs in host memory and ends with outputs there. With a peer the sides take turns, run by run, so
// that both see the same machine. Throws UsageError on bad counts.
BenchResult bench(const ir::Module& module, const Tensors& inputs, const BenchOptions& options, Peer* peer = nullptr);

nlohmann::json to_json(const BenchResult& result);

}  // namespace godwit::parity

// What a series of latencies says.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace godwit::parity {

struct Latency {
  int runs = 0;
  double mean_ms = 0, deviation_ms = 0;  // of the sample
  double min_ms = 0, max_ms = 0;
  double median_ms = 0, p95_ms = 0, p99_ms = 0;
};

// Quantiles by linear interpolation between closest ranks. Throws InternalError on an empty series.
Latency summarize(std::vector<double> milliseconds);
double quantile(const std::vector<double>& sorted, double fraction);
nlohmann::json to_json(const Latency& latency);

}  // namespace godwit::parity

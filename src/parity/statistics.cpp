#include "parity/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace godwit::parity {

double quantile(const std::vector<double>& sorted, double fraction) {
  require<InternalError>(!sorted.empty(), "quantile of nothing");
  double rank = fraction * static_cast<double>(sorted.size() - 1);
  size_t below = static_cast<size_t>(rank);
  size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (rank - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Latency summarize(std::vector<double> ms) {
  require<InternalError>(!ms.empty(), "no measurements");
  std::sort(ms.begin(), ms.end());
  Latency s;
  s.runs = static_cast<int>(ms.size());
  s.mean_ms = std::accumulate(ms.begin(), ms.end(), 0.0) / static_cast<double>(ms.size());
  double squares = 0;
  for (double v : ms) squares += (v - s.mean_ms) * (v - s.mean_ms);
  if (ms.size() > 1) s.deviation_ms = std::sqrt(squares / static_cast<double>(ms.size() - 1));
  s.min_ms = ms.front();
  s.max_ms = ms.back();
  s.median_ms = quantile(ms, 0.5);
  s.p95_ms = quantile(ms, 0.95);
  s.p99_ms = quantile(ms, 0.99);
  return s;
}

nlohmann::json to_json(const Latency& s) {
  return {{"runs", s.runs},     {"mean_ms", s.mean_ms},     {"std_ms", s.deviation_ms}, {"min_ms", s.min_ms},
          {"max_ms", s.max_ms}, {"median_ms", s.median_ms}, {"p95_ms", s.p95_ms},       {"p99_ms", s.p99_ms}};
}

}  // namespace godwit::parity

// Profiled runs of the MLX executor: each node's results are computed before the next node starts.

#include <mlx/transforms.h>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "executors/mlx/symbols.h"
#include "executors/profile.h"

namespace godwit::executors {
namespace {

namespace mx = mlx::core;

// Computes the results; says what they are.
std::string finish(const std::vector<ops::Datum>& results) {
  std::string out;
  std::vector<mx::array> arrays;
  for (const ops::Datum& d : results) {
    const auto* sequence = std::get_if<ops::Sequence>(&d);
    if (sequence)
      arrays.insert(arrays.end(), sequence->items.begin(), sequence->items.end());
    else
      arrays.push_back(std::get<mx::array>(d));
    out += (out.empty() ? "" : ", ") +
           (sequence ? fmt::format("list of {}", sequence->items.size()) : describe_array(std::get<mx::array>(d)));
  }
  mx::eval(arrays);
  return out;
}

}  // namespace

void MlxExecutor::record(ProfileRecorder* recorder) {
  if (!recorder) return observe(nullptr);
  observe([recorder](const ir::Node& node, const Operands&, const std::vector<ops::Datum>& results) {
    std::string made = finish(results);  // before the recorder looks at the clock
    recorder->node_done(node, "mlx", std::move(made));
  });
}

}  // namespace godwit::executors

#include "executors/executor.h"

#include "base/error.h"
#include "executors/cpu_plan/executor.h"
#include "executors/mlx/executor.h"

namespace godwit::executors {

std::unique_ptr<Executor> make_executor(const std::string& name, const ir::Module& module, const std::string& graph) {
  if (name == "cpu") return std::make_unique<CpuExecutor>(module, graph);
  require<UsageError>(name == "mlx", "there is no executor called {}; there are: cpu, mlx", name);
  return std::make_unique<MlxExecutor>(module, graph);
}

}  // namespace godwit::executors

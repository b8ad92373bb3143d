#include "emit/generated.h"

#include <mlx/io.h>
#include <mlx/ops.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "parity/golden.h"

namespace godwit::testing {

namespace fs = std::filesystem;
namespace mx = mlx::core;

namespace {

// One call with fresh random inputs; adds to `tensors` what went in and what came out.
void record(executors::MlxExecutor& executor, uint64_t seed, const ir::Dim::Env& sizes,
            std::map<std::string, std::vector<mx::array>>& tensors) {
  std::map<std::string, executors::HostValue> inputs;
  for (const auto& [key, tensor] : parity::random_inputs(executor.graph(), seed, sizes)) {
    tensors["input/" + key].push_back(executors::to_mlx(tensor));
    inputs[key] = {{tensor}, false};
  }
  for (const auto& [key, value] : executor.run(inputs)) {
    if (!value.is_sequence) tensors["output/" + key].push_back(executors::to_mlx(value.items.at(0)));
    for (size_t i = 0; value.is_sequence && i < value.items.size(); ++i)
      tensors["output/" + key + "." + std::to_string(i)].push_back(executors::to_mlx(value.items[i]));
  }
}

}  // namespace

fs::path package_folder(const std::string& name, const ir::Module& module, const std::map<std::string, int64_t>& sizes,
                        int steps) {
  const fs::path dir = fs::path(GODWIT_WORK) / name;
  fs::remove_all(dir);
  fs::create_directories(dir);
  std::unordered_map<std::string, mx::array> weights, golden;
  for (const auto& [key, tensor] : module.weights) weights.emplace(key, executors::to_mlx(tensor));
  mx::save_safetensors((dir / "weights.safetensors").string(), weights);
  executors::MlxExecutor executor(module);
  std::map<std::string, std::vector<mx::array>> tensors;
  for (int step = 0; step < std::max(steps, 1); ++step)
    record(executor, 7 + static_cast<uint64_t>(step), ir::Dim::Env(sizes.begin(), sizes.end()), tensors);
  for (const auto& [key, list] : tensors) golden.emplace(key, steps ? mx::stack(list) : list[0]);
  mx::save_safetensors((dir / "golden.safetensors").string(), golden);
  return dir;
}

Run run(const std::string& command) {
  Run out{-1, ""};
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  require<InternalError>(pipe != nullptr, "cannot start a shell");
  std::array<char, 4096> block{};
  while (size_t n = fread(block.data(), 1, block.size(), pipe)) out.output.append(block.data(), n);
  out.status = pclose(pipe);
  return out;
}

Run build_and_test_cpp(const fs::path& dir) {
  const std::string source = (dir / "cpp").string(), build = (dir / "build").string();
  const std::string sanitize = GODWIT_SANITIZE[0] ? std::string("-fsanitize=") + GODWIT_SANITIZE : "";
  Run configured =
      run(fmt::format("{} -S {} -B {} -DCMAKE_PREFIX_PATH={} -DCMAKE_CXX_COMPILER={} '-DCMAKE_CXX_FLAGS={}' "
                      "-DCMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache)",
                      GODWIT_CMAKE, source, build, GODWIT_INSTALLED, GODWIT_CXX, sanitize));
  if (configured.status != 0) return configured;
  Run built = run(fmt::format("{} --build {} -j2", GODWIT_CMAKE, build));
  if (built.status != 0) return built;
  return run(build + "/test_*_model");  // its name is the model's
}

namespace {

std::string python() {
  const char* given = std::getenv("GODWIT_PYTHON");
  return given && *given ? given : "python3";
}

}  // namespace

bool has_python_mlx() {
  static const bool has = run(python() + " -c 'import mlx.core, mlx.nn, numpy'").status == 0;
  return has;
}

Run run_python(const fs::path& script, const std::string& arguments) {
  return run(fmt::format("{} {} {}", python(), script.string(), arguments));
}

Run test_python(const fs::path& dir) { return run_python(dir / "python" / "test_model.py", ""); }

}  // namespace godwit::testing

// Builds and runs what the emitters wrote.
#pragma once

#include <filesystem>
#include <string>

#include "emit/emitter.h"

namespace godwit::testing {

// A fresh folder for one test, with weights.safetensors and golden.safetensors of the module: random inputs and what
// the MLX executor gives for them. `steps`: so many calls that share state.
std::filesystem::path package_folder(const std::string& name, const ir::Module& module,
                                     const std::map<std::string, int64_t>& sizes = {}, int steps = 0);

struct Run {
  int status;
  std::string output;
};
Run run(const std::string& command);

// Builds DIR/cpp with its own CMakeLists.txt against the installed godwit and runs its test.
Run build_and_test_cpp(const std::filesystem::path& dir);

// Whether there is a Python with mlx; GODWIT_PYTHON names one.
bool has_python_mlx();
Run test_python(const std::filesystem::path& dir);
Run run_python(const std::filesystem::path& script, const std::string& arguments);

}  // namespace godwit::testing

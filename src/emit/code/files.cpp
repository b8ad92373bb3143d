#include "emit/code/files.h"

#include <mlx/io.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "emit/code/describe.h"
#include "executors/mlx/executor.h"

namespace godwit::emit {

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  require<FileError>(static_cast<bool>(file), "{} cannot be written", path.string());
}

bool has_initial(const ir::State& state) {
  if (!state.initial) return false;
  const Tensor t = state.initial->contiguous();
  return std::any_of(t.bytes().begin(), t.bytes().end(), [](std::byte b) { return b != std::byte{0}; });
}

std::string initial_name(const Root& root, const ir::State& state) {
  return "initial." + root.graph->name + "." + state.name;
}

bool has_constants(const Program& program) {
  bool any = !program.large_constants.empty();
  for (const Root& root : program.roots)
    for (const ir::State& state : root.graph->states) any = any || has_initial(state);
  return any;
}

void write_constants(const Program& program, const std::filesystem::path& dir) {
  if (!has_constants(program)) return;
  std::unordered_map<std::string, mlx::core::array> arrays;
  for (const auto& [value, name] : program.large_constants)
    arrays.emplace(name, executors::to_mlx(constant_value(value)));
  for (const Root& root : program.roots)
    for (const ir::State& state : root.graph->states)
      if (has_initial(state)) arrays.emplace(initial_name(root, state), executors::to_mlx(*state.initial));
  mlx::core::save_safetensors((dir / "constants.safetensors").string(), arrays);
}

std::string title(const ir::Module& module) {
  auto source = module.metadata.find("source");
  std::string name =
      source == module.metadata.end() ? "a graph" : std::filesystem::path(source->second).filename().string();
  std::erase(name, '"');  // it stands in a docstring
  return comment_text(name);
}

}  // namespace godwit::emit

#include "load.h"

#include "base/error.h"
#include "base/naming.h"
#include "emit/package.h"
#include "formats/detect.h"
#include "passes/pass.h"

namespace godwit::app {

namespace fs = std::filesystem;

int64_t parameter_count(const ir::Module& module) {
  std::map<std::string, int64_t> sizes;
  for (const auto& [name, tensor] : module.weights) sizes[name] = tensor.size();
  for (const auto& [name, graph] : module.graphs)
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      if (node.op != "quantized_linear" && node.op != "quantized_take") return;
      const int64_t in_a_word = 32 / std::get<ir::Dim>(*node.find("bits")).value();
      const std::string& weight = node.inputs[1]->name;
      if (auto packed = module.weights.find(weight); packed != module.weights.end())
        sizes[weight] = packed->second.size() * in_a_word;
      for (size_t i : {2, 3}) sizes.erase(node.inputs[i]->name);
    });
  int64_t n = 0;
  for (const auto& [name, size] : sizes) n += size;
  return n;
}

void require_supported(const ir::Module& module, const fs::path& path) {
  const auto ops = frontends::unsupported_ops(module);
  if (ops.empty()) return;
  std::string list;
  std::map<std::string, int> counts;
  for (const auto& op : ops) {
    list += fmt::format("\n  {} x {} ({})", op.count, op.name, fmt::join(op.places, ", "));
    counts[op.name] = op.count;
  }
  throw UnsupportedOps(fmt::format("{}: {} ops are not supported:{}", path.string(), ops.size(), list), counts);
}

Loaded load_for_inspection(const fs::path& path, const frontends::ImportOptions& options) {
  require<FileError>(fs::exists(path), "{}: no such file", path.string());
  if (emit::is_package(path)) return {emit::read_package(path), "package", 0, {}, {}};
  if (auto tensors = frontends::tensors_of(path)) {
    Loaded loaded{{}, tensors->format, 0, {}, {}};
    loaded.module.weights = std::move(tensors->tensors);
    return loaded;
  }
  try {
    frontends::Imported imported = frontends::import_model(path, options);
    return {std::move(imported.module), imported.format, imported.source_nodes, imported.warnings, {}};
  } catch (const UsageError& e) {
    // Shapes are missing: what the program text and the weights say is still worth showing.
    auto outline = options.inputs.empty() ? frontends::outline(path) : std::nullopt;
    if (!outline) throw;
    Loaded loaded{{}, std::string(formats::name(formats::detect(path))), 0, {e.what()}, {}};
    loaded.module.weights = std::move(outline->tensors);
    loaded.outline = std::move(outline);
    return loaded;
  }
}

Loaded load_to_run(const fs::path& path, const frontends::ImportOptions& options) {
  require<FileError>(fs::exists(path), "{}: no such file", path.string());
  if (emit::is_package(path)) return {emit::read_package(path), "package", 0, {}, {}};
  frontends::Imported imported = frontends::import_model(path, options);
  require_supported(imported.module, path);
  naming(path, [&] { passes::optimize(imported.module); });
  return {std::move(imported.module), imported.format, imported.source_nodes, imported.warnings, {}};
}

}  // namespace godwit::app

#include "emit/package.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/output_file.h"
#include "base/progress.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/verify.h"

namespace godwit::emit {
namespace {

namespace fs = std::filesystem;

constexpr int package_version = 1;
constexpr size_t max_text = size_t{1} << 28;  // bytes of model.json or of one graph

// A name that is no path, so that a package cannot read outside of itself.
bool is_plain_name(const std::string& s) {
  return !s.empty() && s[0] != '.' && s.size() <= 100 && std::all_of(s.begin(), s.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

std::vector<std::string> all_defects(const ir::Module& module) {
  std::vector<std::string> found = ir::defects(module);
  if (!found.empty()) return found;  // the op checks rely on what these find
  for (const auto& [name, graph] : module.graphs)
    for (std::string& d : ops::defects(graph)) found.push_back("graph " + name + ": " + std::move(d));
  return found;
}

void write_weights(const ir::Module& module, const fs::path& path) {
  std::map<std::string, Tensor> used;
  uint64_t bytes = 0;
  for (const auto& [name, graph] : module.graphs)
    for (const auto& [key, value] : graph.weights)
      if (used.emplace(key, module.weights.at(key)).second) bytes += used[key].nbytes();
  Progress progress("write", bytes, "MB", 1'000'000);
  formats::write_safetensors(path, used, {{"format", "godwit"}}, [&](uint64_t n) { progress.add(n); });
}

std::string read_text(const fs::path& path) {
  auto file = MappedFile::open(path);
  require<FileError>(file->bytes().size() <= max_text, "{}: larger than {} MB", path.string(), max_text >> 20);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

}  // namespace

void write_package(const ir::Module& module, const fs::path& folder) {
  for (const auto& [name, graph] : module.graphs)
    require<UsageError>(is_plain_name(name), "graph '{}' has a name that no file can have", name);
  const auto broken = all_defects(module);
  require<InternalError>(broken.empty(), "the package would be broken: {}", fmt::join(broken, "; "));
  Json graphs = Json::array();
  fs::create_directories(folder / "graphs");
  for (const auto& [name, graph] : module.graphs) {
    write_file(folder / "graphs" / (name + ".gir"), ir::print(graph));
    graphs.push_back(name);
  }
  write_weights(module, folder / "weights.safetensors");
  const Json description{{"godwit", package_version}, {"graphs", graphs}, {"metadata", module.metadata}};
  write_file(folder / "model.json", description.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void write_golden(const fs::path& folder, const std::map<std::string, Tensor>& tensors,
                  const std::map<std::string, std::string>& metadata) {
  formats::write_safetensors(folder / golden_name, tensors, metadata);
}

void check_replaceable(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  require<UsageError>(fs::is_directory(folder, error), "cannot write {}: it is a file", folder.string());
  require<UsageError>(is_package(folder) || fs::is_empty(folder, error),
                      "{} holds something else than a package and is not replaced", folder.string());
}

bool is_package(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / "model.json", error) && fs::is_directory(path / "graphs", error);
}

ir::Module assemble_package(const std::string& description,
                            const std::function<std::string(const std::string&)>& graph_text,
                            std::map<std::string, Tensor> weights, const std::string& name) {
  const std::string what = name + "/model.json";
  const Json json = parse_json(description, what);
  const int64_t version = json_int(json_member(json, "godwit", what), what);
  require<FileError>(version == package_version, "{}: package version {}, this build reads {}", what, version,
                     package_version);
  ir::Module module;
  module.weights = std::move(weights);
  const Json &metadata = json_member(json, "metadata", what), &graphs = json_member(json, "graphs", what);
  require<FileError>(metadata.is_null() || metadata.is_object(), "{}: the metadata is no object", what);
  for (const auto& [key, value] : metadata.items()) module.metadata[key] = json_text(value, what);
  require<FileError>(graphs.is_array() && !graphs.empty(), "{}: no graphs", what);
  for (const Json& entry : graphs) {
    const std::string& graph = json_text(entry, what);
    require<FileError>(is_plain_name(graph), "{}: '{}' is no graph name", what, graph);
    try {
      module.graphs.emplace(graph, ir::parse_graph(graph_text(graph)));
    } catch (const Error& e) {
      raise<FileError>("{}/graphs/{}.gir: {}", name, graph, e.what());
    }
  }
  const auto broken = all_defects(module);
  require<FileError>(broken.empty(), "{}: {}", name, fmt::join(broken, "; "));
  return module;
}

ir::Module read_package(const fs::path& folder) {
  require<FileError>(is_package(folder), "{} is no package: it has no model.json and graphs/", folder.string());
  return assemble_package(
      read_text(folder / "model.json"),
      [&](const std::string& graph) { return read_text(folder / "graphs" / (graph + ".gir")); },
      formats::read_safetensors(folder / "weights.safetensors").tensors, folder.string());
}

}  // namespace godwit::emit

#include "emit/package.h"

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/progress.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/infer.h"

namespace godwit::emit {
namespace {

namespace fs = std::filesystem;

constexpr int package_version = 1;

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  require<UsageError>(!out.fail(), "{} cannot be written", path.string());
}

std::string read_text(const fs::path& path) {
  auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

// A file name in the package: no path, so that a package cannot read outside of itself.
const std::string& plain_name(const std::string& name, const fs::path& folder) {
  const bool plain = !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
  require<FileError>(plain, "{}: '{}' is no graph name", folder.string(), name);
  return name;
}

void check_weights(const ir::Module& module, const ir::Graph& graph, const fs::path& folder) {
  for (const auto& [name, value] : graph.weights) {
    auto found = module.weights.find(name);
    require<FileError>(found != module.weights.end(), "{}: weight {} is missing", folder.string(), name);
    const Tensor& t = found->second;
    require<FileError>(t.dtype == value->dtype() && ir::dims(t.shape) == value->shape(), "{}: weight {} is {}, the graph expects {}",
                       folder.string(), name, describe(t), ir::str(value->type));
  }
}

}  // namespace

void write_package(const ir::Module& module, const fs::path& folder) {
  uint64_t total = 0;
  for (const auto& [name, tensor] : module.weights) total += tensor.nbytes();
  Json graphs = Json::array();
  fs::create_directories(folder / "graphs");
  for (const auto& [name, graph] : module.graphs) {
    write_text(folder / "graphs" / (plain_name(name, folder) + ".gir"), ir::print(graph));
    graphs.push_back(name);
  }
  Progress progress("write", total, "MB", 1000000);
  formats::write_safetensors(folder / "weights.safetensors", module.weights, {{"format", "godwit"}},
                             [&](uint64_t bytes) { progress.add(bytes); });
  write_text(folder / "model.json",
             Json{{"godwit", package_version}, {"graphs", graphs}, {"metadata", module.metadata}}.dump(2) + "\n");
}

void write_golden(const fs::path& folder, const std::map<std::string, Tensor>& tensors) {
  formats::write_safetensors(folder / golden_name, tensors);
}

bool is_package(const fs::path& path) { return fs::exists(path / "model.json") && fs::is_directory(path / "graphs"); }

ir::Module read_package(const fs::path& folder) {
  require<FileError>(is_package(folder), "{} is no package: it has no model.json and graphs/", folder.string());
  const std::string what = (folder / "model.json").string();
  const Json json = parse_json(read_text(folder / "model.json"), what);
  const int64_t version = json_int(json_member(json, "godwit", what), what);
  require<FileError>(version == package_version, "{}: package version {}, this build reads {}", what, version, package_version);
  ir::Module module;
  for (auto& [name, tensor] : formats::read_safetensors(folder / "weights.safetensors").tensors) module.weights.emplace(name, tensor);
  for (const auto& [key, value] : json_member(json, "metadata", what).items()) module.metadata[key] = json_text(value, what);
  for (const Json& entry : json_member(json, "graphs", what)) {
    const std::string& name = plain_name(json_text(entry, what), folder);
    ir::Graph graph = ir::parse_graph(read_text(folder / "graphs" / (name + ".gir")));
    ir::verify(graph, (folder / "graphs" / (name + ".gir")).string());
    check_weights(module, graph, folder);
    module.graphs.emplace(name, std::move(graph));
  }
  return module;
}

}  // namespace godwit::emit

#include "frontends/frontend.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/zip.h"
#include "formats/safetensors.h"
#include "ops/builder.h"

namespace godwit::frontends {

Imported import_model(const std::filesystem::path& path, const ImportOptions& options) {
  require<FileError>(std::filesystem::exists(path), "{}: no such file", path.string());
  auto file = MappedFile::open(path);
  require<FileError>(ZipArchive::looks_like_zip(file->bytes()), "{}: not a .pt2 archive", path.string());
  return import_pt2(path, options);
}

std::optional<BareTensors> tensors_of(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path) || !formats::looks_like_safetensors(MappedFile::open(path)->bytes())) return std::nullopt;
  return BareTensors{"safetensors", formats::read_safetensors(path).tensors};
}

std::vector<UnsupportedOp> unsupported_ops(const ir::Module& module) {
  constexpr size_t places_shown = 3;
  std::map<std::string, UnsupportedOp> found;
  for (const auto& [name, graph] : module.graphs)
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      if (!node.op.starts_with(ops::unsupported_prefix)) return;
      UnsupportedOp& op = found[node.op.substr(ops::unsupported_prefix.size())];
      ++op.count;
      if (op.places.size() < places_shown) op.places.push_back(node.place);
    });
  std::vector<UnsupportedOp> out;
  for (auto& [name, op] : found) {
    op.name = name;
    out.push_back(std::move(op));
  }
  return out;
}

}  // namespace godwit::frontends

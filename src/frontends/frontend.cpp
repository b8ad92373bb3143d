#include "frontends/frontend.h"

#include "base/error.h"
#include "base/naming.h"
#include "formats/detect.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "formats/torch_zip.h"
#include "ops/builder.h"

namespace godwit::frontends {
namespace {

constexpr size_t kPlacesShown = 5;

// Weights in the layout of transformers.
std::optional<BareTensors> folder_tensors(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::string name(formats::name(formats::Format::config_folder));
  for (const char* file : {"model.safetensors", "model.safetensors.index.json"})
    if (std::filesystem::exists(path / file, ignored))
      return BareTensors{name, formats::read_safetensors(path / file).tensors};
  const auto pickled = path / "pytorch_model.bin";
  if (std::filesystem::exists(pickled, ignored))
    return BareTensors{name, formats::read_torch_checkpoint(pickled).tensors};
  return std::nullopt;
}

}  // namespace

namespace {

Imported import_format(formats::Format format, const std::filesystem::path& path, const ImportOptions& options) {
  using formats::Format;
  switch (format) {
    case Format::onnx: return import_onnx(path, options);
    case Format::torchscript: return import_torchscript(path, options);
    case Format::pt2: return import_pt2(path, options);
    case Format::torch_zip:
    case Format::torch_legacy:
    case Format::safetensors:
    case Format::sharded_folder:
      raise<FileError>(
          "{0} is a {1} file: it holds weights but no graph. What is missing is the code of the model. If a Python "
          "file has "
          "it: godwit convert FILE.py --model-class NAME --weights {0} --input x=SHAPE -o PACKAGE. If it is a "
          "transformers checkpoint: put its config.json beside it and convert the folder. Else, in Python: "
          "torch.export.save(torch.export.export(model, args), \"model.pt2\"), and convert model.pt2",
          path.string(), formats::name(format));
    case Format::config_folder:
      raise<FileError>(
          "{} is a model folder, which has no graph: godwit convert {} -o PACKAGE exports it, with Python, torch and "
          "transformers",
          path.string(), path.string());
    case Format::package_folder:
      raise<FileError>("{} is a package already: there is nothing to convert", path.string());
    case Format::gguf:
    case Format::npy:
    case Format::npz: raise<FileError>("{} is a {} file: it holds no graph", path.string(), formats::name(format));
    case Format::unknown: break;
  }
  require<FileError>(path.extension() != ".py",
                     "{0} is Python code: godwit convert {0} --model-class NAME -o PACKAGE exports it, with torch",
                     path.string());
  std::error_code ignored;
  require<FileError>(!std::filesystem::is_directory(path, ignored),
                     "{} is a folder without a package (model.json), a config.json or sharded weights", path.string());
  require<FileError>(std::filesystem::file_size(path, ignored) != 0, "{} is empty", path.string());
  raise<FileError>("{} is none of onnx, torchscript, pt2, torch state dict, safetensors, gguf, npy, npz",
                   path.string());
}

}  // namespace

Imported import_model(const std::filesystem::path& path, const ImportOptions& options) {
  return naming(path, [&] { return import_format(formats::detect(path), path, options); });
}

std::optional<BareTensors> tensors_of(const std::filesystem::path& path) {
  using formats::Format;
  return naming(path, [&]() -> std::optional<BareTensors> {
    const Format format = formats::detect(path);
    const std::string name(formats::name(format));
    switch (format) {
      case Format::safetensors:
      case Format::sharded_folder: return BareTensors{name, formats::read_safetensors(path).tensors};
      case Format::torch_zip:
      case Format::torch_legacy: return BareTensors{name, formats::read_torch_checkpoint(path).tensors};
      case Format::npy: return BareTensors{name, {{path.stem().string(), formats::read_npy(path)}}};
      case Format::config_folder: return folder_tensors(path);
      case Format::npz: return BareTensors{name, formats::read_npz(path)};
      default: return std::nullopt;
    }
  });
}

std::vector<UnsupportedOp> unsupported_ops(const ir::Module& module) {
  std::map<std::string, UnsupportedOp> found;
  for (const auto& [name, graph] : module.graphs)
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      if (!node.op.starts_with(ops::unsupported_prefix)) return;
      if (node.op == kBlockedOp) return;
      UnsupportedOp& op = found[node.op];
      op.name = node.op.substr(ops::unsupported_prefix.size());
      ++op.count;
      if (op.places.size() < kPlacesShown && !node.place.empty()) op.places.push_back(node.place);
    });
  std::vector<UnsupportedOp> out;
  for (auto& [name, op] : found) out.push_back(std::move(op));
  return out;
}

}  // namespace godwit::frontends

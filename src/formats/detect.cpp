#include "formats/detect.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/zip.h"
#include "formats/onnx/onnx.h"
#include "formats/torch_zip.h"
#include "formats/torchscript/archive.h"

namespace godwit::formats {
namespace {

using Bytes = std::span<const std::byte>;

bool starts_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

Format detect_zip(const ZipArchive& zip) {
  const std::string root = zip.root() + "/";
  const bool is_pt2 = zip.find(root + "archive_format") || zip.find("archive_format") ||
                      zip.find(root + "models/model.json") || zip.find("serialized_exported_program.json");
  if (is_pt2) return Format::pt2;
  if (torchscript::Archive::is_torchscript(zip)) return Format::torchscript;
  if (zip.find(root + "data.pkl")) return Format::torch_zip;
  const auto& entries = zip.entries();
  const bool arrays = !entries.empty() && std::all_of(entries.begin(), entries.end(),
                                                      [](const auto& e) { return e.name.ends_with(".npy"); });
  return arrays ? Format::npz : Format::unknown;
}

// 8 bytes of header length, then JSON.
bool is_safetensors(Bytes bytes) {
  if (bytes.size() < 10) return false;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return length >= 2 && length <= bytes.size() - 8 && static_cast<char>(bytes[8]) == '{';
}

Format detect_folder(const std::filesystem::path& path) {
  if (std::filesystem::is_regular_file(path / "model.json")) return Format::package_folder;
  if (std::filesystem::is_regular_file(path / "config.json")) return Format::config_folder;
  for (const auto& item : std::filesystem::directory_iterator(path))
    if (item.path().filename().string().ends_with(".index.json")) return Format::sharded_folder;
  return Format::unknown;
}

}  // namespace

std::string_view name(Format format) {
  switch (format) {
    case Format::unknown: return "unknown";
    case Format::onnx: return "onnx";
    case Format::torchscript: return "torchscript";
    case Format::pt2: return "pt2";
    case Format::torch_zip: return "torch state dict";
    case Format::torch_legacy: return "torch state dict (legacy layout)";
    case Format::safetensors: return "safetensors";
    case Format::gguf: return "gguf";
    case Format::npy: return "npy";
    case Format::npz: return "npz";
    case Format::config_folder: return "model folder";
    case Format::package_folder: return "package";
    case Format::sharded_folder: return "folder of sharded weights";
  }
  return "unknown";
}

Format detect(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return detect_folder(path);
  const auto file = MappedFile::open(path);
  const Bytes bytes = file->bytes();
  if (ZipArchive::looks_like_zip(bytes)) return detect_zip(ZipArchive::of(bytes, file, path.string()));
  if (starts_with(bytes, "GGUF")) return Format::gguf;
  if (starts_with(bytes, "\x93NUMPY")) return Format::npy;
  if (looks_like_torch_legacy(bytes)) return Format::torch_legacy;
  if (is_safetensors(bytes)) return Format::safetensors;
  if (onnx::looks_like_onnx(bytes)) return Format::onnx;
  return Format::unknown;
}

}  // namespace godwit::formats

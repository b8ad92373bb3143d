#include "parity/tensor_file.h"

#include <charconv>

#include "base/error.h"
#include "formats/safetensors.h"

namespace godwit::parity {

constexpr int64_t kMostSteps = 1'000'000;

TensorFile load_tensors(const std::filesystem::path& path) {
  formats::Safetensors file = formats::read_safetensors(path);
  return {std::move(file.tensors), std::move(file.metadata)};
}

void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  formats::write_safetensors(path, file.tensors, file.metadata);
}

Golden load_golden(const std::filesystem::path& path) {
  TensorFile file = load_tensors(path);
  int64_t steps = 0;
  if (auto found = file.metadata.find("steps"); found != file.metadata.end()) {
    const std::string& text = found->second;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
    require<FileError>(error == std::errc() && end == text.data() + text.size() && steps >= 0,
                       "{}: '{}' is no number of steps", path.string(), text);
  }
  Golden golden = golden_of(file.tensors, steps, path.string());
  auto& said = file.metadata;
  golden.reference = said.contains("name") ? said["name"] + " " + said["version"] : said["reference"];
  return golden;
}

}  // namespace godwit::parity

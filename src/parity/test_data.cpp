#include "parity/test_data.h"

#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "formats/onnx/onnx.h"

namespace godwit::parity {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 10'000;  // of one data set

// In the order of their numbers.
std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<std::pair<int64_t, fs::path>> found;
  std::error_code ignored;
  const std::string prefix = "test_data_set_";
  for (const auto& item : fs::directory_iterator(folder, ignored)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with(prefix) && item.is_directory(ignored))
      found.emplace_back(std::atoll(name.c_str() + prefix.size()), item.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> out;
  for (auto& [number, path] : found) out.push_back(std::move(path));
  return out;
}

bool is_data_set(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "output_0.pb", ignored);
}

struct Entry {
  std::string name;
  Tensor tensor;
  fs::path path;
};

std::vector<Entry> read_side(const fs::path& folder, const char* side) {
  std::vector<Entry> out;
  for (size_t i = 0; i < kMostFiles; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", side, i);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) break;
    const auto file = MappedFile::open(path);
    try {
      onnx::NamedTensor read = onnx::read_tensor(file->bytes());
      require<FileError>(read.tensor.dtype != DType::text, "strings are not supported");
      read.tensor = read.tensor.contiguous();
      out.push_back({read.name, Tensor::of_bytes(read.tensor.dtype, read.tensor.shape, read.tensor.bytes()), path});
    } catch (const Error& e) {
      raise<FileError>("{}: not a tensor: {}", path.string(), e.what());
    }
  }
  return out;
}

// `places` are the graph's names in order; tensors may also carry the name of a constant.
Tensors named(std::vector<Entry> entries, const std::vector<std::string>& places, const Tensors& constants,
              const fs::path& folder) {
  const bool unnamed = std::any_of(entries.begin(), entries.end(), [&](const Entry& e) {
    return std::find(places.begin(), places.end(), e.name) == places.end() && !constants.contains(e.name);
  });
  std::vector<std::string> carried;
  for (const Entry& e : entries) carried.push_back(e.name.empty() ? "(no name)" : e.name);
  require<FileError>(!unnamed || entries.size() == places.size(), "{}: it holds {}, but the graph has {}",
                     folder.string(), fmt::join(carried, ", "), fmt::join(places, ", "));
  Tensors out;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string& name = unnamed ? places[i] : entries[i].name;
    require<FileError>(out.emplace(name, std::move(entries[i].tensor)).second, "{}: a second tensor called {}",
                       entries[i].path.string(), name);
  }
  return out;
}

bool same_value(const Tensor& a, const Tensor& b) {
  if (a.size() != b.size()) return false;
  for (int64_t i = 0; i < a.size(); ++i)
    if (a.number(i) != b.number(i)) return false;
  return true;
}

Golden read_data_set(const fs::path& folder, const ir::Graph& graph, const Tensors& constants) {
  std::vector<std::string> inputs;
  for (const ir::Value* v : graph.inputs) {
    require<FileError>(!v->type.sequence, "{}: input {} is a list, which a golden cannot hold", folder.string(),
                       v->name);
    inputs.push_back(v->name);
  }
  Golden golden;
  golden.name = folder.filename().string();
  golden.reference = "ONNX test data";
  golden.is_recorded = true;
  golden.inputs = named(read_side(folder, "input"), inputs, constants, folder);
  golden.outputs = named(read_side(folder, "output"), graph.output_names, {}, folder);
  for (const auto& [name, value] : constants) {
    auto given = golden.inputs.find(name);
    if (given == golden.inputs.end()) continue;
    require<FileError>(same_value(given->second, value), "{}: input {} has another value than at conversion",
                       folder.string(), name);
    golden.inputs.erase(given);
  }
  return golden;
}

}  // namespace

bool is_test_data(const fs::path& folder) { return is_data_set(folder) || !data_sets(folder).empty(); }

std::vector<Golden> load_test_data(const fs::path& folder, const ir::Graph& graph, const Tensors& constants) {
  if (is_data_set(folder))
    return {read_data_set(folder.has_filename() ? folder : folder.parent_path(), graph, constants)};
  std::vector<Golden> out;
  for (const fs::path& set : data_sets(folder)) out.push_back(read_data_set(set, graph, constants));
  require<FileError>(!out.empty(), "{}: neither a data set (output_0.pb) nor a folder of test_data_set_K",
                     folder.string());
  return out;
}

}  // namespace godwit::parity

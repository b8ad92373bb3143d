#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace godwit::formats {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t max_header = 100'000'000;
constexpr const char* dtypes_entry = "godwit.dtypes";

std::optional<DType> dtype_of(std::string_view name) {
  static const std::map<std::string_view, DType> names = {
      {"BOOL", DType::boolean},   {"U8", DType::u8},         {"I8", DType::i8},
      {"U16", DType::u16},        {"I16", DType::i16},       {"U32", DType::u32},
      {"I32", DType::i32},        {"U64", DType::u64},       {"I64", DType::i64},
      {"F16", DType::f16},        {"BF16", DType::bf16},     {"F32", DType::f32},
      {"F64", DType::f64},        {"C64", DType::c64},       {"F8_E4M3", DType::f8e4m3fn},
      {"F8_E5M2", DType::f8e5m2}, {"F8_E8M0", DType::f8e8m0}};
  auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

struct Range {
  uint64_t begin, end;
  const std::string* name;
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name)
      : bytes_(bytes), owner_(std::move(owner)), file_(name) {}

  Safetensors run() {
    require<FileError>(bytes_.size() >= 8, "{}: no safetensors file, it has {} bytes", file_, bytes_.size());
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint64_t>(bytes_[static_cast<size_t>(i)]);
    require<FileError>(length <= max_header, "{}: no safetensors file, or a header above 100 MB", file_);
    require<FileError>(length <= bytes_.size() - 8, "{}: the header has {} bytes, the file {}", file_, length,
                       bytes_.size());
    const Json header = parse_json({reinterpret_cast<const char*>(bytes_.data()) + 8, length}, file_);
    require<FileError>(header.is_object(), "{}: the header is no object", file_);
    data_ = bytes_.subspan(8 + length);
    Safetensors out;
    std::vector<Range> ranges;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        metadata(entry, out);
      } else {
        auto [added, is_new] = out.tensors.emplace(name, tensor(name, entry, ranges));
        ranges.back().name = &added->first;
      }
    }
    check_overlap(ranges);
    restore_dtypes(out);
    return out;
  }

 private:
  void metadata(const Json& entry, Safetensors& out) const {
    require<FileError>(entry.is_object(), "{}: the metadata is no object", file_);
    for (const auto& [key, value] : entry.items()) out.metadata[key] = json_text(value, file_ + ": metadata " + key);
  }

  Tensor tensor(const std::string& name, const Json& entry, std::vector<Range>& ranges) const {
    const std::string what = file_ + ": tensor " + name;
    const std::string& type = json_text(json_member(entry, "dtype", what), what);
    auto dtype = dtype_of(type);
    require<FileError>(dtype.has_value(), "{}: the type {} is not supported", what, type);
    Tensor t;
    t.dtype = *dtype;
    const Json& shape = json_member(entry, "shape", what);
    require<FileError>(shape.is_array() && shape.size() <= 64, "{}: the shape is no list of at most 64", what);
    for (const Json& d : shape) t.shape.push_back(json_int(d, what));
    const uint64_t size = static_cast<uint64_t>(checked_size(t.shape)) * item_size(t.dtype);
    const Json& offsets = json_member(entry, "data_offsets", what);
    require<FileError>(offsets.is_array() && offsets.size() == 2, "{}: data_offsets are no pair", what);
    const int64_t begin = json_int(offsets[0], what), end = json_int(offsets[1], what);
    require<FileError>(begin >= 0 && begin <= end && static_cast<uint64_t>(end) <= data_.size(),
                       "{}: offsets {} to {} leave the data of {} bytes", what, begin, end, data_.size());
    require<FileError>(static_cast<uint64_t>(end - begin) == size, "{}: {} bytes lie in the file, {} takes {}", what,
                       end - begin, describe(t), size);
    ranges.push_back({static_cast<uint64_t>(begin), static_cast<uint64_t>(end), nullptr});
    auto part = data_.subspan(static_cast<size_t>(begin), size);
    // A file whose header is not padded: reading its elements in place would be undefined.
    if (reinterpret_cast<uintptr_t>(part.data()) % std::min<size_t>(item_size(t.dtype), 8) != 0)
      return Tensor::of_bytes(t.dtype, t.shape, part);
    t.data = part.data();
    t.owner = owner_;
    return t;
  }

  void check_overlap(std::vector<Range>& ranges) const {
    std::erase_if(ranges, [](const Range& r) { return r.begin == r.end; });
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < ranges.size(); ++i)
      require<FileError>(ranges[i - 1].end <= ranges[i].begin, "{}: tensors {} and {} overlap", file_,
                         *ranges[i - 1].name, *ranges[i].name);
  }

  void restore_dtypes(Safetensors& out) const {
    auto entry = out.metadata.find(dtypes_entry);
    if (entry == out.metadata.end()) return;
    const std::string what = file_ + ": metadata " + dtypes_entry;
    const Json types = parse_json(entry->second, what, 2);
    require<FileError>(types.is_object(), "{} is no object", what);
    for (const auto& [name, type] : types.items()) {
      auto tensor = out.tensors.find(name);
      auto dtype = parse_dtype(json_text(type, what));
      require<FileError>(
          tensor != out.tensors.end() && dtype && item_size(*dtype) == 1 && tensor->second.dtype == DType::u8,
          "{}: {} does not fit", what, name);
      tensor->second.dtype = *dtype;
    }
    out.metadata.erase(entry);
  }

  std::span<const std::byte> bytes_, data_;
  std::shared_ptr<const void> owner_;
  const std::string& file_;
};

Safetensors read_file(const fs::path& path) {
  auto file = MappedFile::open(path);
  return parse_safetensors(file->bytes(), file, path.string());
}

Safetensors read_shards(const fs::path& index) {
  auto file = MappedFile::open(index);
  const std::string what = index.string();
  require<FileError>(file->bytes().size() <= max_header, "{}: an index above 100 MB", what);
  const Json json = parse_json({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, what);
  const Json& map = json_member(json, "weight_map", what);
  require<FileError>(map.is_object(), "{}: the weight_map is no object", what);
  std::map<std::string, Safetensors> shards;
  Safetensors out;
  for (const auto& [name, where] : map.items()) {
    const std::string& shard = json_text(where, what);
    require<FileError>(
        !shard.empty() && shard.find('/') == shard.npos && shard.find('\\') == shard.npos && shard != "..",
        "{}: '{}' is no name of a file beside it", what, shard);
    auto found = shards.find(shard);
    if (found == shards.end()) found = shards.emplace(shard, read_file(index.parent_path() / shard)).first;
    auto tensor = found->second.tensors.find(name);
    require<FileError>(tensor != found->second.tensors.end(), "{}: tensor {} is not in {}", what, name, shard);
    out.tensors.emplace(name, std::move(tensor->second));
    found->second.tensors.erase(tensor);
  }
  for (const auto& [shard, content] : shards) {
    out.metadata.insert(content.metadata.begin(), content.metadata.end());
    for (const auto& [name, t] : content.tensors)
      require<FileError>(!out.tensors.contains(name), "{}: tensor {} lies in two shards", what, name);
  }
  return out;
}

// The one file of a folder that stands for all.
fs::path entry_of(const fs::path& folder) {
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"})
    if (fs::exists(folder / name)) return folder / name;
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors.index.json")) return entry.path();
    if (name.ends_with(".safetensors")) found.push_back(entry.path());
  }
  require<FileError>(found.size() == 1, "{}: {} .safetensors files and no index", folder.string(), found.size());
  return found[0];
}

}  // namespace

Safetensors parse_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                              const std::string& name) {
  return Reader(bytes, std::move(owner), name).run();
}

Safetensors read_safetensors(const fs::path& path) {
  const fs::path entry = fs::is_directory(path) ? entry_of(path) : path;
  return entry.extension() == ".json" ? read_shards(entry) : read_file(entry);
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < 10) return false;
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint64_t>(bytes[static_cast<size_t>(i)]);
  return length >= 2 && length <= max_header && length <= bytes.size() - 8 && bytes[8] == std::byte{'{'};
}

}  // namespace godwit::formats

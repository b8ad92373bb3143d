// The container: records, weight configurations, raw payloads.
#include <algorithm>

#include "base/zip.h"
#include "formats/pt2/json.h"
#include "formats/pt2/pt2.h"

namespace godwit::formats::pt2 {
TensorMeta read_tensor_meta(const Place& at);

namespace {

constexpr uint64_t max_json = uint64_t{1} << 29;

// The tensor that a payload holds: sizes, strides and offset (in elements) inside a storage of any larger size.
// Fills `reason` instead where it cannot be.
std::optional<Tensor> tensor_in(const ZipArchive::Bytes& bytes, const TensorMeta& meta, std::string& reason) {
  if (!meta.dtype) {
    reason = fmt::format("dtype code {} is not supported", meta.dtype_code);
    return std::nullopt;
  }
  Tensor t;
  t.dtype = *meta.dtype;
  const bool known =
      std::all_of(meta.sizes.begin(), meta.sizes.end(), [](const SymInt& s) { return s.expression.empty(); }) &&
      std::all_of(meta.strides.begin(), meta.strides.end(), [](const SymInt& s) { return s.expression.empty(); }) &&
      meta.storage_offset.expression.empty() && meta.sizes.size() == meta.strides.size() && meta.layout == 7;
  if (!known) {
    reason = "the payload's description is not a plain strided tensor";
    return std::nullopt;
  }
  for (const SymInt& s : meta.sizes) t.shape.push_back(s.value);
  for (const SymInt& s : meta.strides) t.strides.push_back(s.value);
  const int64_t count = checked_size(t.shape);
  const int64_t item = static_cast<int64_t>(item_size(t.dtype));
  // The last element, with care for overflow.
  __int128 last = meta.storage_offset.value;
  bool bad = meta.storage_offset.value < 0;
  for (size_t i = 0; i < t.shape.size(); ++i) {
    bad = bad || t.strides[i] < 0;
    last += static_cast<__int128>(t.strides[i]) * (t.shape[i] - 1);
    bad = bad || last > (int64_t{1} << 60);
  }
  if (count > 0 && (bad || (last + 1) * item > static_cast<__int128>(bytes.data.size()))) {
    reason = fmt::format("the payload has {} bytes, the tensor {} needs more", bytes.data.size(), describe(t));
    return std::nullopt;
  }
  // An expanded tensor may be far larger than its payload: what it takes when it is copied out is bounded.
  if (count > 0 && static_cast<__int128>(count) * item > static_cast<__int128>(bytes.data.size()) * 4096 + (1 << 20)) {
    reason =
        fmt::format("the payload has {} bytes, the tensor {} repeats them too often", bytes.data.size(), describe(t));
    return std::nullopt;
  }
  t.owner = bytes.owner;
  t.data = bytes.data.data() + (count > 0 ? meta.storage_offset.value * item : 0);
  if (t.is_contiguous()) t.strides.clear();
  return t;
}

class Loader {
 public:
  Loader(const ZipArchive& zip, Archive& out) : zip_(zip), root_(zip.root()), out_(out) {}

  void run() {
    check_container();
    std::vector<std::string> names = program_names();
    if (names.empty()) raise<FileError>("{}: the archive holds no program (models/*.json)", zip_.name());
    for (const std::string& name : names) {
      const std::string entry = root_ + "/models/" + name + ".json";
      out_.programs.push_back(parse_program(zip_.read(entry, max_json).text(), name, where(entry)));
      payloads("weights", name, out_.weights);
      payloads("constants", name, out_.constants);
    }
  }

 private:
  std::string where(const std::string& entry) const { return zip_.name() + ": " + entry; }

  std::string small_text(const std::string& entry) const {
    std::string text(zip_.read(root_ + "/" + entry, 1024).text());
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }

  void check_container() const {
    require<FileError>(zip_.find(root_ + "/archive_format") && small_text("archive_format") == "pt2",
                       "{}: not a torch.export archive (no archive_format 'pt2')", zip_.name());
    if (zip_.find(root_ + "/archive_version")) {
      std::string version = small_text("archive_version");
      require<FileError>(version == "0", "{}: archive version {} is not supported", zip_.name(), version);
    }
    if (zip_.find(root_ + "/byteorder")) {
      std::string order = small_text("byteorder");
      require<FileError>(order == "little", "{}: byte order '{}' is not supported", zip_.name(), order);
    }
  }

  std::vector<std::string> program_names() const {
    const std::string prefix = root_ + "/models/";
    std::vector<std::string> names;
    for (const auto& entry : zip_.entries())
      if (entry.name.starts_with(prefix) && entry.name.ends_with(".json"))
        names.push_back(entry.name.substr(prefix.size(), entry.name.size() - prefix.size() - 5));
    return names;
  }

  void payloads(const std::string& folder, const std::string& program, std::map<std::string, Tensor>& out) {
    const std::string base = root_ + "/data/" + folder + "/";
    const std::string entry = base + program + "_" + folder + "_config.json";
    if (!zip_.find(entry)) {
      require<FileError>(!zip_.find(base + program + ".pt"),
                         "{}: {} are pickled (written by an older PyTorch); save the program again with a newer one",
                         zip_.name(), folder);
      return;
    }
    const std::string place = where(entry);
    const Json json = parse_json(zip_.read(entry, max_json).text(), place, max_json_depth);
    Place root(json, place);
    Place config = root["config"];
    for (const auto& [name, value] : config.object()) payload(Place(value, config, name), base, name, out);
  }

  void payload(const Place& at, const std::string& folder, const std::string& name,
               std::map<std::string, Tensor>& out) {
    // Two programs of one archive may name the same weight.
    if (out.count(name)) return;
    if (!at["use_pickle"].is_null() && at["use_pickle"].flag()) {
      out_.unreadable[name] = "the payload is a pickled object";
      return;
    }
    if (at["tensor_meta"].is_null()) {
      out_.unreadable[name] = "the payload is no tensor";
      return;
    }
    const std::string entry = folder + at["path_name"].text();
    if (!zip_.find(entry)) at.fail("the archive has no entry {}", entry);
    std::string reason;
    auto tensor = tensor_in(zip_.read(entry), read_tensor_meta(at["tensor_meta"]), reason);
    if (tensor)
      out.emplace(name, std::move(*tensor));
    else
      out_.unreadable[name] = reason;
  }

  const ZipArchive& zip_;
  std::string root_;
  Archive& out_;
};

}  // namespace

Archive read(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  return read(file->bytes(), file, path.string());
}

Archive read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name) {
  ZipArchive zip = ZipArchive::of(bytes, std::move(owner), name);
  Archive out;
  out.file = name;
  Loader(zip, out).run();
  return out;
}

bool looks_like_pt2(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  if (!ZipArchive::looks_like_zip(file->bytes())) return false;
  try {
    ZipArchive zip = ZipArchive::of(file->bytes(), file, path.string());
    return zip.find(zip.root() + "/archive_format") &&
           zip.read(zip.root() + "/archive_format", 1024).text().starts_with("pt2");
  } catch (const FileError&) {
    return false;
  }
}

}  // namespace godwit::formats::pt2

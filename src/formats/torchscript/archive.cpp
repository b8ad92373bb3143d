#include "formats/torchscript/archive.h"

#include <charconv>

#include "base/error.h"
#include "formats/torchscript/lexer.h"
#include "formats/torchscript/parser.h"

namespace godwit::formats::torchscript {
namespace {

using pickle::Node;
using Kind = Node::Kind;

constexpr int kMaxVersion = 10;
constexpr uint64_t kMaxText = uint64_t{64} << 20;

bool is_allowed(std::string_view name) {
  // Classes of the archive's own program are only names here.
  return name.starts_with("__torch__.") || name.starts_with("__torch__ ") || name.starts_with("torch.jit._pickle ") ||
         is_tensor_global(name);
}

// File names and lines of debug_pkl; anything unexpected is skipped, the data only serve messages.
std::string source_place(const Node& source, int64_t start, const std::vector<Node*>& strings) {
  if (!source.is(Kind::tuple) || source.items.size() < 3) return "";
  const Node* pieces = source.items[0];  // a list, or the call that gives it its type
  if (pieces->is(Kind::call) && !pieces->args->items.empty()) pieces = pieces->args->items[0];
  auto text_at = [&](const Node* index) -> const std::string* {
    const bool is_index = index->is(Kind::integer) && index->integer >= 0 &&
                          static_cast<size_t>(index->integer) < strings.size() &&
                          strings[static_cast<size_t>(index->integer)]->is(Kind::text);
    return is_index ? &strings[static_cast<size_t>(index->integer)]->text : nullptr;
  };
  const std::string* file = text_at(source.items[1]);
  if (!file || file->empty() || !source.items[2]->is(Kind::integer)) return "";
  int64_t line = source.items[2]->integer, left = start;
  for (const Node* piece : pieces->items) {
    const std::string* text = text_at(piece);
    if (!text || left <= 0) break;
    for (size_t i = 0; i < text->size() && static_cast<int64_t>(i) < left; ++i) line += (*text)[i] == '\n';
    left -= static_cast<int64_t>(text->size());
  }
  return fmt::format("{}:{}", file->substr(file->find_last_of('/') + 1), line);
}

}  // namespace

bool Archive::is_torchscript(const ZipArchive& zip) {
  const std::string root = zip.root() + "/";
  if (zip.find(root + "constants.pkl")) return true;
  for (const auto& entry : zip.entries())
    if (entry.name.starts_with(root + "code/")) return true;
  return false;
}

std::shared_ptr<Archive> Archive::open(const std::filesystem::path& path) { return of(ZipArchive::open(path)); }

std::shared_ptr<Archive> Archive::of(ZipArchive zip) {
  std::shared_ptr<Archive> archive(new Archive(std::move(zip)));
  archive->root_ = archive->zip_.root();
  archive->check_version();
  archive->check_code();
  auto read = [&](const char* name) {
    return pickle::read(archive->zip_.read(archive->entry(name)).data, is_allowed,
                        fmt::format("{}:{}", archive->name(), name));
  };
  archive->data_ = read("data.pkl");
  archive->constants_ = read("constants.pkl");
  require<FileError>(archive->constants_.root->is(Kind::tuple), "{}: constants.pkl holds no tuple", archive->name());
  if (archive->zip_.find(archive->entry("traced_inputs.pkl"))) archive->traced_ = read("traced_inputs.pkl");
  return archive;
}

std::string Archive::entry(std::string_view path) const {
  return root_.empty() ? std::string(path) : fmt::format("{}/{}", root_, path);
}

void Archive::check_version() {
  std::string text;
  for (const char* place : {"version", ".data/version"})
    if (zip_.find(entry(place))) text = zip_.read(entry(place), 1 << 10).text();
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version_);
  require<FileError>(!text.empty() && error == std::errc() && end == text.data() + text.size(),
                     "{}: TorchScript archive without a proper version", name());
  require<FileError>(version_ >= 1 && version_ <= kMaxVersion, "{}: TorchScript version {} is not known (1 to {})",
                     name(), version_, kMaxVersion);
  if (zip_.find(entry("byteorder"))) {
    const auto order = zip_.read(entry("byteorder"), 1 << 10).text();
    require<FileError>(order.starts_with("little"), "{}: byte order \"{}\" is not supported", name(), order);
  }
}

void Archive::check_code() const {
  const bool has_code = !code_files().empty();
  require<FileError>(has_code || !zip_.find(entry("bytecode.pkl")),
                     "{}: a lite-interpreter file without program text (code/) is not supported: export it again with "
                     "torch.jit.save",
                     name());
  require<FileError>(has_code, "{}: TorchScript archive without program text (code/)", name());
}

TorchStorage Archive::storage(const std::string& folder, DType dtype, const std::string& key, int64_t count) const {
  TorchStorage storage;
  storage.dtype = dtype;
  storage.key = folder + "/" + key;
  const std::string path = entry(storage.key);
  require<FileError>(zip_.find(path) || count == 0, "{}: storage {} is missing", name(), storage.key);
  if (!zip_.find(path)) return storage;
  const auto bytes = zip_.read(path);
  storage.bytes = bytes.data;
  storage.owner = bytes.owner;
  return storage;
}

TorchTensor Archive::tensor(const Node& call, bool in_constants) const {
  const std::string folder = in_constants ? "constants" : "data";
  return read_tensor(
      call, [&](DType dtype, const std::string& key, int64_t count) { return storage(folder, dtype, key, count); },
      fmt::format("{}:{}.pkl", name(), folder));
}

std::vector<std::string> Archive::code_files() const {
  std::vector<std::string> out;
  const std::string prefix = entry("code/");
  for (const auto& e : zip_.entries())
    if (e.name.starts_with(prefix) && e.name.ends_with(".py")) out.push_back(e.name.substr(prefix.size()));
  return out;
}

std::string_view Archive::source(const std::string& path) const {
  auto [it, is_new] = sources_.try_emplace(path);
  if (is_new && zip_.find(entry("code/" + path))) it->second.push_back(zip_.read(entry("code/" + path), kMaxText));
  return it->second.empty() ? std::string_view() : it->second.front().text();
}

const File* Archive::file(const std::string& path) const {
  auto found = files_.find(path);
  if (found != files_.end()) return found->second.get();
  std::unique_ptr<File> parsed;
  if (zip_.find(entry("code/" + path))) {
    const auto text = source(path);
    require<FileError>(text.find("ops.prim.ConstantMKLDNNTensor") == text.npos,
                       "{}: made by torch.jit.optimize_for_inference, which does not save its weights: save the module "
                       "before that call",
                       name());
    parsed = std::make_unique<File>(parse(text, path));
  }
  return (files_[path] = std::move(parsed)).get();
}

std::optional<Definition> Archive::find(const std::string& qualified) const {
  const size_t dot = qualified.rfind('.');
  if (!qualified.starts_with("__torch__") || dot == qualified.npos || qualified.size() > 4096) return std::nullopt;
  std::string path = qualified.substr(0, dot);
  for (char& c : path)
    if (c == '.') c = '/';
  const File* f = file(path + ".py");
  if (!f) return std::nullopt;
  const std::string_view last = std::string_view(qualified).substr(dot + 1);
  for (const auto& item : f->items) {
    if (item.type && item.type->name == last) return Definition{f, item.type.get(), nullptr};
    if (item.function && item.function->name == last) return Definition{f, nullptr, item.function.get()};
  }
  return std::nullopt;
}

const Archive::Places& Archive::places(const std::string& path) const {
  auto [it, is_new] = places_.try_emplace(path);
  const std::string debug = entry("code/" + path + ".debug_pkl");
  if (!is_new || !zip_.find(debug)) return it->second;
  try {
    const auto tree = pickle::read(zip_.read(debug).data, is_allowed, debug);
    const auto& parts = tree.root->items;
    if (parts.size() < 3 || !parts[0]->is(Kind::text) || parts[0]->text != "FORMAT_WITH_STRING_TABLE")
      return it->second;
    for (const Node* range : parts[2]->items) {
      if (range->items.size() < 2 || !range->items[0]->is(Kind::integer)) continue;
      for (const Node* part : range->items) {
        if (!part->is(Kind::tuple) || part->items.size() < 2 || !part->items[1]->is(Kind::integer)) continue;
        auto place = source_place(*part->items[0], part->items[1]->integer, parts[1]->items);
        if (!place.empty()) it->second[static_cast<uint32_t>(range->items[0]->integer)] = place;
      }
    }
  } catch (const FileError&) {
    // Only messages suffer.
  }
  return it->second;
}

std::string Archive::place(const File& file, uint32_t offset) const {
  const Places& known = places(file.path);
  auto after = known.upper_bound(offset);
  if (after != known.begin()) return std::prev(after)->second;
  return fmt::format("{}:{}", file.path, line_of(source(file.path), offset));
}

}  // namespace godwit::formats::torchscript

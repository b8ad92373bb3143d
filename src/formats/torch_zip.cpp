#include "formats/torch_zip.h"

#include "base/error.h"
#include "formats/torch_state_dict.h"

namespace godwit::formats {

TorchCheckpoint read_torch_zip(const ZipArchive& zip) {
  const std::string root = zip.root().empty() ? "" : zip.root() + "/";
  if (zip.find(root + "byteorder")) {
    const auto order = zip.read(root + "byteorder", 1 << 10).text();
    require<FileError>(order.starts_with("little"), "{}: byte order \"{}\" is not supported", zip.name(), order);
  }
  require<FileError>(zip.find(root + "data.pkl"), "{}: no data.pkl: this zip is no torch file", zip.name());
  const std::string what = zip.name() + ":data.pkl";
  const auto tree = pickle::read(zip.read(root + "data.pkl").data, is_checkpoint_global, what);
  const FindStorage find = [&](DType dtype, const std::string& key, int64_t count) {
    TorchStorage storage{dtype, key, count, {}, nullptr};
    const std::string entry = root + "data/" + key;
    require<FileError>(zip.find(entry) || count == 0, "{}: storage data/{} is missing", zip.name(), key);
    if (!zip.find(entry)) return storage;
    const auto bytes = zip.read(entry, uint64_t{1} << 40);
    storage.bytes = bytes.data;
    storage.owner = bytes.owner;
    return storage;
  };
  return state_dict_of(*tree.root, find, what);
}

TorchCheckpoint read_torch_checkpoint(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (ZipArchive::looks_like_zip(file->bytes()))
    return read_torch_zip(ZipArchive::of(file->bytes(), file, path.string()));
  require<FileError>(looks_like_torch_legacy(file->bytes()),
                     "{}: no torch file: neither a zip nor the layout before torch 1.6", path.string());
  return read_torch_legacy(file->bytes(), file, path.string());
}

}  // namespace godwit::formats

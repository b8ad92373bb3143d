// A TorchScript archive: the pickled root object, constants, and the program text, parsed when asked for.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/zip.h"
#include "formats/pickle.h"
#include "formats/torch_tensors.h"
#include "formats/torchscript/ast.h"

namespace godwit::formats::torchscript {

struct Definition {
  const File* file = nullptr;
  const Class* type = nullptr;  // one of the two
  const Function* function = nullptr;
};

class Archive {
 public:
  // Throws FileError: no archive, a version above 10, big endian, no program text (lite files), MKLDNN constants.
  static std::shared_ptr<Archive> open(const std::filesystem::path& path);
  static std::shared_ptr<Archive> of(ZipArchive zip);
  // Whether a zip holds a TorchScript module.
  static bool is_torchscript(const ZipArchive& zip);

  const std::string& name() const { return zip_.name(); }
  int version() const { return version_; }
  const pickle::Node& root_object() const { return *data_.root; }
  const std::vector<pickle::Node*>& constants() const { return constants_.root->items; }
  // Example inputs of a traced module: ("forward": [tensors]), shapes only, their storages are empty. Null when absent.
  const pickle::Node* traced_inputs() const { return traced_ ? traced_->root : nullptr; }

  // The tensor of a pickled call from data.pkl or constants.pkl; keys of storages are unique within the archive.
  TorchTensor tensor(const pickle::Node& call, bool in_constants) const;

  // The class or function called "__torch__.a.b.C"; nullopt where the text has none. Throws FileError for bad text.
  std::optional<Definition> find(const std::string& qualified) const;
  // The parsed text of one entry below code/, "__torch__/a/b.py".
  const File* file(const std::string& path) const;
  std::vector<std::string> code_files() const;
  std::string_view source(const std::string& path) const;

  // "model.py:41": where the author wrote what stands at this byte; the serialized text's place without debug data.
  std::string place(const File& file, uint32_t offset) const;

 private:
  using Places = std::map<uint32_t, std::string>;
  explicit Archive(ZipArchive zip) : zip_(std::move(zip)) {}
  std::string entry(std::string_view path) const;
  void check_version();
  void check_code() const;
  TorchStorage storage(const std::string& folder, DType dtype, const std::string& key, int64_t count) const;
  const Places& places(const std::string& path) const;

  ZipArchive zip_;
  std::string root_;
  int version_ = 0;
  pickle::Tree data_, constants_;
  std::optional<pickle::Tree> traced_;
  mutable std::map<std::string, std::unique_ptr<File>> files_;
  mutable std::map<std::string, std::vector<ZipArchive::Bytes>> sources_;
  mutable std::map<std::string, Places> places_;
};

}  // namespace godwit::formats::torchscript

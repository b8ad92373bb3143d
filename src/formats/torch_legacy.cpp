// The layout before torch 1.6: pickles of a magic number, a version, facts about the writer, the object and the keys of
// its storages; then, in the order of the keys, an 8-byte element count and the raw elements.
#include <cstring>

#include "base/error.h"
#include "formats/torch_state_dict.h"

namespace godwit::formats {
namespace {

using pickle::Node;
using Kind = Node::Kind;

constexpr unsigned char kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                    0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr int64_t kProtocol = 1001;

class Legacy {
 public:
  Legacy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name)
      : bytes_(bytes), owner_(std::move(owner)), name_(name) {}

  TorchCheckpoint read() {
    at_ = sizeof(kMagic);
    const auto protocol = next("protocol");
    require<FileError>(protocol.root->is(Kind::integer) && protocol.root->integer == kProtocol,
                       "{}: not the torch protocol {}", name_, kProtocol);
    const auto system = next("system");
    const Node* little = system.root->find("little_endian");
    require<FileError>(!little || little->flag, "{}: big-endian files are not supported", name_);
    const auto object = next("object");
    const auto keys = next("keys");
    require<FileError>(keys.root->is(Kind::list), "{}: damaged file: no list of storage keys", name_);
    read_storages(object, *keys.root);
    const FindStorage find = [&](DType, const std::string& key, int64_t) {
      auto found = storages_.find(key);
      require<FileError>(found != storages_.end(), "{}: storage {} is missing", name_, key);
      return found->second;
    };
    return state_dict_of(*object.root, find, name_);
  }

 private:
  pickle::Tree next(const char* part) {
    auto tree = pickle::read(bytes_.subspan(at_), is_checkpoint_global, fmt::format("{} ({})", name_, part));
    at_ += tree.size;
    return tree;
  }
  // The object's persistent ids say what each key's elements are.
  std::map<std::string, DType> storage_dtypes(const pickle::Tree& object) const {
    std::map<std::string, DType> out;
    for (const Node& node : object.nodes) {
      const Node* id = node.is(Kind::persistent) ? node.args : nullptr;
      if (!id || !id->is(Kind::tuple) || id->items.size() < 5 || !id->items[1]->is(Kind::global) ||
          !id->items[2]->is(Kind::text))
        continue;
      const std::string& type = id->items[1]->text;
      const auto dtype = storage_dtype(std::string_view(type).substr(type.find(' ') + 1));
      require<FileError>(dtype.has_value(), "{}: tensors of {} are not supported", name_, type);
      out.emplace(id->items[2]->text, *dtype);
    }
    return out;
  }
  void read_storages(const pickle::Tree& object, const Node& keys) {
    const auto dtypes = storage_dtypes(object);
    for (const Node* key : keys.items) {
      auto dtype = key->is(Kind::text) ? dtypes.find(key->text) : dtypes.end();
      require<FileError>(dtype != dtypes.end(), "{}: damaged file: a storage that no tensor uses", name_);
      require<FileError>(bytes_.size() - at_ >= 8, "{}: damaged file: storage {} is cut off", name_, key->text);
      uint64_t count = 0;
      std::memcpy(&count, bytes_.data() + at_, 8);
      at_ += 8;
      const uint64_t item = item_size(dtype->second);
      require<FileError>(count <= (bytes_.size() - at_) / item,
                         "{}: damaged file: storage {} of {} elements is cut off", name_, key->text, count);
      storages_[key->text] = storage(key->text, dtype->second, bytes_.subspan(at_, count * item));
      at_ += count * item;
    }
  }
  // Elements lie wherever the pickles before them end: those that are not aligned are copied.
  TorchStorage storage(const std::string& key, DType dtype, std::span<const std::byte> raw) const {
    TorchStorage out{dtype, key, static_cast<int64_t>(raw.size() / item_size(dtype)), raw, owner_};
    if (reinterpret_cast<uintptr_t>(raw.data()) % item_size(dtype) == 0) return out;
    auto copy = std::make_shared<std::vector<std::byte>>(raw.begin(), raw.end());
    out.bytes = *copy;
    out.owner = copy;
    return out;
  }

  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  const std::string& name_;
  size_t at_ = 0;
  std::map<std::string, TorchStorage> storages_;
};

}  // namespace

bool looks_like_torch_legacy(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

TorchCheckpoint read_torch_legacy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                  const std::string& name) {
  require<FileError>(looks_like_torch_legacy(bytes), "{}: no torch file of the layout before torch 1.6", name);
  return Legacy(bytes, std::move(owner), name).read();
}

}  // namespace godwit::formats

// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace godwit {

class MappedFile : public std::enable_shared_from_this<MappedFile> {
 public:
  // Throws FileError naming the path when it cannot be opened or mapped. An empty file maps to no bytes.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  // Tells the system that these pages are not needed for now: keeps resident memory low while a large file streams by.
  void release(std::span<const std::byte> part) const;
  // The same for bytes whose owner is not known: nothing happens unless they lie in a file that is mapped now.
  static void release_if_mapped(std::span<const std::byte> part);

  // Where bytes lie in a file that is mapped now; no file where they lie elsewhere.
  struct Place {
    std::shared_ptr<const MappedFile> file;
    uint64_t offset = 0;
  };
  static Place place_of(std::span<const std::byte> part);
  // A descriptor of the file, to be closed by the caller; -1 where another file has its name by now.
  int reopen() const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  uint64_t device_ = 0, inode_ = 0;
};

}  // namespace godwit

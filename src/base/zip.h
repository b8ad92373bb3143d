// ZIP archives as PyTorch writes them: stored or deflated entries, zip64, sizes from the central directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"

namespace godwit {

class ZipArchive {
 public:
  struct Entry {
    std::string name;
    uint64_t size = 0, packed_size = 0, header_offset = 0;
    uint32_t crc = 0;
    uint16_t method = 0;  // 0 stored, 8 deflate
  };
  // Bytes of an entry and whatever keeps them alive (the mapped file, or a buffer of unpacked bytes).
  struct Bytes {
    std::span<const std::byte> data;
    std::shared_ptr<const void> owner;
    std::string_view text() const { return {reinterpret_cast<const char*>(data.data()), data.size()}; }
  };

  // Throws FileError: no zip, truncated, overlapping or out-of-range entries, names that are absolute or hold "..",
  // duplicate names, more than 1,000,000 entries, an unpacked size above the limit.
  static ZipArchive open(const std::filesystem::path& path);
  static ZipArchive of(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string name);
  static bool looks_like_zip(std::span<const std::byte> bytes);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(std::string_view name) const;
  // Stored entries point into the file, deflated ones are unpacked (bounded by the declared size and by `limit`).
  Bytes read(std::string_view name, uint64_t limit = uint64_t{1} << 32) const;
  // The folder that all entries of a PyTorch archive share: the text before the first '/' of the first entry.
  std::string root() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::vector<Entry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

}  // namespace godwit

// A file that is written from front to back; every failure is told (a full disk above all).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace godwit {

class OutputFile {
 public:
  // Throws UsageError naming path and reason, as do the others. An existing file is overwritten.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  // Bytes of another file, which the system copies without showing them; gives how many, fewer where it cannot: what is
  // left is to be written.
  size_t copy(int from, uint64_t offset, size_t count);
  uint64_t position() const { return position_; }
  // Some file systems report a full disk only here.
  void close();

 private:
  [[noreturn]] void fail() const;

  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t position_ = 0;
};

void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace godwit

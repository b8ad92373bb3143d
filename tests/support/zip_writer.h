// Writes small zip archives for tests, damaged ones included.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace godwit::testing {

struct ZipItem {
  std::string name, data;
  bool deflate = false;
};

inline void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

inline std::string deflated(const std::string& data) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// As PyTorch writes them: the local header carries a padding field that the directory lacks.
inline std::string zip_of(const std::vector<ZipItem>& items) {
  std::string out, directory;
  for (const ZipItem& item : items) {
    const std::string packed = item.deflate ? deflated(item.data) : item.data;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(item.data.data()), static_cast<uInt>(item.data.size()));
    const size_t offset = out.size();
    std::string common;
    put(common, 20, 2), put(common, 0x0800, 2), put(common, item.deflate ? 8 : 0, 2), put(common, 0, 4);
    put(common, crc, 4), put(common, packed.size(), 4), put(common, item.data.size(), 4);
    put(common, item.name.size(), 2);
    const size_t before_padding = offset + 30 + item.name.size() + 4;
    const size_t padding = (64 - before_padding % 64) % 64;
    put(out, 0x04034b50, 4), out += common, put(out, padding + 4, 2), out += item.name;
    put(out, 0x4246, 2), put(out, padding, 2), out.append(padding, 'Z');
    out += packed;
    put(directory, 0x02014b50, 4), put(directory, 20, 2), directory += common, put(directory, 0, 2);
    put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4);
    put(directory, offset, 4), directory += item.name;
  }
  const size_t at = out.size();
  out += directory;
  put(out, 0x06054b50, 4), put(out, 0, 4), put(out, items.size(), 2), put(out, items.size(), 2);
  put(out, directory.size(), 4), put(out, at, 4), put(out, 0, 2);
  return out;
}

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace godwit::testing

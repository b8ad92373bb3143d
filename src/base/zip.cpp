#include "base/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace godwit {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr uint64_t kMaxEntries = 1'000'000;
// How far an entry may expand: deflate reaches 1032, programs and weights stay far below 100. Small ones may do more.
constexpr uint64_t kMaxExpansion = 100, kSmallEntry = uint64_t{4} << 20;

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  template <class T>
  T at(uint64_t offset) const {
    check(offset, sizeof(T));
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>(value | static_cast<T>(static_cast<uint64_t>(bytes_[offset + i]) << (8 * i)));
    return value;
  }
  std::string_view text(uint64_t offset, uint64_t size) const {
    check(offset, size);
    return {reinterpret_cast<const char*>(bytes_.data() + offset), static_cast<size_t>(size)};
  }
  void check(uint64_t offset, uint64_t size) const {
    require<FileError>(offset <= bytes_.size() && size <= bytes_.size() - offset,
                       "{}: damaged zip: {} bytes at offset {} lie outside the file of {} bytes", name_, size, offset,
                       bytes_.size());
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
};

struct Directory {
  uint64_t entries, size, offset;
  uint64_t limit;  // entries and directory lie before this
};

// The end record lies at the end, before a comment of at most 65,535 bytes.
uint64_t find_end(const Reader& in, const std::string& name) {
  require<FileError>(in.size() >= kEndSize, "{}: not a zip archive", name);
  const uint64_t last = in.size() - kEndSize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;)
    if (in.at<uint32_t>(at) == kEnd && in.at<uint16_t>(at + 20) == last - at) return at;
  raise<FileError>("{}: damaged zip: no end of central directory (is the file truncated?)", name);
}

Directory read_directory(const Reader& in, const std::string& name) {
  const uint64_t end = find_end(in, name);
  require<FileError>(in.at<uint16_t>(end + 4) == 0 && in.at<uint16_t>(end + 6) == 0,
                     "{}: zip archives in several parts are not supported", name);
  Directory d{in.at<uint16_t>(end + 10), in.at<uint32_t>(end + 12), in.at<uint32_t>(end + 16), end};
  const bool needs64 = d.entries == 0xffff || d.size == 0xffffffff || d.offset == 0xffffffff;
  if (end >= kLocatorSize && in.at<uint32_t>(end - kLocatorSize) == kEnd64Locator) {
    const auto record = in.at<uint64_t>(end - kLocatorSize + 8);
    in.check(record, kEnd64Size);
    require<FileError>(in.at<uint32_t>(record) == kEnd64, "{}: damaged zip: bad zip64 record", name);
    d = {in.at<uint64_t>(record + 32), in.at<uint64_t>(record + 40), in.at<uint64_t>(record + 48), record};
  } else {
    require<FileError>(!needs64, "{}: damaged zip: zip64 locator is missing", name);
  }
  require<FileError>(d.entries <= kMaxEntries, "{}: zip with {} entries, at most {} are read", name, d.entries,
                     kMaxEntries);
  require<FileError>(d.offset <= d.limit && d.size <= d.limit - d.offset,
                     "{}: damaged zip: central directory lies outside the file", name);
  require<FileError>(d.entries <= d.size / kCentralSize, "{}: damaged zip: {} entries in a directory of {} bytes", name,
                     d.entries, d.size);
  return d;
}

// Names become paths in messages and in the package writer, so none may leave its folder.
void check_name(std::string_view entry, const std::string& name) {
  const bool is_absolute = entry.starts_with('/') || (entry.size() > 1 && entry[1] == ':');
  bool has_bad_part = entry.empty() || entry.find('\0') != entry.npos || entry.find('\\') != entry.npos;
  for (size_t at = 0; at < entry.size();) {
    const size_t stop = std::min(entry.find('/', at), entry.size());
    has_bad_part |= entry.substr(at, stop - at) == "..";
    at = stop + 1;
  }
  require<FileError>(!is_absolute && !has_bad_part, "{}: refused zip entry name \"{}\"", name,
                     std::string(entry.substr(0, 200)));
}

// Sizes that did not fit 32 bits stand in the extra field, in a fixed order.
void read_zip64(const Reader& in, uint64_t at, uint64_t size, ZipArchive::Entry& entry, const std::string& name) {
  const uint64_t end = at + size;
  while (end - at >= 4) {
    const auto id = in.at<uint16_t>(at);
    const uint64_t length = in.at<uint16_t>(at + 2);
    at += 4;
    require<FileError>(length <= end - at, "{}: damaged zip: bad extra field of {}", name, entry.name);
    if (id == 1) {
      uint64_t from = at;
      for (uint64_t* field : {&entry.size, &entry.packed_size, &entry.header_offset}) {
        if (*field != 0xffffffff) continue;
        require<FileError>(from + 8 <= at + length, "{}: damaged zip: bad zip64 field of {}", name, entry.name);
        *field = in.at<uint64_t>(from);
        from += 8;
      }
    }
    at += length;
  }
}

// Where an entry's bytes begin: after its local header, whose name and extra field may differ in length.
uint64_t data_offset(const Reader& in, const ZipArchive::Entry& entry, const std::string& name) {
  in.check(entry.header_offset, kLocalSize);
  require<FileError>(in.at<uint32_t>(entry.header_offset) == kLocalHeader, "{}: damaged zip: no local header for {}",
                     name, entry.name);
  const uint64_t names = in.at<uint16_t>(entry.header_offset + 26);
  const uint64_t extras = in.at<uint16_t>(entry.header_offset + 28);
  return entry.header_offset + kLocalSize + names + extras;
}

// Two entries that share bytes are how small archives unpack to huge ones.
void check_overlaps(const Reader& in, const std::vector<ZipArchive::Entry>& entries, uint64_t limit,
                    const std::string& name) {
  std::vector<const ZipArchive::Entry*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->header_offset < b->header_offset; });
  uint64_t free_from = 0;
  for (const auto* entry : order) {
    require<FileError>(entry->header_offset >= free_from, "{}: damaged zip: entries overlap at {}", name, entry->name);
    const uint64_t data = data_offset(in, *entry, name);
    require<FileError>(data <= limit && entry->packed_size <= limit - data,
                       "{}: damaged zip: {} reaches into the directory or past the end", name, entry->name);
    free_from = data + entry->packed_size;
  }
}

std::shared_ptr<std::vector<std::byte>> inflate_entry(std::span<const std::byte> packed, const ZipArchive::Entry& entry,
                                                      const std::string& name) {
  constexpr uint64_t kLimit = std::numeric_limits<uInt>::max();
  require<FileError>(packed.size() < kLimit && entry.size < kLimit, "{}: deflated entry {} is too large", name,
                     entry.name);
  auto out = std::make_shared<std::vector<std::byte>>(entry.size);
  z_stream stream{};
  require<InternalError>(inflateInit2(&stream, -MAX_WBITS) == Z_OK, "zlib cannot start");
  std::byte none{};  // zlib wants an address even where there is nothing to write
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out->empty() ? &none : out->data());
  stream.avail_out = static_cast<uInt>(out->size());
  const int status = inflate(&stream, Z_FINISH);
  const uLong written = stream.total_out;
  inflateEnd(&stream);
  require<FileError>(status == Z_STREAM_END && written == entry.size,
                     "{}: damaged zip: {} does not unpack to its {} bytes", name, entry.name, entry.size);
  return out;
}

}  // namespace

ZipArchive ZipArchive::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  return of(file->bytes(), file, path.string());
}

ZipArchive ZipArchive::of(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string name) {
  ZipArchive zip;
  zip.name_ = std::move(name);
  zip.bytes_ = bytes;
  zip.owner_ = std::move(owner);
  const Reader in(bytes, zip.name_);
  const Directory directory = read_directory(in, zip.name_);

  uint64_t at = directory.offset;
  const uint64_t end = directory.offset + directory.size;
  zip.entries_.reserve(directory.entries);
  for (uint64_t i = 0; i < directory.entries; ++i) {
    require<FileError>(end - at >= kCentralSize && in.at<uint32_t>(at) == kCentralHeader,
                       "{}: damaged zip: bad directory entry {}", zip.name_, i);
    const uint64_t name_size = in.at<uint16_t>(at + 28), extra = in.at<uint16_t>(at + 30);
    const uint64_t comment = in.at<uint16_t>(at + 32);
    require<FileError>(name_size + extra + comment <= end - at - kCentralSize,
                       "{}: damaged zip: bad directory entry {}", zip.name_, i);
    Entry entry;
    entry.name = in.text(at + kCentralSize, name_size);
    check_name(entry.name, zip.name_);
    require<FileError>((in.at<uint16_t>(at + 8) & 1) == 0, "{}: zip entry {} is encrypted", zip.name_, entry.name);
    entry.method = in.at<uint16_t>(at + 10);
    entry.crc = in.at<uint32_t>(at + 16);
    entry.packed_size = in.at<uint32_t>(at + 20);
    entry.size = in.at<uint32_t>(at + 24);
    entry.header_offset = in.at<uint32_t>(at + 42);
    read_zip64(in, at + kCentralSize + name_size, extra, entry, zip.name_);
    require<FileError>(entry.method != 0 || entry.size == entry.packed_size,
                       "{}: damaged zip: stored entry {} has two sizes", zip.name_, entry.name);
    const bool is_new = zip.index_.emplace(entry.name, zip.entries_.size()).second;
    require<FileError>(is_new, "{}: damaged zip: two entries named {}", zip.name_, entry.name);
    zip.entries_.push_back(std::move(entry));
    at += kCentralSize + name_size + extra + comment;
  }
  check_overlaps(in, zip.entries_, directory.offset, zip.name_);
  return zip;
}

bool ZipArchive::looks_like_zip(std::span<const std::byte> bytes) {
  static constexpr unsigned char local[] = {'P', 'K', 3, 4}, empty[] = {'P', 'K', 5, 6};
  if (bytes.size() < kEndSize) return false;
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  return std::equal(local, local + 4, p) || std::equal(empty, empty + 4, p);
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

ZipArchive::Bytes ZipArchive::read(std::string_view name, uint64_t limit) const {
  const Entry* entry = find(name);
  require<FileError>(entry, "{}: no entry named {}", name_, name);
  const Reader in(bytes_, name_);
  const uint64_t data = data_offset(in, *entry, name_);
  in.check(data, entry->packed_size);
  const auto packed = bytes_.subspan(data, entry->packed_size);
  if (entry->method == 0) return {packed, owner_};
  require<FileError>(entry->method == 8, "{}: entry {} is packed with method {}, only deflate is supported", name_,
                     entry->name, entry->method);
  require<FileError>(
      entry->size <= limit && (entry->size <= kSmallEntry || entry->size / kMaxExpansion <= entry->packed_size),
      "{}: entry {} claims to unpack from {} to {} bytes: refused", name_, entry->name, entry->packed_size,
      entry->size);
  auto buffer = inflate_entry(packed, *entry, name_);
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(buffer->data()), buffer->size());
  require<FileError>(buffer->empty() || crc == entry->crc, "{}: damaged zip: checksum of {} is wrong", name_,
                     entry->name);
  return {std::span<const std::byte>(*buffer), buffer};
}

std::string ZipArchive::root() const {
  if (entries_.empty()) return "";
  const std::string& first = entries_.front().name;
  const size_t slash = first.find('/');
  return slash == first.npos ? "" : first.substr(0, slash);
}

}  // namespace godwit

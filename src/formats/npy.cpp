#include "formats/npy.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/zip.h"

namespace godwit::formats {
namespace {

struct Header {
  std::string type;
  bool is_fortran = false;
  std::vector<int64_t> shape;
};

// The literal of a Python dict with three entries: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header run() {
    Header h;
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr")
        h.type = quoted(), seen |= 1;
      else if (key == "fortran_order")
        h.is_fortran = flag(), seen |= 2;
      else if (key == "shape")
        h.shape = tuple(), seen |= 4;
      else
        fail();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (seen != 7) fail();
    return h;
  }

 private:
  [[noreturn]] void fail() const { raise<FileError>("{}: the header of the array is damaged or holds records", file_); }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool accept(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string quoted() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const size_t end = text_.find(quote, at_);
    if (end == text_.npos) fail();
    std::string out(text_.substr(at_, end - at_));
    at_ = end + 1;
    return out;
  }
  bool flag() {
    skip();
    for (bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    fail();
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> out;
    expect('(');
    while (!accept(')')) {
      skip();
      int64_t value = 0;
      const size_t start = at_;
      for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text_[at_] - '0', &value))
          fail();
      if (at_ == start || out.size() == 64) fail();
      accept('L');  // Python 2
      out.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
};

DType dtype_of(const std::string& type, const std::string& file) {
  static const std::map<std::string_view, DType> types = {
      {"b1", DType::boolean}, {"i1", DType::i8},  {"i2", DType::i16}, {"i4", DType::i32},  {"i8", DType::i64},
      {"u1", DType::u8},      {"u2", DType::u16}, {"u4", DType::u32}, {"u8", DType::u64},  {"f2", DType::f16},
      {"f4", DType::f32},     {"f8", DType::f64}, {"c8", DType::c64}, {"c16", DType::c128}};
  auto found = types.find(type.size() > 1 ? std::string_view(type).substr(1) : "");
  const bool ordered = !type.empty() && std::string_view("<>|=").find(type[0]) != std::string_view::npos;
  require<FileError>(found != types.end() && ordered, "{}: arrays of type '{}' are not supported", file, type);
  return found->second;
}

Tensor byte_swapped(const Tensor& t) {
  Tensor out = Tensor::of_bytes(t.dtype, t.shape, t.bytes());
  const size_t unit = is_complex(t.dtype) ? item_size(t.dtype) / 2 : item_size(t.dtype);
  for (size_t at = 0; at < out.nbytes(); at += unit)
    std::reverse(out.mutable_data() + at, out.mutable_data() + at + unit);
  return out;
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name) {
  auto byte = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
  require<FileError>(bytes.size() >= 12 && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0, "{}: no .npy file", name);
  require<FileError>(byte(6) >= 1 && byte(6) <= 3, "{}: version {} of the .npy format is not known", name, byte(6));
  const size_t start = byte(6) == 1 ? 10 : 12;
  const size_t length =
      byte(6) == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  require<FileError>(length <= bytes.size() - start, "{}: the file ends inside its header", name);
  Header header = HeaderParser({reinterpret_cast<const char*>(bytes.data()) + start, length}, name).run();
  Tensor t;
  t.dtype = dtype_of(header.type, name);
  t.shape = header.shape;
  const size_t size = static_cast<size_t>(checked_size(t.shape)) * item_size(t.dtype);
  auto data = bytes.subspan(start + length);
  require<FileError>(data.size() == size, "{}: {} bytes lie in the file, {} takes {}", name, data.size(), describe(t),
                     size);
  t.data = data.data();
  t.owner = std::move(owner);
  if (header.type[0] == '>')
    t = byte_swapped(t);
  else if (reinterpret_cast<uintptr_t>(t.data) % std::min<size_t>(item_size(t.dtype), 8) != 0)
    t = Tensor::of_bytes(t.dtype, t.shape, data);
  if (header.is_fortran && size > 0) {
    int64_t stride = 1;
    for (int64_t d : t.shape) {
      t.strides.push_back(stride);
      stride *= d;
    }
  }
  return t;
}

Tensor read_npy(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  return parse_npy(file->bytes(), file, path.string());
}

namespace {

std::map<std::string, Tensor> arrays_of(const ZipArchive& zip) {
  std::map<std::string, Tensor> out;
  for (const ZipArchive::Entry& entry : zip.entries()) {
    if (!entry.name.ends_with(".npy")) continue;
    ZipArchive::Bytes bytes = zip.read(entry.name);
    out.emplace(entry.name.substr(0, entry.name.size() - 4),
                parse_npy(bytes.data, bytes.owner, zip.name() + ": " + entry.name));
  }
  return out;
}

}  // namespace

std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                        const std::string& name) {
  return arrays_of(ZipArchive::of(bytes, std::move(owner), name));
}

std::map<std::string, Tensor> read_npz(const std::filesystem::path& path) { return arrays_of(ZipArchive::open(path)); }

}  // namespace godwit::formats

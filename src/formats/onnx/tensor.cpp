// TensorProto and SparseTensorProto: raw bytes, typed fields, external data.
#include <bit>
#include <cstring>

#include "base/error.h"
#include "formats/onnx/reader.h"

namespace godwit::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

bool is_nibble(DType d) { return d == DType::i4 || d == DType::u4 || d == DType::f4e2m1; }
bool is_crumb(DType d) { return d == DType::i2 || d == DType::u2; }
int bits(DType d) { return is_nibble(d) ? 4 : is_crumb(d) ? 2 : 8 * static_cast<int>(item_size(d)); }

// Bytes that `size` elements take in raw_data; FileError where that is no number.
uint64_t raw_size(DType dtype, int64_t size) {
  const int b = bits(dtype);
  return b < 8 ? (static_cast<uint64_t>(size) * static_cast<uint64_t>(b) + 7) / 8
               : static_cast<uint64_t>(size) * item_size(dtype);
}

// One packed element in each byte: first element in the low bits, signed types extended.
Tensor unpacked(DType dtype, std::vector<int64_t> shape, Bytes packed) {
  Tensor out = Tensor::zeros(dtype, std::move(shape));
  const int b = bits(dtype), per_byte = 8 / b;
  const bool is_signed = is_signed_integer(dtype);
  for (int64_t i = 0, n = out.size(); i < n; ++i) {
    const auto byte = static_cast<unsigned>(packed[static_cast<size_t>(i / per_byte)]);
    unsigned value = byte >> (i % per_byte * b) & ((1u << b) - 1);
    if (is_signed && value >> (b - 1)) value |= 0xffu << b;
    out.mutable_data()[i] = static_cast<std::byte>(value);
  }
  return out;
}

struct Fields {
  std::vector<int64_t> dims;
  int64_t type = 0;
  std::optional<Bytes> raw;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> int32s, int64s, uint64s;
  std::vector<std::string> strings;
  bool is_external = false;
  std::map<std::string, std::string> external;
};

template <class T>
void narrow(const std::vector<int64_t>& from, Tensor& to) {
  for (size_t i = 0; i < from.size(); ++i) {
    const T value = static_cast<T>(from[i]);
    std::memcpy(to.mutable_data() + i * sizeof(T), &value, sizeof(T));
  }
}

Tensor of_integers(DType dtype, const std::vector<int64_t>& dims, const std::vector<int64_t>& from) {
  Tensor out = Tensor::zeros(dtype, dims);
  switch (item_size(dtype)) {
    case 1: narrow<uint8_t>(from, out); break;
    case 2: narrow<uint16_t>(from, out); break;
    case 4: narrow<uint32_t>(from, out); break;
    default: narrow<uint64_t>(from, out); break;
  }
  if (dtype == DType::boolean)
    for (size_t i = 0; i < out.nbytes(); ++i) out.mutable_data()[i] = std::byte{from[i] != 0};
  return out;
}

Tensor of_packed_entries(DType dtype, const Fields& f) {
  std::vector<std::byte> packed;
  for (int64_t v : f.int32s) packed.push_back(static_cast<std::byte>(v & 0xff));
  return unpacked(dtype, f.dims, packed);
}

Tensor of_typed_fields(DType dtype, const Fields& f, int64_t size, const std::string& name) {
  auto check = [&](size_t have, uint64_t want) {
    require<FileError>(have == want, "[onnx] tensor {} has {} stored numbers for {} elements of {}", name, have, size,
                       long_name(dtype));
  };
  const auto n = static_cast<uint64_t>(size);
  switch (dtype) {
    case DType::f32: check(f.floats.size(), n); return Tensor::of(dtype, f.dims, f.floats);
    case DType::c64: check(f.floats.size(), 2 * n); return Tensor::of(dtype, f.dims, f.floats);
    case DType::f64: check(f.doubles.size(), n); return Tensor::of(dtype, f.dims, f.doubles);
    case DType::c128: check(f.doubles.size(), 2 * n); return Tensor::of(dtype, f.dims, f.doubles);
    case DType::i64: check(f.int64s.size(), n); return Tensor::of(dtype, f.dims, f.int64s);
    case DType::u32:
    case DType::u64: check(f.uint64s.size(), n); return of_integers(dtype, f.dims, f.uint64s);
    default: break;
  }
  if (bits(dtype) < 8) {
    check(f.int32s.size(), raw_size(dtype, size));
    return of_packed_entries(dtype, f);
  }
  check(f.int32s.size(), n);
  return of_integers(dtype, f.dims, f.int32s);
}

// Small or misaligned-and-small tensors are copied, so that shape constants do not pin the file's pages.
constexpr size_t copy_below = 4096;

Tensor of_raw(DType dtype, const Fields& f, Bytes raw, std::shared_ptr<const void> owner) {
  if (bits(dtype) < 8) return unpacked(dtype, f.dims, raw);
  if (dtype == DType::boolean) {  // any non-zero byte is true
    Tensor out = Tensor::zeros(dtype, f.dims);
    for (size_t i = 0; i < raw.size(); ++i) out.mutable_data()[i] = std::byte{raw[i] != std::byte{0}};
    return out;
  }
  if (raw.size() < copy_below) return Tensor::of_bytes(dtype, f.dims, raw);
  Tensor out;
  out.dtype = dtype;
  out.shape = f.dims;
  out.owner = std::move(owner);
  out.data = raw.data();
  return out;
}

uint64_t parse_number(const std::string& text, const std::string& name) {
  require<FileError>(!text.empty() && text.size() <= 19 && text.find_first_not_of("0123456789") == std::string::npos,
                     "[onnx] tensor {}: external data has the offset or length '{}'", name, text.substr(0, 40));
  return std::stoull(text);
}

}  // namespace

std::optional<DType> dtype_of(int64_t number) {
  static constexpr DType table[] = {
      DType::f32,  DType::u8,      DType::i8,       DType::u16,        DType::i16,    DType::i32,        DType::i64,
      DType::text, DType::boolean, DType::f16,      DType::f64,        DType::u32,    DType::u64,        DType::c64,
      DType::c128, DType::bf16,    DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::u4,
      DType::i4,   DType::f4e2m1,  DType::f8e8m0,   DType::u2,         DType::i2,     DType::f6e2m3,     DType::f6e3m2};
  if (number < 1 || number > static_cast<int64_t>(std::size(table))) return std::nullopt;
  return table[number - 1];
}

Bytes Reader::external(const std::string& file, uint64_t offset, std::optional<uint64_t> length,
                       const std::string& tensor, std::shared_ptr<const void>& owner) {
  namespace fs = std::filesystem;
  require<FileError>(!folder_.empty(), "[onnx] tensor {} lies in the file '{}', and there is no folder to look in",
                     tensor, file);
  auto found = files_.find(file);
  if (found == files_.end()) {
    const fs::path relative(file);
    bool escapes = file.empty() || file.find('\0') != std::string::npos || relative.is_absolute();
    for (const fs::path& part : relative) escapes = escapes || part == "..";
    std::error_code error;
    const fs::path root = fs::weakly_canonical(folder_, error),
                   target = fs::weakly_canonical(folder_ / relative, error);
    auto [mismatch, rest] = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
    require<FileError>(!escapes && !error && mismatch == root.end(),
                       "[onnx] tensor {}: external data '{}' leaves the model's folder", tensor, file.substr(0, 200));
    require<FileError>(fs::is_regular_file(target, error), "[onnx] tensor {}: external data file '{}' is missing in {}",
                       tensor, file, folder_.string());
    found = files_.emplace(file, MappedFile::open(target)).first;
  }
  Bytes all = found->second->bytes();
  const bool in_range = offset <= all.size() && (!length || *length <= all.size() - offset);
  require<FileError>(in_range, "[onnx] tensor {}: bytes {} to {} lie outside of '{}' ({} bytes)", tensor, offset,
                     offset + length.value_or(0), file, all.size());
  owner = found->second;
  return all.subspan(offset, length ? *length : all.size() - offset);
}

NamedTensor Reader::tensor(Bytes bytes) {
  count();
  Fields f;
  NamedTensor out;
  for (Wire w(bytes, "TensorProto"); w.next();) {
    switch (w.field()) {
      case 1: w.append_integers(f.dims); break;
      case 2: f.type = w.integer(); break;
      case 3: w.fail("segmented tensors are not supported");
      case 4: w.append_reals(f.floats); break;
      case 5: w.append_integers(f.int32s); break;
      case 6: count(), f.strings.push_back(w.string()); break;
      case 7: w.append_integers(f.int64s); break;
      case 8: out.name = w.string(); break;
      case 9: f.raw = w.bytes(); break;
      case 10: w.append_doubles(f.doubles); break;
      case 11: w.append_integers(f.uint64s); break;
      case 13: f.external.insert(read_entry(w.bytes())); break;
      case 14: f.is_external = w.varint() == 1; break;
      default: break;
    }
  }
  std::optional<DType> dtype = dtype_of(f.type);
  require<FileError>(dtype.has_value(), "[onnx] tensor {} has the unknown element type {}", out.name, f.type);
  require<FileError>(f.dims.size() <= Limits::rank, "[onnx] tensor {} has {} dimensions", out.name, f.dims.size());
  const int64_t size = checked_size(f.dims);
  if (*dtype == DType::text) {
    require<FileError>(static_cast<int64_t>(f.strings.size()) == size,
                       "[onnx] tensor {} has {} strings for {} elements", out.name, f.strings.size(), size);
    out.tensor.dtype = DType::text;
    out.tensor.shape = f.dims;
    out.strings = std::move(f.strings);
    return out;
  }
  const uint64_t stored = raw_size(*dtype, size);
  std::shared_ptr<const void> owner = owner_;
  if (f.is_external) {
    std::optional<uint64_t> length;
    if (f.external.contains("length"))
      length = parse_number(f.external["length"], out.name);
    else
      length = stored;
    const uint64_t offset = f.external.contains("offset") ? parse_number(f.external["offset"], out.name) : 0;
    f.raw = external(f.external["location"], offset, length, out.name, owner);
  }
  if (!f.raw) {
    out.tensor = of_typed_fields(*dtype, f, size, out.name);
    return out;
  }
  require<FileError>(f.raw->size() == stored, "[onnx] tensor {} has {} bytes for {} elements of {}", out.name,
                     f.raw->size(), size, long_name(*dtype));
  out.tensor = of_raw(*dtype, f, *f.raw, std::move(owner));
  return out;
}

NamedTensor Reader::sparse_tensor(Bytes bytes) {
  NamedTensor values, indices;
  std::vector<int64_t> dims;
  for (Wire w(bytes, "SparseTensorProto"); w.next();) {
    switch (w.field()) {
      case 1: values = tensor(w.bytes()); break;
      case 2: indices = tensor(w.bytes()); break;
      case 3: w.append_integers(dims); break;
      default: break;
    }
  }
  const std::string& name = values.name;
  require<FileError>(dims.size() <= Limits::rank, "[onnx] sparse tensor {} has {} dimensions", name, dims.size());
  const int64_t size = checked_size(dims), count = values.tensor.size();
  const auto rank = static_cast<int64_t>(dims.size());
  const size_t item = item_size(values.tensor.dtype);
  require<FileError>(values.tensor.dtype != DType::text && size <= Limits::dense_bytes / static_cast<int64_t>(item),
                     "[onnx] sparse tensor {} is too large to expand", name);
  const Tensor& at = indices.tensor;
  const bool linear = at.shape.size() == 1 && at.shape[0] == count;
  const bool coordinates = at.shape.size() == 2 && at.shape[0] == count && at.shape[1] == rank;
  require<FileError>(
      values.tensor.shape.size() == 1 && (count == 0 || (at.dtype == DType::i64 && (linear || coordinates))),
      "[onnx] sparse tensor {} has indices {} for {} values", name, describe(at), count);
  NamedTensor out{name, Tensor::zeros(values.tensor.dtype, dims), {}};
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = 0;
    for (int64_t axis = 0; axis < (linear ? 1 : rank); ++axis) {
      const int64_t k = at.integer(linear ? i : i * rank + axis),
                    limit = linear ? size : dims[static_cast<size_t>(axis)];
      require<FileError>(k >= 0 && k < limit, "[onnx] sparse tensor {} has an index out of range", name);
      place = linear ? k : place * limit + k;
    }
    std::memcpy(out.tensor.mutable_data() + static_cast<size_t>(place) * item,
                values.tensor.data + static_cast<size_t>(i) * item, item);
  }
  return out;
}

}  // namespace godwit::onnx

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/output_file.h"
#include "formats/safetensors.h"

namespace godwit::formats {
namespace {

constexpr size_t chunk_bytes = size_t{8} << 20;
constexpr size_t matrix_chunk = size_t{1} << 20;  // stays in a core's cache until it is written

// The format's name of a type; null where it has none but can hold it as bytes.
const char* type_name(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "BOOL";
    case DType::u8: return "U8";
    case DType::i8: return "I8";
    case DType::u16: return "U16";
    case DType::i16: return "I16";
    case DType::u32: return "U32";
    case DType::i32: return "I32";
    case DType::u64: return "U64";
    case DType::i64: return "I64";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::f32: return "F32";
    case DType::f64: return "F64";
    case DType::c64: return "C64";
    case DType::f8e4m3fn: return "F8_E4M3";
    case DType::f8e5m2: return "F8_E5M2";
    case DType::f8e8m0: return "F8_E8M0";
    default: return nullptr;
  }
}

using Entry = std::pair<const std::string, Tensor>;

std::string header_text(const std::vector<const Entry*>& entries, std::map<std::string, std::string> metadata) {
  Json header = Json::object(), types = Json::object();
  uint64_t offset = 0;
  for (const Entry* e : entries) {
    const auto& [name, t] = *e;
    require<UsageError>(name != "__metadata__", "a tensor cannot be called __metadata__");
    const char* type = type_name(t.dtype);
    require<UsageError>(type || item_size(t.dtype) == 1, "tensor {}: safetensors holds no {}", name,
                        long_name(t.dtype));
    if (!type) types[name] = godwit::name(t.dtype);
    header[name] = {{"dtype", type ? type : "U8"}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.nbytes()}}};
    offset += t.nbytes();
  }
  if (!types.empty()) metadata["godwit.dtypes"] = types.dump();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    raise<UsageError>("a tensor's name or the metadata is no valid UTF-8");
  }
  text.append((64 - (text.size() + 8) % 64) % 64, ' ');  // the data begin on a cache line
  return text;
}

// An element that is only moved.
template <size_t N>
struct alignas(N) Item {
  std::byte bytes[N];
};

// Calls with an Item of this size, so that the copy of one element is one instruction.
template <class F>
void with_item(size_t size, const F& f) {
  switch (size) {
    case 1: return f(Item<1>{});
    case 2: return f(Item<2>{});
    case 4: return f(Item<4>{});
    case 8: return f(Item<8>{});
    default: raise<InternalError>("elements of {} bytes", size);
  }
}

// Rows [first, first + count) of a strided matrix into a buffer. In tiles of a cache line by a cache line, so that each
// line is read and written once, whichever way the matrix lies.
template <class T>
void gather_rows(const Tensor& t, int64_t first, int64_t count, std::byte* to) {
  constexpr int64_t tile = 64 / sizeof(T) < 16 ? 16 : 64 / sizeof(T);
  const int64_t columns = t.shape[1], down = t.strides[0], right = t.strides[1];
  T block[tile][tile];
  for (int64_t r0 = 0; r0 < count; r0 += tile) {
    const int64_t rows = std::min(tile, count - r0);
    for (int64_t c0 = 0; c0 < columns; c0 += tile) {
      const int64_t width = std::min(tile, columns - c0);
      const std::byte* corner = t.data + ((first + r0) * down + c0 * right) * static_cast<int64_t>(sizeof(T));
      for (int64_t c = 0; c < width; ++c)
        for (int64_t r = 0; r < rows; ++r)
          std::memcpy(&block[r][c], corner + (r * down + c * right) * static_cast<int64_t>(sizeof(T)), sizeof(T));
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(to + ((r0 + r) * columns + c0) * static_cast<int64_t>(sizeof(T)), block[r],
                    static_cast<size_t>(width) * sizeof(T));
    }
  }
}

using Four = float __attribute__((vector_size(16)));

// 4 x 4 elements of 4 bytes, rows `stride` bytes apart, turned over; the result's rows lie `pitch` bytes apart.
void turn_block(const std::byte* from, int64_t stride, std::byte* to, int64_t pitch) {
  Four in[4];
  for (int64_t i = 0; i < 4; ++i) std::memcpy(&in[i], from + i * stride, sizeof(Four));
  const Four low01 = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5),
             high01 = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7),
             low23 = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5),
             high23 = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
  const Four out[4] = {
      __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
      __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (int64_t i = 0; i < 4; ++i) std::memcpy(to + i * pitch, &out[i], sizeof(Four));
}

bool is_turned(const Tensor& t) { return item_size(t.dtype) == 4 && t.strides[0] == 1 && t.shape[1] % 4 == 0; }

// The same as gather_rows for the usual case, float32 stored the other way round. Whole lines of both sides are used
// while they are near.
void gather_turned(const Tensor& t, int64_t first, int64_t count, std::byte* to) {
  constexpr int64_t high = 64, wide = 16, item = 4;
  const int64_t columns = t.shape[1], right = t.strides[1], whole = count / 4 * 4;
  for (int64_t r0 = 0; r0 < whole; r0 += high)
    for (int64_t c0 = 0; c0 < columns; c0 += wide)
      for (int64_t r = r0; r < std::min(r0 + high, whole); r += 4)
        for (int64_t c = c0; c < std::min(c0 + wide, columns); c += 4)
          turn_block(t.data + (first + r + c * right) * item, right * item, to + (r * columns + c) * item,
                     columns * item);
  if (whole < count) gather_rows<Item<4>>(t, first + whole, count - whole, to + whole * columns * item);
}

// Of chunk_bytes each, for all matrices: fresh memory costs more than filling it.
using Buffers = std::array<std::unique_ptr<std::byte[]>, 2>;

// While one chunk is written, the next is gathered.
void write_matrix(const Tensor& t, OutputFile& file, Buffers& buffers, const std::function<void(uint64_t)>& progress) {
  const size_t row = static_cast<size_t>(t.shape[1]) * item_size(t.dtype);
  const auto per_chunk = std::max<int64_t>(1, static_cast<int64_t>(matrix_chunk / row));
  auto gather = [&t, row, per_chunk](int64_t first, std::byte* to) {
    const int64_t count = std::min(per_chunk, t.shape[0] - first);
    if (is_turned(t))
      gather_turned(t, first, count, to);
    else
      with_item(item_size(t.dtype), [&](auto element) { gather_rows<decltype(element)>(t, first, count, to); });
    return std::span<const std::byte>(to, static_cast<size_t>(count) * row);
  };
  std::future<std::span<const std::byte>> next = std::async(gather, 0, buffers[0].get());
  for (int64_t first = 0, turn = 1; first < t.shape[0]; first += per_chunk, turn = 1 - turn) {
    const std::span<const std::byte> rows = next.get();
    if (first + per_chunk < t.shape[0])
      next = std::async(gather, first + per_chunk, buffers[static_cast<size_t>(turn)].get());
    file.write(rows);
    if (progress) progress(rows.size());
  }
}

// Elements of a strided tensor in row-major order, a buffer at a time.
void write_strided(const Tensor& t, OutputFile& file, const std::function<void(uint64_t)>& progress) {
  const size_t item = item_size(t.dtype), rank = t.shape.size();
  const auto per_chunk = static_cast<int64_t>(chunk_bytes / item);
  std::vector<std::byte> buffer;
  std::vector<int64_t> index(rank, 0);
  const std::byte* from = t.data;
  for (int64_t left = t.size(); left > 0;) {
    const int64_t count = std::min(left, per_chunk);
    buffer.resize(static_cast<size_t>(count) * item);
    with_item(item, [&](auto element) {
      constexpr size_t size = sizeof(element);
      for (std::byte* to = buffer.data(); to < buffer.data() + buffer.size(); to += size) {
        std::memcpy(to, from, size);
        for (size_t axis = rank; axis-- > 0;) {
          from += t.strides[axis] * static_cast<int64_t>(size);
          if (++index[axis] < t.shape[axis]) break;
          from -= t.strides[axis] * t.shape[axis] * static_cast<int64_t>(size);
          index[axis] = 0;
        }
      }
    });
    file.write(buffer);
    left -= count;
    if (progress) progress(buffer.size());
  }
}

// The source file of a tensor that lies in one, open while its bytes go from file to file.
class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : place_(MappedFile::place_of(bytes)) {
    if (place_.file && bytes.size() >= worth_opening) fd_ = place_.file->reopen();
  }
  ~Source() {
    if (fd_ >= 0) ::close(fd_);
  }
  Source(const Source&) = delete;

  // How many of the bytes from `at` on were copied.
  size_t copy(size_t at, size_t count, OutputFile& to) const {
    return fd_ < 0 ? 0 : to.copy(fd_, place_.offset + at, count);
  }

 private:
  static constexpr size_t worth_opening = 1 << 16;
  MappedFile::Place place_;
  int fd_ = -1;
};

void write_contiguous(const Tensor& t, OutputFile& file, const std::function<void(uint64_t)>& progress) {
  auto bytes = t.bytes();
  const Source source(bytes);
  for (size_t at = 0; at < bytes.size(); at += chunk_bytes) {
    auto part = bytes.subspan(at, std::min(chunk_bytes, bytes.size() - at));
    const size_t copied = source.copy(at, part.size(), file);
    if (copied < part.size()) {
      file.write(part.subspan(copied));
      MappedFile::release_if_mapped(part);
    }
    if (progress) progress(part.size());
  }
}

// The bytes from the lowest to the highest element.
std::span<const std::byte> extent(const Tensor& t) {
  int64_t low = 0, high = 0;
  for (size_t i = 0; i < t.shape.size(); ++i) {
    const int64_t reach = (t.shape[i] - 1) * t.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  const auto item = static_cast<int64_t>(item_size(t.dtype));
  return {t.data + low * item, static_cast<size_t>((high - low + 1) * item)};
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const std::function<void(uint64_t)>& progress) {
  std::vector<const Entry*> entries;
  for (const Entry& e : tensors) entries.push_back(&e);
  // Large elements first: every tensor is aligned to its element without gaps, which the format forbids.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
    return item_size(a->second.dtype) > item_size(b->second.dtype);
  });
  const std::string header = header_text(entries, metadata);
  OutputFile file(path);
  std::byte length[8];
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(header.size() >> (8 * i));
  file.write(length);
  file.write(header);
  Buffers buffers;
  for (const Entry* e : entries) {
    const Tensor& t = e->second;
    if (t.size() == 0) continue;
    if (t.is_contiguous()) {
      write_contiguous(t, file, progress);
    } else {
      const bool is_matrix = t.shape.size() == 2 && static_cast<size_t>(t.shape[1]) * item_size(t.dtype) <= chunk_bytes;
      if (is_matrix && !buffers[0])
        for (auto& b : buffers) b = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes);
      is_matrix ? write_matrix(t, file, buffers, progress) : write_strided(t, file, progress);
      MappedFile::release_if_mapped(extent(t));
    }
  }
  file.close();
}

}  // namespace godwit::formats

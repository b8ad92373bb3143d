#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/output_file.h"
#include "formats/npy.h"

namespace godwit::formats {
namespace {

const char* type_text(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "|b1";
    case DType::u8: return "|u1";
    case DType::i8: return "|i1";
    case DType::u16: return "<u2";
    case DType::i16: return "<i2";
    case DType::u32: return "<u4";
    case DType::i32: return "<i4";
    case DType::u64: return "<u8";
    case DType::i64: return "<i8";
    case DType::f16: return "<f2";
    case DType::f32: return "<f4";
    case DType::f64: return "<f8";
    case DType::c64: return "<c8";
    case DType::c128: return "<c16";
    default: raise<UsageError>("NumPy has no type {}; write a .safetensors file instead", long_name(dtype));
  }
}

std::string npy_header(const Tensor& t) {
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type_text(t.dtype),
                                 fmt::join(t.shape, ", "), t.shape.size() == 1 ? "," : "");
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string head("\x93NUMPY\x01\x00", 8);
  head += static_cast<char>(dict.size() & 255);
  head += static_cast<char>(dict.size() >> 8);
  return head + dict;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

uint32_t crc_of(uint32_t crc, std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// What the local header and the directory entry share.
std::string zip_fields(uint32_t crc, uint64_t size, const std::string& name) {
  std::string out;
  put(out, 20, 2);          // version needed: 2.0
  put(out, 0x800, 2);       // names are UTF-8
  put(out, 0, 2);           // stored
  put(out, 0x00210000, 4);  // 1 January 1980
  put(out, crc, 4);
  put(out, size, 4);
  put(out, size, 4);
  put(out, name.size(), 2);
  put(out, 0, 2);
  return out;
}

}  // namespace

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const std::string header = npy_header(tensor);
  OutputFile file(path);
  file.write(header);
  file.write(tensor.contiguous().bytes());
  file.close();
}

void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors) {
  constexpr uint64_t limit = 0xffffffff;
  OutputFile file(path);
  std::string directory;
  for (const auto& [key, tensor] : tensors) {
    const std::string name = key + ".npy", header = npy_header(tensor);
    const Tensor flat = tensor.contiguous();
    const uint64_t size = header.size() + flat.nbytes(), offset = file.position();
    require<UsageError>(size + offset < limit && tensors.size() < 65536 && name.size() < 65536,
                        "{}: too large for an .npz file; write a .safetensors file instead", path.string());
    uint32_t crc = crc_of(0, std::as_bytes(std::span(header.data(), header.size())));
    crc = crc_of(crc, flat.bytes());
    const std::string fields = zip_fields(crc, size, name);
    file.write(std::string("PK\x03\x04") + fields + name + header);
    file.write(flat.bytes());
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    directory += fields;
    put(directory, 0, 10);  // comment, disk, attributes
    put(directory, offset, 4);
    directory += name;
  }
  std::string end = "PK\x05\x06";
  put(end, 0, 4);
  put(end, tensors.size(), 2);
  put(end, tensors.size(), 2);
  put(end, directory.size(), 4);
  put(end, file.position(), 4);
  put(end, 0, 2);
  file.write(directory + end);
  file.close();
}

}  // namespace godwit::formats

#include "parity/tensor_file.h"

#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/mapped_file.h"

namespace godwit::parity {
namespace {

constexpr uint64_t kLongestHeader = 100 << 20;
constexpr int64_t kMostSteps = 1'000'000;

struct Code {
  DType dtype;
  std::string_view text;
};
constexpr Code kCodes[] = {
    {DType::boolean, "BOOL"},   {DType::u8, "U8"},
    {DType::i8, "I8"},          {DType::u16, "U16"},
    {DType::i16, "I16"},        {DType::u32, "U32"},
    {DType::i32, "I32"},        {DType::u64, "U64"},
    {DType::i64, "I64"},        {DType::f16, "F16"},
    {DType::bf16, "BF16"},      {DType::f32, "F32"},
    {DType::f64, "F64"},        {DType::f8e4m3fn, "F8_E4M3"},
    {DType::f8e5m2, "F8_E5M2"}, {DType::c64, "C64"},
};

Tensor tensor_of(const nlohmann::json& entry, std::span<const std::byte> data, std::shared_ptr<const void> owner,
                 const std::string& where) {
  Tensor tensor;
  std::string code = entry.at("dtype").get<std::string>();
  auto known = std::find_if(std::begin(kCodes), std::end(kCodes), [&](const Code& c) { return c.text == code; });
  require<FileError>(known != std::end(kCodes), "{} has dtype {}", where, code);
  tensor.dtype = known->dtype;
  tensor.shape = entry.at("shape").get<std::vector<int64_t>>();
  uint64_t begin = entry.at("data_offsets").at(0).get<uint64_t>(), end = entry.at("data_offsets").at(1).get<uint64_t>();
  require<FileError>(begin <= end && end <= data.size(), "{} lies at {}..{} of {} bytes", where, begin, end,
                     data.size());
  uint64_t wanted = static_cast<uint64_t>(checked_size(tensor.shape));
  require<FileError>(wanted <= data.size() && wanted * item_size(tensor.dtype) == end - begin,
                     "{} has {} elements in {} bytes", where, wanted, end - begin);
  tensor.data = data.data() + begin;
  tensor.owner = std::move(owner);
  return tensor;
}

}  // namespace

TensorFile load_tensors(const std::filesystem::path& path) {
  auto mapped = MappedFile::open(path);
  auto bytes = mapped->bytes();
  uint64_t length = 0;
  require<FileError>(bytes.size() >= sizeof length, "{}: too short for a safetensors file", path.string());
  std::memcpy(&length, bytes.data(), sizeof length);
  require<FileError>(length <= kLongestHeader && length <= bytes.size() - sizeof length, "{}: header of {} bytes",
                     path.string(), length);
  TensorFile file;
  try {
    const char* text = reinterpret_cast<const char*>(bytes.data()) + sizeof length;
    nlohmann::json header = nlohmann::json::parse(text, text + length);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        file.metadata = entry.get<std::map<std::string, std::string>>();
      else
        file.tensors[name] =
            tensor_of(entry, bytes.subspan(sizeof length + length), mapped, path.string() + ": tensor " + name);
    }
  } catch (const nlohmann::json::exception& error) {
    raise<FileError>("{}: header: {}", path.string(), error.what());
  }
  return file;
}

void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  nlohmann::json header = nlohmann::json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  uint64_t offset = 0;
  std::vector<Tensor> blobs;
  for (const auto& [name, tensor] : file.tensors) {
    auto known =
        std::find_if(std::begin(kCodes), std::end(kCodes), [&](const Code& c) { return c.dtype == tensor.dtype; });
    require<UsageError>(known != std::end(kCodes), "tensor {}: {} has no place in a safetensors file", name,
                        long_name(tensor.dtype));
    header[name] = {
        {"dtype", known->text}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.nbytes()}}};
    blobs.push_back(tensor.contiguous());
    offset += tensor.nbytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
  for (const Tensor& blob : blobs)
    out.write(reinterpret_cast<const char*>(blob.data), static_cast<std::streamsize>(blob.nbytes()));
  out.close();
  require<FileError>(out.good(), "cannot write {}", path.string());
}

Golden load_golden(const std::filesystem::path& path) {
  TensorFile file = load_tensors(path);
  int64_t steps = 0;
  if (auto entry = file.metadata.find("steps"); entry != file.metadata.end()) {
    const std::string& text = entry->second;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), steps);
    require<FileError>(failed == std::errc() && end == text.data() + text.size() && steps >= 0 && steps <= kMostSteps,
                       "{}: {} steps", path.string(), text);
  }
  return golden_of(file.tensors, steps, path.string());
}

}  // namespace godwit::parity

// Protobuf's wire format, read in place: fields of one message, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::onnx {

using Bytes = std::span<const std::byte>;

// A view of one message. Everything that does not fit in its bytes throws FileError.
class Wire {
 public:
  Wire(Bytes bytes, std::string_view message) : bytes_(bytes), message_(message) {}

  // Moves to the next field; false at the end. What the caller does not read of a field is skipped.
  bool next();
  uint32_t field() const { return field_; }

  uint64_t varint();  // wire type 0
  int64_t integer() { return static_cast<int64_t>(varint()); }
  float real();   // wire type 5
  Bytes bytes();  // wire type 2, without a copy
  std::string_view text();
  std::string string() { return std::string(text()); }

  // Repeated numbers, packed or one by one.
  void append_integers(std::vector<int64_t>& out);
  void append_reals(std::vector<float>& out);
  void append_doubles(std::vector<double>& out);

  [[noreturn]] void fail(std::string_view reason) const;

 private:
  enum Type : uint8_t { number = 0, fixed64 = 1, block = 2, fixed32 = 5 };
  void expect(Type type) const;
  uint64_t read_varint();
  Bytes take(uint64_t size);
  void skip();
  template <class T>
  void append_fixed(std::vector<T>& out, Type type);

  Bytes bytes_;
  std::string_view message_;
  size_t at_ = 0;
  uint32_t field_ = 0;
  Type type_ = number;
  bool pending_ = false;  // a field is open and nobody has read it
};

}  // namespace godwit::onnx

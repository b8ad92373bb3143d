#include "formats/onnx/wire.h"

#include <cstring>

#include "base/error.h"

namespace godwit::onnx {

void Wire::fail(std::string_view reason) const {
  raise<FileError>("[onnx] {} field {} at byte {} of {}: {}", message_, field_, at_, bytes_.size(), reason);
}

uint64_t Wire::read_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ >= bytes_.size()) fail("ends inside a number");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number is longer than ten bytes");
}

Bytes Wire::take(uint64_t size) {
  if (size > bytes_.size() - at_) fail("runs past the end of its message");
  Bytes out = bytes_.subspan(at_, static_cast<size_t>(size));
  at_ += static_cast<size_t>(size);
  return out;
}

void Wire::skip() {
  switch (type_) {
    case number: read_varint(); return;
    case fixed64: take(8); return;
    case fixed32: take(4); return;
    case block: take(read_varint()); return;
  }
}

bool Wire::next() {
  if (pending_) skip();
  pending_ = false;
  if (at_ == bytes_.size()) return false;
  const uint64_t key = read_varint();
  const auto type = static_cast<uint8_t>(key & 7);
  if (key >> 3 == 0 || key >> 32 != 0) fail("field number out of range");
  field_ = static_cast<uint32_t>(key >> 3);
  if (type != number && type != fixed64 && type != block && type != fixed32) fail("unknown wire type");
  type_ = static_cast<Type>(type);
  pending_ = true;
  return true;
}

void Wire::expect(Type type) const {
  if (type_ != type) fail("has another wire type than the schema says");
}

uint64_t Wire::varint() {
  expect(number);
  pending_ = false;
  return read_varint();
}

float Wire::real() {
  expect(fixed32);
  pending_ = false;
  float value;
  std::memcpy(&value, take(4).data(), 4);
  return value;
}

Bytes Wire::bytes() {
  expect(block);
  pending_ = false;
  return take(read_varint());
}

std::string_view Wire::text() {
  Bytes b = bytes();
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

void Wire::append_integers(std::vector<int64_t>& out) {
  if (type_ == number) {
    out.push_back(integer());
    return;
  }
  Wire packed(bytes(), message_);
  packed.field_ = field_;
  while (packed.at_ < packed.bytes_.size()) out.push_back(static_cast<int64_t>(packed.read_varint()));
}

template <class T>
void Wire::append_fixed(std::vector<T>& out, Type type) {
  if (type_ != type) expect(block);
  Bytes b = type_ == block ? bytes() : (pending_ = false, take(sizeof(T)));
  if (b.size() % sizeof(T) != 0) fail("packed numbers of uneven size");
  const size_t before = out.size();
  out.resize(before + b.size() / sizeof(T));
  if (!b.empty()) std::memcpy(out.data() + before, b.data(), b.size());
}

void Wire::append_reals(std::vector<float>& out) { append_fixed(out, fixed32); }
void Wire::append_doubles(std::vector<double>& out) { append_fixed(out, fixed64); }

}  // namespace godwit::onnx

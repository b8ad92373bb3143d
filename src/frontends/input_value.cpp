#include "frontends/input_value.h"

#include "base/error.h"
#include "ir/text.h"

namespace godwit::frontends {
namespace {

bool holds(const Tensor& tensor, const Tensor& value) {
  for (int64_t i = 0; i < value.size(); ++i)
    if (tensor.number(i) != value.number(i) && value.number(i) == value.number(i)) return false;
  return true;
}

// Element by element; the number that a float rounds to is the nearest, an integer must be hit exactly.
Tensor converted(const Tensor& value, DType dtype) {
  std::vector<std::byte> bytes;
  for (int64_t i = 0; i < value.size(); ++i) {
    const Tensor one = Tensor::scalar(dtype, value.number(i));
    bytes.insert(bytes.end(), one.bytes().begin(), one.bytes().end());
  }
  return Tensor::of_bytes(dtype, value.shape, bytes);
}

bool can_convert(DType dtype) { return !is_small_float(dtype) && dtype != DType::text; }

}  // namespace

std::optional<Tensor> given_value(const ImportOptions::Input& given, const ir::Type& declared,
                                  const std::string& name) {
  if (!given.value) return std::nullopt;
  const Tensor& value = *given.value;
  const bool may_be_length = given.shape.has_value();
  if (may_be_length && declared.shape && !declared.shape->empty()) return std::nullopt;
  const bool rank_fits = !declared.shape || declared.shape->size() == value.shape.size();
  if (value.dtype == declared.dtype && rank_fits) return value;
  const bool convertible = rank_fits && !declared.sequence && can_convert(value.dtype) && can_convert(declared.dtype);
  if (convertible) {
    Tensor out = converted(value, declared.dtype);
    if (is_float(declared.dtype) || holds(out, value)) return out;
  }
  raise<UsageError>("input {} is {}, the value given is {}", name, ir::str(declared), describe(value));
}

}  // namespace godwit::frontends

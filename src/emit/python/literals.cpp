#include "emit/python/literals.h"

#include <cmath>

#include "base/error.h"

namespace godwit::emit {

namespace {

template <class T>
std::string number(T value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value < 0 ? "-float(\"inf\")" : "float(\"inf\")";
  return digits(value);
}

}  // namespace

std::string PythonSpelling::real(double value) const { return number(value); }
std::string PythonSpelling::single(float value) const { return number(value); }

std::string PythonSpelling::complex(float re, float im) const {
  return fmt::format("complex({}, {})", number(re), number(im));
}

std::string PythonSpelling::list(const std::vector<std::string>& items) const {
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string PythonSpelling::integer(int64_t value, DType dtype) const {
  return dtype == DType::u64 ? fmt::format("{}", static_cast<uint64_t>(value)) : fmt::format("{}", value);
}

std::string PythonSpelling::dtype(DType dtype, bool in_pattern) const {
  const std::string held = mlx_dtype(dtype);
  const bool is_exact = held == (dtype == DType::boolean ? "bool_" : std::string(long_name(dtype)));
  return is_exact || in_pattern ? "mx." + held : text_literal(name(dtype));
}

std::string PythonSpelling::array(const Tensor& tensor) const {
  const Tensor t = tensor.contiguous();
  const std::string held = python_mlx_dtype(t.dtype);
  if (t.shape.empty()) return fmt::format("mx.array({}, {})", element(t, 0), held);
  if (t.size() == 0) return fmt::format("mx.zeros([{}], {})", fmt::join(t.shape, ", "), held);
  std::vector<std::string> items;
  for (int64_t i = 0; i < t.size(); ++i) items.push_back(element(t, i));
  const std::string out = fmt::format("mx.array({}, {})", list(items), held);
  return t.shape.size() == 1 ? out : fmt::format("{}.reshape({})", out, fmt::join(t.shape, ", "));
}

}  // namespace godwit::emit

#include "emit/cpp/literals.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace godwit::emit {

namespace {

template <class T>
std::string number(T value, const char* suffix) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value < 0 ? "-INFINITY" : "INFINITY";
  return digits(value) + suffix;
}

}  // namespace

std::string CppSpelling::real(double value) const { return number(value, ""); }
std::string CppSpelling::single(float value) const { return number(value, "f"); }

std::string CppSpelling::complex(float re, float im) const {
  return fmt::format("mx::complex64_t({}, {})", single(re), single(im));
}

std::string CppSpelling::list(const std::vector<std::string>& items) const {
  return fmt::format("{{{}}}", fmt::join(items, ", "));
}

std::string CppSpelling::dtype(DType dtype, bool in_pattern) const {
  if (in_pattern) return cpp_mlx_dtype(dtype);
  return "DType::" + std::string(dtype == DType::boolean ? "boolean" : name(dtype));
}

std::string CppSpelling::integer(int64_t value, DType dtype) const {
  if (dtype == DType::u64) return fmt::format("uint64_t{{{}u}}", static_cast<uint64_t>(value));
  if (value == std::numeric_limits<int64_t>::min()) return "std::numeric_limits<int64_t>::min()";
  const bool is_wide = value > INT32_MAX || value < INT32_MIN || dtype == DType::u32;
  return is_wide ? fmt::format("int64_t{{{}}}", value) : fmt::format("{}", value);
}

std::string cpp_int(int64_t value) {
  if (value >= INT32_MAX) return "op::end";
  return value <= INT32_MIN ? "-op::end - 1" : std::to_string(value);
}

std::string CppSpelling::array(const Tensor& tensor) const {
  const Tensor t = tensor.contiguous();
  const std::string held = cpp_mlx_dtype(t.dtype);
  const bool is_plain = t.dtype == DType::f32 || t.dtype == DType::boolean || t.dtype == DType::i32;
  if (t.shape.empty()) return fmt::format("array({}{})", element(t, 0), is_plain ? "" : ", " + held);
  const std::string shape = fmt::format("{{{}}}", fmt::join(t.shape, ", "));
  if (t.size() == 0) return fmt::format("mx::zeros({}, {})", shape, held);
  std::vector<std::string> items;
  bool is_wide = false;
  for (int64_t i = 0; i < t.size(); ++i) {
    items.push_back(element(t, i));
    is_wide = is_wide || items.back().find("int64_t") != std::string::npos;
  }
  // One wide element makes all of a braced list int64_t.
  if (is_wide && t.dtype != DType::u64)
    for (std::string& item : items)
      if (item.find("int64_t") == std::string::npos) item = "int64_t{" + item + "}";
  return fmt::format("array({}, {}{})", list(items), shape, is_plain ? "" : ", " + held);
}

}  // namespace godwit::emit

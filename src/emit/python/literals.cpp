#include "emit/python/literals.h"

#include <cmath>

#include "emit/cpp/literals.h"
#include "ops/dtype.h"

namespace godwit::emit {

std::string python_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string python_mlx_dtype(DType dtype) { return "mx." + cpp_mlx_dtype(dtype).substr(4); }

namespace {

template <class T>
std::string real(T value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value < 0 ? "-float(\"inf\")" : "float(\"inf\")";
  std::string digits = fmt::format("{}", value);
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

std::string element(const Tensor& t, int64_t i) {
  switch (t.dtype) {
    case DType::boolean: return t.integer(i) ? "True" : "False";
    case DType::f16:
    case DType::bf16:
    case DType::f32: return real(static_cast<float>(t.number(i)));
    case DType::f64: return real(t.number(i));
    case DType::u64: return fmt::format("{}", static_cast<uint64_t>(t.integer(i)));
    case DType::c64: {
      const float* f = reinterpret_cast<const float*>(t.data) + 2 * i;
      return fmt::format("complex({}, {})", real(f[0]), real(f[1]));
    }
    case DType::c128: {
      const double* f = reinterpret_cast<const double*>(t.data) + 2 * i;
      return fmt::format("complex({}, {})", real(f[0]), real(f[1]));
    }
    default: break;
  }
  if (is_small_float(t.dtype))
    return fmt::format("{}", static_cast<unsigned>(t.values<uint8_t>()[static_cast<size_t>(i)]));
  return fmt::format("{}", t.integer(i));
}

}  // namespace

std::string python_array(const Tensor& tensor) {
  const Tensor t = tensor.contiguous();
  const std::string dtype = python_mlx_dtype(t.dtype);
  if (t.shape.empty()) return fmt::format("mx.array({}, {})", element(t, 0), dtype);
  if (t.size() == 0) return fmt::format("mx.zeros([{}], {})", fmt::join(t.shape, ", "), dtype);
  std::vector<std::string> items;
  for (int64_t i = 0; i < t.size(); ++i) items.push_back(element(t, i));
  std::string out = fmt::format("mx.array([{}], {})", fmt::join(items, ", "), dtype);
  return t.shape.size() == 1 ? out : fmt::format("{}.reshape({})", out, fmt::join(t.shape, ", "));
}

std::string python_attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                             const std::function<std::string(const ir::Dim&)>& dim) {
  using Kind = ops::Param::Kind;
  std::vector<std::string> items;
  switch (kind) {
    case Kind::integer: return dim(std::get<ir::Dim>(attr));
    case Kind::integers:
      for (const ir::Dim& d : std::get<ir::Dims>(attr)) items.push_back(dim(d));
      break;
    case Kind::real: return real(std::get<double>(attr));
    case Kind::reals:
      for (double d : std::get<std::vector<double>>(attr)) items.push_back(real(d));
      break;
    case Kind::flag: return std::get<bool>(attr) ? "True" : "False";
    case Kind::text: return python_text(std::get<std::string>(attr));
    case Kind::texts:
      for (const std::string& s : std::get<std::vector<std::string>>(attr)) items.push_back(python_text(s));
      break;
    case Kind::dtype: {
      const DType d = std::get<DType>(attr);
      const std::string held = python_mlx_dtype(d);
      const bool is_exact = held == "mx." + (d == DType::boolean ? "bool_" : std::string(long_name(d)));
      return is_exact || in_pattern ? held : python_text(name(d));
    }
    default: return python_array(std::get<Tensor>(attr));
  }
  return fmt::format("[{}]", fmt::join(items, ", "));
}

}  // namespace godwit::emit

#include "emit/cpp/literals.h"

#include <cmath>
#include <limits>

#include "ops/dtype.h"

namespace godwit::emit {

std::string cpp_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

namespace {

std::string with_point(std::string digits) {
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

std::string cpp_float(float value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value < 0 ? "-INFINITY" : "INFINITY";
  return with_point(fmt::format("{}", value)) + "f";
}

std::string element(const Tensor& t, int64_t i) {
  switch (t.dtype) {
    case DType::boolean: return t.integer(i) ? "true" : "false";
    case DType::f16:
    case DType::bf16:
    case DType::f32: return cpp_float(static_cast<float>(t.number(i)));
    case DType::f64: return cpp_real(t.number(i));
    case DType::u64: return fmt::format("uint64_t{{{}u}}", static_cast<uint64_t>(t.integer(i)));
    case DType::c64: {
      const float* f = reinterpret_cast<const float*>(t.data) + 2 * i;
      return fmt::format("mx::complex64_t({}, {})", cpp_float(f[0]), cpp_float(f[1]));
    }
    case DType::c128: {
      const double* f = reinterpret_cast<const double*>(t.data) + 2 * i;
      return fmt::format("mx::complex64_t({}, {})", cpp_float(static_cast<float>(f[0])),
                         cpp_float(static_cast<float>(f[1])));
    }
    default: break;
  }
  if (is_small_float(t.dtype))
    return fmt::format("{}", static_cast<unsigned>(t.values<uint8_t>()[static_cast<size_t>(i)]));
  const int64_t v = t.integer(i);
  if (v == std::numeric_limits<int64_t>::min()) return "std::numeric_limits<int64_t>::min()";
  // One wide element makes all of a braced list int64_t.
  return v > INT32_MAX || v < INT32_MIN || t.dtype == DType::u32 ? fmt::format("int64_t{{{}}}", v)
                                                                 : fmt::format("{}", v);
}

}  // namespace

std::string cpp_real(double value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value < 0 ? "-INFINITY" : "INFINITY";
  return with_point(fmt::format("{}", value));
}

std::string cpp_int(int64_t value) {
  if (value >= INT32_MAX) return "op::end";
  return value <= INT32_MIN ? "-op::end - 1" : std::to_string(value);
}

std::string cpp_mlx_dtype(DType dtype) {
  const mlx::core::Dtype held = ops::mlx_dtype(dtype);
  for (DType d : {DType::boolean, DType::u8, DType::i8, DType::u16, DType::i16, DType::u32, DType::i32, DType::u64,
                  DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64})
    if (ops::mlx_dtype(d) == held) return "mx::" + (d == DType::boolean ? "bool_" : std::string(long_name(d)));
  raise<InternalError>("no MLX type for {}", name(dtype));
}

std::string cpp_array(const Tensor& tensor) {
  const Tensor t = tensor.contiguous();
  const std::string dtype = cpp_mlx_dtype(t.dtype);
  const bool is_plain = t.dtype == DType::f32 || t.dtype == DType::boolean || t.dtype == DType::i32;
  if (t.shape.empty()) return fmt::format("array({}{})", element(t, 0), is_plain ? "" : ", " + dtype);
  const std::string shape = fmt::format("{{{}}}", fmt::join(t.shape, ", "));
  if (t.size() == 0) return fmt::format("mx::zeros({}, {})", shape, dtype);
  std::vector<std::string> items;
  bool is_wide = false;
  for (int64_t i = 0; i < t.size(); ++i) {
    items.push_back(element(t, i));
    is_wide = is_wide || items.back().find("int64_t") != std::string::npos;
  }
  if (is_wide && t.dtype != DType::u64)
    for (int64_t i = 0; i < t.size(); ++i)
      if (items[static_cast<size_t>(i)].find("int64_t") == std::string::npos)
        items[static_cast<size_t>(i)] = "int64_t{" + items[static_cast<size_t>(i)] + "}";
  return fmt::format("array({{{}}}, {}{})", fmt::join(items, ", "), shape, is_plain ? "" : ", " + dtype);
}

std::string cpp_attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                          const std::function<std::string(const ir::Dim&)>& dim) {
  using Kind = ops::Param::Kind;
  std::vector<std::string> items;
  switch (kind) {
    case Kind::integer: return dim(std::get<ir::Dim>(attr));
    case Kind::integers:
      for (const ir::Dim& d : std::get<ir::Dims>(attr)) items.push_back(dim(d));
      break;
    case Kind::real: return cpp_real(std::get<double>(attr));
    case Kind::reals:
      for (double d : std::get<std::vector<double>>(attr)) items.push_back(cpp_real(d));
      break;
    case Kind::flag: return std::get<bool>(attr) ? "true" : "false";
    case Kind::text: return cpp_text(std::get<std::string>(attr));
    case Kind::texts:
      for (const std::string& s : std::get<std::vector<std::string>>(attr)) items.push_back(cpp_text(s));
      break;
    case Kind::dtype: {
      const DType d = std::get<DType>(attr);
      if (in_pattern) return cpp_mlx_dtype(d);
      return "DType::" + std::string(d == DType::boolean ? "boolean" : name(d));
    }
    default: return cpp_array(std::get<Tensor>(attr));
  }
  return fmt::format("{{{}}}", fmt::join(items, ", "));
}

}  // namespace godwit::emit

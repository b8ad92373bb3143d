#include "emit/code/spelling.h"

#include "base/error.h"
#include "ops/dtype.h"

namespace godwit::emit {

std::string text_literal(std::string_view text) {
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

std::string Spelling::mlx_dtype(DType dtype) {
  const mlx::core::Dtype held = ops::mlx_dtype(dtype);
  for (DType d : {DType::boolean, DType::u8, DType::i8, DType::u16, DType::i16, DType::u32, DType::i32, DType::u64,
                  DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64})
    if (ops::mlx_dtype(d) == held) return d == DType::boolean ? "bool_" : std::string(long_name(d));
  raise<InternalError>("no MLX type for {}", name(dtype));
}

std::string Spelling::element(const Tensor& t, int64_t i) const {
  switch (t.dtype) {
    case DType::boolean: return flag(t.integer(i) != 0);
    case DType::f16:
    case DType::bf16:
    case DType::f32: return single(static_cast<float>(t.number(i)));
    case DType::f64: return real(t.number(i));
    case DType::c64: {
      const float* f = reinterpret_cast<const float*>(t.data) + 2 * i;
      return complex(f[0], f[1]);
    }
    case DType::c128: {
      const double* f = reinterpret_cast<const double*>(t.data) + 2 * i;
      return complex(static_cast<float>(f[0]), static_cast<float>(f[1]));
    }
    default: break;
  }
  return integer(is_small_float(t.dtype) ? t.values<uint8_t>()[static_cast<size_t>(i)] : t.integer(i), t.dtype);
}

std::string Spelling::attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                                const std::function<std::string(const ir::Dim&)>& dim) const {
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
    case Kind::flag: return flag(std::get<bool>(attr));
    case Kind::text: return text_literal(std::get<std::string>(attr));
    case Kind::texts:
      for (const std::string& s : std::get<std::vector<std::string>>(attr)) items.push_back(text_literal(s));
      break;
    case Kind::dtype: return dtype(std::get<DType>(attr), in_pattern);
    default: return array(std::get<Tensor>(attr));
  }
  return list(items);
}

}  // namespace godwit::emit

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "ir/text.h"

namespace godwit::ir {
namespace {

std::string real_text(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::string s = fmt::format("{}", v);
  return s.find_first_of(".e") == std::string::npos ? s + ".0" : s;
}

std::string quote(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
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

std::string element_text(const Tensor& t, int64_t i) {
  switch (t.dtype) {
    case DType::f16:
    case DType::bf16:
    case DType::f32: return fmt::format("{}", static_cast<float>(t.number(i)));
    case DType::f64: return fmt::format("{}", t.number(i));
    case DType::u64: return fmt::format("{}", static_cast<uint64_t>(t.integer(i)));
    default: break;
  }
  if (is_integer(t.dtype) || t.dtype == DType::boolean) return fmt::format("{}", t.integer(i));
  std::string hex = "0x";  // complex, float8: the bytes as they lie
  const Tensor flat = t.contiguous();
  for (size_t b = 0; b < item_size(t.dtype); ++b)
    hex += fmt::format("{:02x}", static_cast<unsigned>(flat.data[static_cast<size_t>(i) * item_size(t.dtype) + b]));
  return hex;
}

std::string tensor_text(const Tensor& t) {
  std::string out = std::string(name(t.dtype)) + str(dims(t.shape)) + "{";
  for (int64_t i = 0; i < t.size(); ++i) out += (i ? ", " : "") + element_text(t, i);
  return out + "}";
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
  return s;
}

// Splits at commas that stand outside brackets and quotes.
std::vector<std::string_view> split(std::string_view s) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < s.size(); ++i) {
    if (quoted) {
      if (s[i] == '\\')
        ++i;
      else if (s[i] == '"')
        quoted = false;
      continue;
    }
    if (s[i] == '"') quoted = true;
    if (s[i] == '(' || s[i] == '[' || s[i] == '{') ++depth;
    if (s[i] == ')' || s[i] == ']' || s[i] == '}') --depth;
    if (s[i] == ',' && depth == 0) {
      parts.push_back(trim(s.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (!trim(s.substr(start)).empty() || !parts.empty()) parts.push_back(trim(s.substr(start)));
  return parts;
}

int hex_byte(std::string_view s) {
  int v = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v, 16);
  require<FileError>(error == std::errc() && end == s.data() + s.size() && v >= 0, "bad hexadecimal byte {}", s);
  return v;
}

std::string unquote(std::string_view s) {
  require<FileError>(s.size() >= 2 && s.front() == '"' && s.back() == '"', "bad text literal {}", s);
  std::string out;
  for (size_t i = 1; i + 1 < s.size(); ++i) {
    if (s[i] != '\\') {
      out += s[i];
    } else if (++i; s[i] == 'n') {
      out += '\n';
    } else if (s[i] == 'x' && i + 3 < s.size()) {
      out += static_cast<char>(hex_byte(s.substr(i + 1, 2)));
      i += 2;
    } else {
      out += s[i];
    }
  }
  return out;
}

bool is_real(std::string_view s) {
  if (!s.empty() && s.front() == '-') s.remove_prefix(1);
  if (s == "inf" || s == "nan") return true;
  if (s.empty() || !std::isdigit(static_cast<unsigned char>(s.front()))) return false;
  bool marked = false;
  for (char c : s) {
    if (c == '.' || c == 'e')
      marked = true;
    else if (!std::isdigit(static_cast<unsigned char>(c)) && c != '-' && c != '+')
      return false;
  }
  return marked;
}

double parse_real(std::string_view s) {
  if (s == "inf") return INFINITY;
  if (s == "-inf") return -INFINITY;
  if (s == "nan" || s == "-nan") return NAN;
  double v = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  require<FileError>(error == std::errc() && end == s.data() + s.size(), "bad number {}", s);
  return v;
}

template <class T>
T parse_integer(std::string_view s) {
  T v = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  require<FileError>(error == std::errc() && end == s.data() + s.size(), "bad integer {}", s);
  return v;
}

void store_element(Tensor& t, int64_t i, std::string_view s) {
  const size_t item = item_size(t.dtype);
  std::byte* to = t.mutable_data() + static_cast<size_t>(i) * item;
  if (s.starts_with("0x")) {
    require<FileError>(s.size() == 2 + 2 * item, "bad element {}", s);
    for (size_t b = 0; b < item; ++b) to[b] = static_cast<std::byte>(hex_byte(s.substr(2 + 2 * b, 2)));
    return;
  }
  if (t.dtype == DType::i64 || t.dtype == DType::u64) {
    uint64_t v = t.dtype == DType::u64 ? parse_integer<uint64_t>(s) : static_cast<uint64_t>(parse_integer<int64_t>(s));
    std::memcpy(to, &v, 8);
    return;
  }
  require<FileError>(!is_complex(t.dtype) && !is_small_float(t.dtype) && t.dtype != DType::text, "bad element {}", s);
  Tensor one = Tensor::scalar(t.dtype, parse_real(s));
  std::memcpy(to, one.data, item);
}

std::optional<Attr> parse_tensor(std::string_view s) {
  size_t open = s.find('['), close = s.find("]{");
  if (open == std::string_view::npos || close == std::string_view::npos || !s.ends_with('}')) return std::nullopt;
  auto dtype = parse_dtype(s.substr(0, open));
  if (!dtype) return std::nullopt;
  std::vector<int64_t> shape;
  for (std::string_view d : split(s.substr(open + 1, close - open - 1))) shape.push_back(parse_integer<int64_t>(d));
  auto elements = split(s.substr(close + 2, s.size() - close - 3));
  require<FileError>(static_cast<int64_t>(elements.size()) == checked_size(shape),
                     "{} elements in a tensor literal of shape [{}]", elements.size(), fmt::join(shape, ", "));
  Tensor t = Tensor::zeros(*dtype, shape);
  for (size_t i = 0; i < elements.size(); ++i) store_element(t, static_cast<int64_t>(i), elements[i]);
  return t;
}

Attr parse_list(std::string_view s) {
  auto items = split(s.substr(1, s.size() - 2));
  if (!items.empty() && items[0].starts_with('"')) {
    std::vector<std::string> texts;
    for (auto item : items) texts.push_back(unquote(item));
    return texts;
  }
  if (!items.empty() && is_real(items[0])) {
    std::vector<double> reals;
    for (auto item : items) reals.push_back(parse_real(item));
    return reals;
  }
  Dims dims;
  for (auto item : items) dims.push_back(Dim::parse(item));
  return dims;
}

}  // namespace

std::string str(const Attr& attr) {
  struct Print {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(const Dim& v) const { return v.str(); }
    std::string operator()(double v) const { return real_text(v); }
    std::string operator()(const std::string& v) const { return quote(v); }
    std::string operator()(DType v) const { return std::string(name(v)); }
    std::string operator()(const Dims& v) const { return str(v); }
    std::string operator()(const std::vector<double>& v) const {
      if (v.empty()) return "reals[]";
      std::string out;
      for (double x : v) out += (out.empty() ? "[" : ", ") + real_text(x);
      return out + "]";
    }
    std::string operator()(const std::vector<std::string>& v) const {
      if (v.empty()) return "texts[]";
      std::string out;
      for (const auto& x : v) out += (out.empty() ? "[" : ", ") + quote(x);
      return out + "]";
    }
    std::string operator()(const Tensor& v) const { return tensor_text(v); }
  };
  return std::visit(Print{}, attr);
}

Attr parse_attr(std::string_view s) {
  s = trim(s);
  require<FileError>(!s.empty(), "empty attribute");
  if (s == "true") return true;
  if (s == "false") return false;
  if (s == "reals[]") return std::vector<double>{};
  if (s == "texts[]") return std::vector<std::string>{};
  if (s.front() == '"') return unquote(s);
  if (auto tensor = parse_tensor(s)) return *tensor;
  if (s.front() == '[' && s.back() == ']') return parse_list(s);
  if (is_real(s)) return parse_real(s);
  if (auto dtype = parse_dtype(s)) return *dtype;
  return Dim::parse(s);
}

}  // namespace godwit::ir

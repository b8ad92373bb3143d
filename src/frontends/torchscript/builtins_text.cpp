// Texts, and operators that only matter while a model is trained or debugged.
#include <algorithm>
#include <cctype>

#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

std::string formatted(const std::string& pattern, const Values& arguments) {
  std::string out;
  size_t next = 1;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{' && next < arguments.size()) {
      const size_t close = pattern.find('}', i);
      if (close == pattern.npos) break;
      out += text_of(arguments[next++]);
      i = close;
    } else {
      out.push_back(pattern[i]);
    }
  }
  return out;
}

std::string percent_formatted(const std::string& pattern, const Values& arguments) {
  Values given(arguments.begin() + 1, arguments.end());
  if (given.size() == 1 && items_of(given[0])) given = Values(*items_of(given[0]));
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 >= pattern.size()) {
      out.push_back(pattern[i]);
      continue;
    }
    ++i;
    if (pattern[i] == '%')
      out.push_back('%');
    else if (next < given.size())
      out += text_of(given[next++]);
  }
  return out;
}

std::string stripped(const std::string& text, const std::string& letters, bool left, bool right) {
  size_t from = 0, to = text.size();
  while (left && from < to && letters.find(text[from]) != letters.npos) ++from;
  while (right && to > from && letters.find(text[to - 1]) != letters.npos) --to;
  return text.substr(from, to - from);
}

Value split(const std::string& text, const std::string& separator) {
  Values out;
  if (separator.empty()) {
    for (size_t i = 0; i < text.size();) {
      while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i]))) ++i;
      size_t end = i;
      while (end < text.size() && !std::isspace(static_cast<unsigned char>(text[end]))) ++end;
      if (end > i) out.emplace_back(text.substr(i, end - i));
      i = end;
    }
    return Value::list(out);
  }
  size_t from = 0;
  for (size_t at; (at = text.find(separator, from)) != text.npos; from = at + separator.size())
    out.emplace_back(text.substr(from, at - from));
  out.emplace_back(text.substr(from));
  return Value::list(out);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  if (from.empty()) return text;
  std::string out;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != text.npos; at = found + from.size())
    out += text.substr(at, found - at) + to;
  return out + text.substr(at);
}

std::optional<Value> on_text(const std::string& op, const std::string& text, const Values& a) {
  auto argument = [&](size_t i) -> const std::string* { return i < a.size() ? a[i].get<std::string>() : nullptr; };
  if (op == "format") return Value(formatted(text, a));
  if (op == "percentFormat") return Value(percent_formatted(text, a));
  if (op == "Bool") return Value(!text.empty());
  if (op == "add" && argument(1)) return Value(text + *argument(1));
  if (op == "mul" && a.size() == 2 && a[1].get<ir::Dim>() && a[1].get<ir::Dim>()->is_known()) {
    std::string out;
    for (int64_t i = 0; i < std::min<int64_t>(a[1].get<ir::Dim>()->value(), 10'000); ++i) out += text;
    return Value(out);
  }
  if (op == "split") return split(text, argument(1) ? *argument(1) : "");
  if (op == "strip" || op == "lstrip" || op == "rstrip")
    return Value(stripped(text, argument(1) ? *argument(1) : " \t\n\r\v\f", op != "rstrip", op != "lstrip"));
  if (op == "replace" && argument(1) && argument(2)) return Value(replaced(text, *argument(1), *argument(2)));
  if (op == "startswith" && argument(1)) return Value(text.starts_with(*argument(1)));
  if (op == "endswith" && argument(1)) return Value(text.ends_with(*argument(1)));
  if ((op == "find" || op == "index") && argument(1)) {
    const size_t at = text.find(*argument(1));
    return Value(at == text.npos ? int64_t{-1} : static_cast<int64_t>(at));
  }
  if (op == "upper" || op == "lower") {
    std::string out = text;
    for (char& c : out)
      c = static_cast<char>(op == "upper" ? std::toupper(static_cast<unsigned char>(c))
                                          : std::tolower(static_cast<unsigned char>(c)));
    return Value(out);
  }
  if (op == "isdigit")
    return Value(!text.empty() &&
                 std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }));
  if (op == "join" && a.size() == 2 && items_of(a[1])) {
    std::string out;
    for (const Value& v : *items_of(a[1]))
      out += (out.empty() && &v == items_of(a[1])->data() ? "" : text) + text_of(v);
    return Value(out);
  }
  if (op == "device") return Value(text);
  if (op == "str") return Value(text);
  if (op == "ord" && text.size() == 1) return Value(static_cast<int64_t>(static_cast<unsigned char>(text[0])));
  // A device is a text; its parts are asked for by operators.
  if (op == "type") return Value(text.substr(0, text.find(':')));
  if (op == "is_cuda") return Value(text.starts_with("cuda"));
  return std::nullopt;
}

}  // namespace

std::string text_of(const Value& value) {
  if (value.is_none()) return "None";
  if (auto* s = value.get<std::string>()) return *s;
  if (auto* b = value.get<bool>()) return *b ? "True" : "False";
  if (auto* n = value.get<ir::Dim>()) return n->str();
  if (auto* d = value.get<double>()) return fmt::format("{}", *d);
  if (auto item = as<EnumBox>(value)) return item->name;
  const Values* items = items_of(value);
  if (!items) return describe(value);
  std::string out;
  for (const Value& v : *items) {
    if (out.size() > 10'000) return "[...]";
    out += (out.empty() ? "" : ", ") + text_of(v);
  }
  return value.is<aten::List>() ? "[" + out + "]" : "(" + out + ")";
}

std::optional<Value> call_text_builtin(Evaluator&, const std::string& name, const Values& arguments) {
  const std::string op = name.substr(name.find("::") + 2);
  if (op == "warn" || op == "set_grad_enabled" || op == "_log_api_usage_once" || op == "manual_seed" || op == "print" ||
      op == "_assert" || op == "warnings")
    return Value();
  // With gradients torch.nn takes its plain formulas instead of fused inference kernels: the same mathematics.
  if (op == "is_grad_enabled") return Value(true);
  if (op == "is_autocast_enabled" || op == "is_autocast_cpu_enabled" || op == "_get_tracing_state" ||
      op == "is_tracing")
    return Value(false);
  if (op == "is_scripting") return Value(true);
  if (op == "get_default_dtype") return Value(6);
  if (arguments.empty()) return std::nullopt;
  if (op == "wait" || op == "Future") return arguments[0];
  if (op == "str") return Value(text_of(arguments[0]));
  if (op == "chr" && arguments[0].get<ir::Dim>())
    return Value(std::string(1, static_cast<char>(arguments[0].get<ir::Dim>()->value())));
  if (op == "unchecked_unwrap_optional" || op == "_unwrap_optional") return arguments[0];
  if (name == "prim::name" || name == "prim::value")
    if (auto item = as<EnumBox>(arguments[0])) return op == "name" ? Value(item->name) : item->value;
  if (name == "prim::itemsize") return std::nullopt;
  if (auto* text = arguments[0].get<std::string>()) return on_text(op, *text, arguments);
  return std::nullopt;
}

}  // namespace godwit::frontends::torchscript

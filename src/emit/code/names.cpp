#include "emit/code/names.h"

#include <cctype>

namespace godwit::emit {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Both languages avoid the keywords of both, so that their programs use the same names.
// clang-format off
constexpr const char* reserved[] = {
    "alignas", "alignof", "and", "and_eq", "as", "asm", "assert", "async", "auto", "await", "bitand", "bitor", "bool", "break",
    "case", "catch", "char", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const", "constexpr",
    "const_cast", "continue", "decltype", "def", "default", "del", "delete", "do", "double", "dynamic_cast", "elif", "else",
    "enum", "except", "explicit", "export", "extern", "false", "finally", "float", "for", "friend", "from", "global", "goto",
    "if", "import", "in", "inline", "int", "is", "lambda", "long", "mutable", "namespace", "new", "noexcept", "nonlocal",
    "not", "not_eq", "nullptr", "operator", "or", "or_eq", "pass", "private", "protected", "public", "raise", "register",
    "reinterpret_cast", "requires", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename",
    "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "with", "xor", "xor_eq", "yield",
    "None", "True", "False", "self", "mx", "nn", "op", "ops", "array", "std", "godwit", "weights", "forward", "reset",
    "range", "list", "len", "min", "max", "int64_t", "size_t", "Sequence", "Outputs", "at", "NULL", "INFINITY", "NAN",
    "complex", "print", "str", "float32", "float16", "bfloat16", "i", "unix", "linux",
};
// What mlx.nn.Module has.
constexpr const char* module_members[] = {
    "training", "state", "train", "eval", "update", "freeze", "unfreeze", "parameters", "modules", "children", "keys", "items",
    "values", "get", "pop", "copy", "clear", "apply", "load_weights", "save_weights", "set_dtype",
};
// clang-format on

}  // namespace

std::string identifier(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (is_word(c))
      out += c;
    else if (!out.empty() && out.back() != '_')
      out += '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty()) return "value";
  return std::isdigit(static_cast<unsigned char>(out[0])) ? "v" + out : out;
}

std::string class_identifier(std::string_view text) {
  std::string out;
  bool upper = true;
  for (char c : text) {
    if (!is_word(c)) {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  if (out.empty()) return "Model";
  return std::isdigit(static_cast<unsigned char>(out[0])) ? "Model" + out : out;
}

Namer::Namer(Kind kind) : taken_(std::begin(reserved), std::end(reserved)) {
  if (kind == Kind::members) taken_.insert(std::begin(module_members), std::end(module_members));
}

std::string Namer::unique(const std::string& wanted) {
  if (taken_.insert(wanted).second) return wanted;
  for (int n = 2;; ++n)
    if (std::string name = wanted + "_" + std::to_string(n); taken_.insert(name).second) return name;
}

}  // namespace godwit::emit

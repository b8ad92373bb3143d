// Tokens of serialized TorchScript, with its indentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::formats::torchscript {

struct Token {
  enum class Kind : uint8_t { name, number, text, symbol, newline, indent, dedent, end };
  Kind kind;
  std::string_view text;  // points into the source
  uint32_t offset = 0;
};

// Throws FileError with `path` and line. The last token is `end`.
std::vector<Token> tokenize(std::string_view source, const std::string& path);

// The characters of a text literal ("a\n\003" with its quotes).
std::string unescape(std::string_view literal);

// 1-based line of a byte.
int line_of(std::string_view source, size_t offset);

}  // namespace godwit::formats::torchscript

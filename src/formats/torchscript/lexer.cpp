#include "formats/torchscript/lexer.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace godwit::formats::torchscript {
namespace {

constexpr size_t kMaxSource = size_t{64} << 20, kMaxIndent = 400;

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& path) : source_(source), path_(path) {}

  std::vector<Token> run() {
    require<FileError>(source_.size() <= kMaxSource, "{}: source text of {} bytes", path_, source_.size());
    while (at_ < source_.size()) {
      if (at_line_start_ && depth_ == 0) {
        if (!start_line()) continue;
      }
      step();
    }
    if (!tokens_.empty() && tokens_.back().kind != Token::Kind::newline) add(Token::Kind::newline, 0);
    for (; indents_.size() > 1; indents_.pop_back()) add(Token::Kind::dedent, 0);
    add(Token::Kind::end, 0);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const char* why) const { raise<FileError>("{}:{}: {}", path_, line_of(source_, at_), why); }
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  void add(Token::Kind kind, size_t size) {
    tokens_.push_back({kind, source_.substr(at_, size), static_cast<uint32_t>(at_)});
    at_ += size;
  }

  // Indentation of a line; false for an empty one.
  bool start_line() {
    size_t spaces = 0;
    while (peek(spaces) == ' ') ++spaces;
    if (peek(spaces) == '\n') {
      at_ += spaces + 1;
      return false;
    }
    at_ += spaces;
    at_line_start_ = false;
    if (spaces > indents_.back()) {
      if (indents_.size() > kMaxIndent) fail("blocks are nested too deep");
      indents_.push_back(spaces);
      add(Token::Kind::indent, 0);
    }
    while (spaces < indents_.back()) {
      indents_.pop_back();
      add(Token::Kind::dedent, 0);
    }
    if (spaces != indents_.back()) fail("bad indentation");
    return true;
  }

  void step() {
    const char c = peek();
    if (c == '\n') {
      if (depth_ > 0) {
        ++at_;
        return;
      }
      add(Token::Kind::newline, 1);
      at_line_start_ = true;
    } else if (c == ' ') {
      ++at_;
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
      size_t n = 1;
      while (std::isalnum(static_cast<unsigned char>(peek(n))) || peek(n) == '_') ++n;
      add(Token::Kind::name, n);
    } else if (std::isdigit(static_cast<unsigned char>(c)) ||
               (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))) {
      add(Token::Kind::number, number_size());
    } else if (c == '"' || c == '\'') {
      add(Token::Kind::text, text_size(c));
    } else {
      symbol(c);
    }
  }
  size_t number_size() const {
    size_t n = 0;
    auto digits = [&] {
      while (std::isdigit(static_cast<unsigned char>(peek(n)))) ++n;
    };
    digits();
    if (peek(n) == '.') ++n, digits();
    if ((peek(n) == 'e' || peek(n) == 'E')) {
      size_t sign = (peek(n + 1) == '-' || peek(n + 1) == '+') ? 2 : 1;
      if (std::isdigit(static_cast<unsigned char>(peek(n + sign)))) n += sign, digits();
    }
    if (peek(n) == '.' && peek(n + 1) == 'j') ++n;  // the imaginary part "2.5.j"
    if (peek(n) == 'j') ++n;
    return n;
  }
  size_t text_size(char quote) const {
    for (size_t n = 1; at_ + n < source_.size(); ++n) {
      if (peek(n) == '\\')
        ++n;
      else if (peek(n) == quote)
        return n + 1;
      else if (peek(n) == '\n')
        break;
    }
    fail("a text has no end");
  }
  void symbol(char c) {
    if (c == '-' && peek(1) == '>') return add(Token::Kind::symbol, 2);
    if (std::string_view("([{").find(c) != std::string_view::npos)
      ++depth_;
    else if (std::string_view(")]}").find(c) != std::string_view::npos)
      depth_ -= depth_ > 0;
    else if (std::string_view(":,.=+-").find(c) == std::string_view::npos)
      fail("unexpected character");
    add(Token::Kind::symbol, 1);
  }

  std::string_view source_;
  const std::string& path_;
  size_t at_ = 0, depth_ = 0;
  bool at_line_start_ = true;
  std::vector<size_t> indents_{0};
  std::vector<Token> tokens_;
};

char simple_escape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'v': return '\v';
    default: return c;
  }
}

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& path) { return Lexer(source, path).run(); }

std::string unescape(std::string_view literal) {
  std::string out;
  for (size_t i = 1; i + 1 < literal.size(); ++i) {
    if (literal[i] != '\\') {
      out.push_back(literal[i]);
      continue;
    }
    ++i;
    if (literal[i] >= '0' && literal[i] <= '7') {
      int value = 0, digits = 0;
      while (digits < 3 && i + 1 < literal.size() && literal[i] >= '0' && literal[i] <= '7') {
        value = value * 8 + (literal[i++] - '0');
        ++digits;
      }
      --i;
      out.push_back(static_cast<char>(value));
    } else {
      out.push_back(simple_escape(literal[i]));
    }
  }
  return out;
}

int line_of(std::string_view source, size_t offset) {
  return 1 + static_cast<int>(std::count(
                 source.begin(), source.begin() + static_cast<ptrdiff_t>(std::min(offset, source.size())), '\n'));
}

}  // namespace godwit::formats::torchscript

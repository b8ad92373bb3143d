#include "frontends/pt2/sympy.h"

#include <charconv>
#include <vector>

#include "base/error.h"
#include "ops/quotient.h"

namespace godwit::frontends::pt2 {
namespace {

// What an expression is worth: an integer form, or a quotient that a rounding function may still turn into one.
struct Term {
  std::optional<ir::Dim> dim;
  std::optional<ir::Dim> divisor;  // set: dim / divisor, a fraction
};

class Parser {
 public:
  Parser(std::string_view text, const SymbolLookup& lookup) : text_(text), lookup_(lookup) {}

  Term whole() {
    Term t = term();
    check(at_ == text_.size());
    return t;
  }

 private:
  Term term() {
    check(++depth_ < 100);
    Term t = expression();
    --depth_;
    return t;
  }

  Term expression() {
    std::string_view function = word();
    if (function.empty()) return literal();
    if (!accept("(")) return {};  // a bare constant: true, oo
    if (function == "Symbol") return symbol();
    if (function == "Integer") {
      Term t{integer(), {}};
      expect(")");
      return t;
    }
    std::vector<Term> arguments;
    bool first = true;
    while (!accept(")")) {
      if (!first) expect(", ");
      first = false;
      skip_keyword();
      arguments.push_back(term());
    }
    return apply(function, arguments);
  }

  Term literal() {
    check(at_ < text_.size());
    if (text_[at_] == '\'') {
      size_t end = text_.find('\'', at_ + 1);
      check(end != std::string_view::npos);
      at_ = end + 1;
      return {};
    }
    size_t end = text_.find_first_not_of("0123456789.-+e", at_);
    if (end == std::string_view::npos) end = text_.size();
    check(end > at_);
    std::string_view digits = text_.substr(at_, end - at_);
    at_ = end;
    int64_t v = 0;
    auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
    if (error != std::errc() || stop != digits.data() + digits.size()) return {};
    return {ir::Dim(v), {}};
  }

  Term symbol() {
    check(accept("'"));
    size_t end = text_.find('\'', at_);
    check(end != std::string_view::npos && end > at_);
    std::string name(text_.substr(at_, end - at_));
    at_ = end + 1;
    size_t close = text_.find(')', at_);  // assumptions: positive=True, integer=True
    check(close != std::string_view::npos);
    at_ = close + 1;
    return {lookup_(name), {}};
  }

  ir::Dim integer() {
    int64_t v = 0;
    auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), v);
    check(error == std::errc());
    at_ = static_cast<size_t>(stop - text_.data());
    return v;
  }

  static Term apply(std::string_view f, const std::vector<Term>& a) {
    if (f == "IntTrueDiv" && a.size() == 2 && a[0].dim && a[1].dim) return {a[0].dim, a[1].dim};
    if (a.size() == 1 && a[0].dim && a[0].divisor) {
      if (f == "CeilToInt") return {ceildiv(*a[0].dim, *a[0].divisor), {}};
      if (f == "FloorToInt") return {floordiv(*a[0].dim, *a[0].divisor), {}};
      if (f == "TruncToInt") return {ops::truncated_quotient(*a[0].dim, *a[0].divisor), {}};
      return {};
    }
    std::vector<ir::Dim> d;
    for (const Term& t : a) {
      if (!t.dim || t.divisor) return {};
      d.push_back(*t.dim);
    }
    return {integer_function(f, d), {}};
  }

  static bool divides(const ir::Dim& d) { return !d.is(0); }

  static std::optional<ir::Dim> integer_function(std::string_view f, const std::vector<ir::Dim>& a) {
    if (a.empty()) return std::nullopt;
    ir::Dim out = a[0];
    if (f == "Add" || f == "Mul" || f == "Max" || f == "Min") {
      for (size_t i = 1; i < a.size(); ++i)
        out = f == "Add" ? out + a[i] : f == "Mul" ? out * a[i] : f == "Max" ? max(out, a[i]) : min(out, a[i]);
      return out;
    }
    if ((f == "Identity" || f == "CeilToInt" || f == "FloorToInt" || f == "TruncToInt") && a.size() == 1) return out;
    if (a.size() == 2) {
      if ((f == "FloorDiv" || f == "CleanDiv") && divides(a[1])) return floordiv(a[0], a[1]);
      if (f == "CeilDiv" && divides(a[1])) return ceildiv(a[0], a[1]);
      if ((f == "Mod" || f == "PythonMod") && divides(a[1])) return mod(a[0], a[1]);
      if ((f == "Pow" || f == "PowByNatural") && a[1].is_known() && a[1].value() >= 1 && a[1].value() <= 8) {
        for (int64_t i = 1; i < a[1].value(); ++i) out = out * a[0];
        return out;
      }
    }
    if (f == "ModularIndexing" && a.size() == 3 && divides(a[1]) && divides(a[2]))
      return mod(floordiv(a[0], a[1]), a[2]);
    return std::nullopt;
  }

  std::string_view word() {
    size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) {
      if (at_ == start && std::isdigit(static_cast<unsigned char>(text_[at_]))) break;
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }
  void skip_keyword() {  // "precision=" of Float('1.5', precision=53)
    size_t before = at_;
    if (word().empty() || !accept("=")) at_ = before;
  }
  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) { check(accept(token)); }
  void check(bool ok) const { require<FileError>(ok, "bad symbolic expression '{}'", text_.substr(0, 200)); }

  std::string_view text_;
  const SymbolLookup& lookup_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<ir::Dim> parse_expression(std::string_view text, const SymbolLookup& lookup) {
  Term t = Parser(text, lookup).whole();
  return t.divisor ? std::nullopt : t.dim;
}

std::optional<std::string> plain_symbol(std::string_view text) {
  if (!text.starts_with("Symbol('")) return std::nullopt;
  std::optional<std::string> name;
  parse_expression(text, [&](const std::string& n) {
    name = n;
    return std::optional<ir::Dim>();
  });
  return name;
}

}  // namespace godwit::frontends::pt2

#include "ir/dim.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "ir/fresh.h"

namespace godwit::ir {

struct Dim::Expr {
  char op;  // '/' floor division, '%' remainder, '*' product, '<' minimum, '>' maximum
  Dim a, b;
};

namespace {

std::atomic<int64_t> next_fresh{0};

// "u7" was read somewhere: what is made up from now on lies behind it.
void pass_over(const std::string& symbol) {
  constexpr size_t kLongest = 18;  // digits that fit
  if (symbol.size() < 2 || symbol.size() > kLongest || symbol.find_first_not_of("0123456789", 1) != symbol.npos) return;
  if (symbol[0] != 'u' && symbol[0] != 'r') return;
  const int64_t behind = std::stoll(symbol.substr(1)) + 1;
  int64_t now = next_fresh.load();
  while (now < behind && !next_fresh.compare_exchange_weak(now, behind)) {
  }
}

int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum;
  require<UsageError>(!__builtin_add_overflow(a, b, &sum), "a dimension leaves the range of 64 bits");
  return sum;
}

int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t product;
  require<UsageError>(!__builtin_mul_overflow(a, b, &product), "a dimension leaves the range of 64 bits");
  return product;
}

int64_t floor_div(int64_t a, int64_t b) {
  require<UsageError>(b != 0, "division by zero in a dimension");
  if (b == -1) return checked_multiply(a, -1);
  int64_t q = a / b;
  return q - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t apply(char op, int64_t a, int64_t b) {
  switch (op) {
    case '/': return floor_div(a, b);
    case '%': return b == -1 ? 0 : a - floor_div(a, b) * b;
    case '*': return checked_multiply(a, b);
    case '<': return std::min(a, b);
    default: return std::max(a, b);
  }
}

std::string spell(char op, const Dim& a, const Dim& b) {
  switch (op) {
    case '/': return fmt::format("({})//({})", a.str(), b.str());
    case '%': return fmt::format("({})%({})", a.str(), b.str());
    case '*': return fmt::format("({})*({})", a.str(), b.str());
    case '<': return fmt::format("min({}, {})", a.str(), b.str());
    default: return fmt::format("max({}, {})", a.str(), b.str());
  }
}

}  // namespace

Dim fresh_symbol(char prefix) { return Dim::symbol(prefix + std::to_string(next_fresh++)); }

Dim Dim::symbol(std::string name) {
  pass_over(name);
  Dim d;
  d.terms_.push_back({std::move(name), nullptr, 1});
  return d;
}

Dim Dim::atom(char op, const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) return apply(op, a.constant_, b.constant_);
  Dim d;
  d.terms_.push_back({spell(op, a, b), std::make_shared<const Expr>(Expr{op, a, b}), 1});
  return d;
}

int64_t Dim::value() const {
  require<InternalError>(is_known(), "dimension {} has no known value", str());
  return constant_;
}

std::optional<std::string> Dim::as_symbol() const {
  if (constant_ == 0 && terms_.size() == 1 && terms_[0].factor == 1 && !terms_[0].expr) return terms_[0].key;
  return std::nullopt;
}

std::optional<int64_t> Dim::try_eval(const Env& env) const {
  int64_t sum = constant_;
  for (const Term& t : terms_) {
    std::optional<int64_t> v;
    if (t.expr) {
      auto a = t.expr->a.try_eval(env), b = t.expr->b.try_eval(env);
      if (a && b) v = apply(t.expr->op, *a, *b);
    } else if (auto found = env.find(t.key); found != env.end()) {
      v = found->second;
    }
    if (!v) return std::nullopt;
    sum = checked_add(sum, checked_multiply(t.factor, *v));
  }
  return sum;
}

int64_t Dim::eval(const Env& env) const {
  auto v = try_eval(env);
  require<InternalError>(v.has_value(), "dimension {} uses a symbol that has no value yet", str());
  return *v;
}

Dim Dim::substitute(const std::function<std::optional<Dim>(const std::string&)>& symbol) const {
  Dim sum = constant_;
  for (const Term& t : terms_) {
    Dim v;
    if (!t.expr) {
      auto replaced = symbol(t.key);
      v = replaced ? *replaced : Dim::symbol(t.key);
    } else {
      Dim a = t.expr->a.substitute(symbol), b = t.expr->b.substitute(symbol);
      switch (t.expr->op) {
        case '/': v = floordiv(a, b); break;
        case '%': v = mod(a, b); break;
        case '*': v = a * b; break;
        case '<': v = min(a, b); break;
        default: v = max(a, b);
      }
    }
    sum = sum + v.scaled(t.factor);
  }
  return sum;
}

void Dim::visit_symbols(const std::function<void(const std::string&)>& visit) const {
  for (const Term& t : terms_) {
    if (!t.expr) {
      visit(t.key);
    } else {
      t.expr->a.visit_symbols(visit);
      t.expr->b.visit_symbols(visit);
    }
  }
}

std::optional<int64_t> Dim::lower_bound(const Bound& symbol) const {
  int64_t sum = constant_;
  for (const Term& t : terms_) {
    std::optional<int64_t> low;
    if (t.factor < 0) return std::nullopt;
    if (!t.expr) {
      low = symbol(t.key);
    } else {
      const auto a = t.expr->a.lower_bound(symbol), b = t.expr->b.lower_bound(symbol);
      const bool positive = b && *b >= 1, both = a && *a >= 0 && b && *b >= 0;
      switch (t.expr->op) {
        case '/':
          if (a && *a >= 0 && positive) low = t.expr->b.is_known() ? *a / *b : 0;
          break;
        case '%':
          if (positive) low = 0;
          break;
        case '*':
          if (int64_t least; both && !__builtin_mul_overflow(*a, *b, &least)) low = least;
          break;
        case '<':
          if (a && b) low = std::min(*a, *b);
          break;
        default: low = a && b ? std::max(*a, *b) : a ? a : b;
      }
    }
    int64_t scaled_low;
    if (!low || __builtin_mul_overflow(*low, t.factor, &scaled_low) || __builtin_add_overflow(sum, scaled_low, &sum))
      return std::nullopt;
  }
  return sum;
}

namespace {

// Unsigned: the lowest integer has no positive twin.
uint64_t magnitude_of(int64_t n) { return n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n); }

}  // namespace

std::string Dim::str() const {
  if (terms_.empty()) return std::to_string(constant_);
  std::string out;
  for (const Term& t : terms_) {
    int64_t f = t.factor;
    if (!out.empty())
      out += f < 0 ? " - " : " + ";
    else if (f < 0)
      out += "-";
    const uint64_t magnitude = magnitude_of(f);
    if (magnitude != 1) out += std::to_string(magnitude) + "*";
    out += magnitude != 1 && t.expr ? "(" + t.key + ")" : t.key;
  }
  if (constant_ != 0) out += (constant_ < 0 ? " - " : " + ") + std::to_string(magnitude_of(constant_));
  return out;
}

std::string Dim::render(const Spell& binary, const std::function<std::string(const std::string&)>& symbol) const {
  std::string out;
  for (const Term& t : terms_) {
    std::string v =
        t.expr ? binary(t.expr->op, t.expr->a.render(binary, symbol), t.expr->b.render(binary, symbol)) : symbol(t.key);
    const uint64_t magnitude = magnitude_of(t.factor);
    if (magnitude != 1) v = std::to_string(magnitude) + " * " + v;
    if (out.empty())
      out = t.factor < 0 ? "-" + v : v;
    else
      out += (t.factor < 0 ? " - " : " + ") + v;
  }
  if (out.empty()) return std::to_string(constant_);
  if (constant_ != 0) out += (constant_ < 0 ? " - " : " + ") + std::to_string(magnitude_of(constant_));
  return out;
}

Dim Dim::scaled(int64_t factor) const {
  if (factor == 0) return 0;
  Dim d = *this;
  d.constant_ = checked_multiply(d.constant_, factor);
  for (Term& t : d.terms_) t.factor = checked_multiply(t.factor, factor);
  return d;
}

Dim operator+(const Dim& a, const Dim& b) {
  Dim sum;
  sum.constant_ = checked_add(a.constant_, b.constant_);
  auto i = a.terms_.begin(), j = b.terms_.begin();
  while (i != a.terms_.end() || j != b.terms_.end()) {
    if (j == b.terms_.end() || (i != a.terms_.end() && i->key < j->key)) {
      sum.terms_.push_back(*i++);
    } else if (i == a.terms_.end() || j->key < i->key) {
      sum.terms_.push_back(*j++);
    } else {
      Dim::Term t = *i++;
      t.factor = checked_add(t.factor, (j++)->factor);
      if (t.factor != 0) sum.terms_.push_back(t);
    }
  }
  return sum;
}

Dim operator-(const Dim& a, const Dim& b) { return a + b.scaled(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_known()) return b.scaled(a.constant_);
  if (b.is_known()) return a.scaled(b.constant_);
  return a.str() < b.str() ? Dim::atom('*', a, b) : Dim::atom('*', b, a);
}

Dim floordiv(const Dim& a, const Dim& b) {
  if (b.is(1) || a.is(0)) return a;
  if (a == b) return 1;
  if (b.is_known() && b.constant_ > 0 && !a.is_known()) {
    // Terms that the divisor divides leave the division: (4*B + r)//4 = B + r//4.
    Dim whole, rest;
    for (const Dim::Term& t : a.terms_) {
      Dim& side = t.factor % b.constant_ == 0 ? whole : rest;
      side.terms_.push_back(t);
    }
    if (!whole.terms_.empty()) {
      for (Dim::Term& t : whole.terms_) t.factor /= b.constant_;
      rest.constant_ = a.constant_;
      return whole + floordiv(rest, b);
    }
    int64_t out = floor_div(a.constant_, b.constant_);
    if (out != 0) {
      Dim inner = a;
      inner.constant_ -= out * b.constant_;  // the remainder: in range
      return Dim::atom('/', inner, b) + Dim(out);
    }
  }
  if (!b.is_known() && a.terms_.size() == 1 && a.constant_ == 0 && a.terms_[0].expr && a.terms_[0].expr->op == '*') {
    // (x*y)//y = x
    const Dim::Expr& e = *a.terms_[0].expr;
    if (e.b == b) return e.a.scaled(a.terms_[0].factor);
    if (e.a == b) return e.b.scaled(a.terms_[0].factor);
  }
  if (!b.is_known() && a.terms_.size() == 1 && b.terms_.size() == 1 && a.constant_ == 0 && b.constant_ == 0 &&
      a.terms_[0].key == b.terms_[0].key && a.terms_[0].factor % b.terms_[0].factor == 0)
    return a.terms_[0].factor / b.terms_[0].factor;
  return Dim::atom('/', a, b);
}

Dim mod(const Dim& a, const Dim& b) {
  if (b.is(1) || a == b) return 0;
  if (a.is_known() && b.is_known()) return apply('%', a.constant_, b.constant_);
  Dim quotient = floordiv(a, b);
  Dim rest = a - quotient * b;
  return rest.is_known() ? rest : Dim::atom('%', a, b);
}

Dim min(const Dim& a, const Dim& b) {
  Dim gap = a - b;
  if (gap.is_known()) return gap.constant_ <= 0 ? a : b;
  return a.str() < b.str() ? Dim::atom('<', a, b) : Dim::atom('<', b, a);
}

Dim max(const Dim& a, const Dim& b) {
  Dim gap = a - b;
  if (gap.is_known()) return gap.constant_ >= 0 ? a : b;
  return a.str() < b.str() ? Dim::atom('>', a, b) : Dim::atom('>', b, a);
}

bool Dim::operator==(const Dim& other) const {
  if (constant_ != other.constant_ || terms_.size() != other.terms_.size()) return false;
  for (size_t i = 0; i < terms_.size(); ++i)
    if (terms_[i].factor != other.terms_[i].factor || terms_[i].key != other.terms_[i].key) return false;
  return true;
}

namespace {

// sum := product (('+' | '-') product)*; product := unary (('*' | '//' | '%') unary)*
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Dim whole() {
    Dim d = sum();
    skip();
    check(at_ == text_.size());
    return d;
  }

 private:
  Dim sum() {
    Dim d = product();
    for (;;) {
      if (accept("+"))
        d = d + product();
      else if (accept("-"))
        d = d - product();
      else
        return d;
    }
  }

  Dim product() {
    Dim d = unary();
    for (;;) {
      if (accept("//"))
        d = floordiv(d, unary());
      else if (accept("*"))
        d = d * unary();
      else if (accept("%"))
        d = mod(d, unary());
      else
        return d;
    }
  }

  Dim unary() {
    check(++depth_ < 200);
    Dim d = primary();
    --depth_;
    return d;
  }

  Dim primary() {
    if (accept("-")) {
      // The smallest integer has no positive counterpart: exporters write it for "from the start".
      if (text_.substr(at_, 19) == "9223372036854775808") {
        at_ += 19;
        return std::numeric_limits<int64_t>::min();
      }
      return Dim(0) - unary();
    }
    if (accept("(")) {
      Dim d = sum();
      check(accept(")"));
      return d;
    }
    skip();
    check(at_ < text_.size());
    if (std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      int64_t v = 0;
      auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), v);
      check(error == std::errc());
      at_ = static_cast<size_t>(end - text_.data());
      return v;
    }
    size_t start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '.'))
      ++at_;
    check(at_ > start);
    std::string name(text_.substr(start, at_ - start));
    if ((name == "min" || name == "max") && accept("(")) {
      Dim a = sum();
      check(accept(","));
      Dim b = sum();
      check(accept(")"));
      return name == "min" ? min(a, b) : max(a, b);
    }
    return Dim::symbol(name);
  }

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void check(bool ok) const { require<FileError>(ok, "bad dimension expression '{}'", text_); }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Dim Dim::parse(std::string_view text) {
  try {
    return Parser(text).whole();
  } catch (const UsageError& e) {
    raise<FileError>("bad dimension expression '{}': {}", text, e.what());
  }
}

std::string str(const Dims& dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i ? ", " : "") + dims[i].str();
  return out + "]";
}

bool is_known(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const Dim& d) { return d.is_known(); });
}

std::vector<int64_t> values(const Dims& dims) {
  std::vector<int64_t> out;
  for (const Dim& d : dims) out.push_back(d.value());
  return out;
}

Dims dims(const std::vector<int64_t>& values) { return {values.begin(), values.end()}; }

Dim product(const Dims& dims) {
  Dim p = 1;
  for (const Dim& d : dims) p = p * d;
  return p;
}

}  // namespace godwit::ir

// A dimension: an integer, a symbol, or an expression of both.
//
// Kept as a linear form over atoms, so that equal expressions are equal objects: `2*B + 1` and `1 + B + B`
// compare equal. An atom is a symbol or a non-linear sub-expression (floor division, remainder, product,
// minimum, maximum), itself canonical.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::ir {

class Dim {
 public:
  using Env = std::map<std::string, int64_t, std::less<>>;

  Dim(int64_t value = 0) : constant_(value) {}  // implicit: a number is a dimension
  static Dim symbol(std::string name);
  static Dim parse(std::string_view text);  // throws FileError

  bool is_known() const { return terms_.empty(); }
  int64_t value() const;  // throws InternalError unless known
  bool is(int64_t v) const { return is_known() && constant_ == v; }
  std::optional<std::string> as_symbol() const;  // set when the whole is one plain symbol

  // Throws InternalError on a symbol that env lacks, UsageError on division by zero.
  int64_t eval(const Env& env) const;
  std::optional<int64_t> try_eval(const Env& env) const;
  Dim substitute(const std::function<std::optional<Dim>(const std::string&)>& symbol) const;
  void visit_symbols(const std::function<void(const std::string&)>& visit) const;
  // A number that the value is never below, given one for each symbol; unset where none can be told.
  using Bound = std::function<std::optional<int64_t>(const std::string& symbol)>;
  std::optional<int64_t> lower_bound(const Bound& symbol) const;

  std::string str() const;
  // As an expression of another language: `binary` spells '/' (floor division), '%', '*', '<' (minimum), '>' (maximum)
  // of two expressions.
  using Spell = std::function<std::string(char op, const std::string& a, const std::string& b)>;
  std::string render(const Spell& binary, const std::function<std::string(const std::string&)>& symbol) const;

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floordiv(const Dim& a, const Dim& b);
  friend Dim mod(const Dim& a, const Dim& b);  // sign of the divisor
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  bool operator==(const Dim& other) const;
  bool operator!=(const Dim& other) const { return !(*this == other); }

 private:
  struct Expr;  // a non-linear atom
  struct Term {
    std::string key;                   // a symbol's name or the printed expression: the sort key
    std::shared_ptr<const Expr> expr;  // null for a symbol
    int64_t factor;
  };
  static Dim atom(char op, const Dim& a, const Dim& b);
  Dim scaled(int64_t factor) const;

  int64_t constant_ = 0;
  std::vector<Term> terms_;  // sorted by key, factors never zero
};

inline Dim ceildiv(const Dim& a, const Dim& b) { return floordiv(a + b - Dim(1), b); }

using Dims = std::vector<Dim>;
using Shape = Dims;

std::string str(const Dims& dims);  // "[B, 3, 2*L]"
bool is_known(const Dims& dims);
std::vector<int64_t> values(const Dims& dims);  // all must be known
Dims dims(const std::vector<int64_t>& values);
Dim product(const Dims& dims);

}  // namespace godwit::ir

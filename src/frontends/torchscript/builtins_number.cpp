// Arithmetic and comparison of Python numbers: known ones are computed, integers may be symbolic, run-time numbers
// become 0-d nodes.
#include <algorithm>
#include <cmath>
#include <map>

#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

using ir::Dim;

constexpr int kMaxNesting = 50;  // of lists that are compared

// bool counts as an integer.
std::optional<Dim> as_int(const Value& v) {
  if (auto* n = v.get<Dim>()) return *n;
  if (auto* b = v.get<bool>()) return Dim(*b ? 1 : 0);
  return std::nullopt;
}
std::optional<double> as_real(const Value& v) {
  if (auto* d = v.get<double>()) return *d;
  auto n = as_int(v);
  return n && n->is_known() ? std::optional(static_cast<double>(n->value())) : std::nullopt;
}
double python_mod(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}
int64_t known_floordiv(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

// A run-time number (or a symbolic integer) as a 0-d tensor.
ir::Value* node_of(Evaluator& e, const Value& v, DType dtype) {
  ops::Builder& b = e.session().builder;
  if (auto* run = v.get<aten::RunNumber>()) return b.cast(run->value, dtype);
  if (auto n = as_int(v))
    return n->is_known() ? b.scalar(dtype, static_cast<double>(n->value())) : b.cast(b.dim(*n), dtype);
  if (auto* d = v.get<double>()) return b.scalar(dtype, *d);
  throw UsageError(fmt::format("{} is no number", describe(v)));
}
DType node_dtype(const Value& a, const Value& b) {
  auto is_real = [](const Value& v) {
    auto* run = v.get<aten::RunNumber>();
    return v.is<double>() || (run && is_float(run->value->dtype()));
  };
  auto is_truth = [](const Value& v) {
    auto* run = v.get<aten::RunNumber>();
    return v.is<bool>() || (run && run->value->dtype() == DType::boolean);
  };
  if (is_real(a) || is_real(b)) return DType::f32;
  return is_truth(a) && is_truth(b) ? DType::boolean : DType::i64;
}
Value at_run_time(Evaluator& e, const char* op, const Value& a, const Value& b,
                  std::optional<DType> dtype = std::nullopt) {
  const DType d = dtype.value_or(node_dtype(a, b));
  return aten::RunNumber{e.session().builder.op(op, {node_of(e, a, d), node_of(e, b, d)})};
}

std::optional<Value> arithmetic(Evaluator& e, const std::string& op, const Value& a, const Value& b) {
  const auto i = as_int(a), j = as_int(b);
  if (op == "div") {
    const auto x = as_real(a), y = as_real(b);
    if (x && y) {
      if (*y == 0) throw Raised("ZeroDivisionError: division by zero");
      return Value(*x / *y);
    }
    return at_run_time(e, "divide", a, b, DType::f32);
  }
  if (i && j) {
    if (op == "add") return Value(*i + *j);
    if (op == "sub") return Value(*i - *j);
    if (op == "mul") return Value(*i * *j);
    if (j->is(0)) throw Raised("ZeroDivisionError: division by zero");
    if (op == "floordiv")
      return i->is_known() && j->is_known() ? Value(known_floordiv(i->value(), j->value())) : Value(floordiv(*i, *j));
    if (op == "remainder")
      return i->is_known() && j->is_known() ? Value(i->value() - known_floordiv(i->value(), j->value()) * j->value())
                                            : Value(mod(*i, *j));
    return std::nullopt;
  }
  const auto x = as_real(a), y = as_real(b);
  if (x && y) {
    if (op == "add") return Value(*x + *y);
    if (op == "sub") return Value(*x - *y);
    if (op == "mul") return Value(*x * *y);
    if (*y == 0) throw Raised("ZeroDivisionError: division by zero");
    return op == "floordiv" ? Value(std::floor(*x / *y)) : Value(python_mod(*x, *y));
  }
  static const std::map<std::string, const char*> nodes = {{"add", "add"},
                                                           {"sub", "subtract"},
                                                           {"mul", "multiply"},
                                                           {"floordiv", "floor_divide"},
                                                           {"remainder", "remainder"}};
  return at_run_time(e, nodes.at(op), a, b);
}

std::optional<Value> power(Evaluator& e, const Value& a, const Value& b) {
  const auto i = as_int(a), j = as_int(b);
  if (i && j && j->is(2)) {
    // `x ** 2` is written for sizes, too; torch gives a float.
    if (i->is_known()) return Value(static_cast<double>(i->value()) * static_cast<double>(i->value()));
    return Value(*i * *i);
  }
  const auto x = as_real(a), y = as_real(b);
  if (x && y) return Value(std::pow(*x, *y));
  return at_run_time(e, "power", a, b, DType::f32);
}

// Lists and tuples are equal where all of their items are; items that only the run knows are compared by it.
std::optional<Value> equal_items(Evaluator& e, const Values& a, const Values& b, int depth) {
  if (a.size() != b.size()) return Value(false);
  require<UsageError>(depth < kMaxNesting, "lists are nested too deep");
  ir::Value* all = nullptr;
  for (size_t i = 0; i < a.size(); ++i) {
    const Values *x = items_of(a[i]), *y = items_of(b[i]);
    auto same = x && y ? equal_items(e, *x, *y, depth + 1) : call_number_builtin(e, "aten::eq", {a[i], b[i]});
    if (!same) return std::nullopt;
    if (auto known = e.known_truth(*same)) {
      if (!*known) return Value(false);
      continue;
    }
    ir::Value* one = e.run_truth(*same);
    all = all ? e.session().builder.op("logical_and", {all, one}) : one;
  }
  return all ? Value(aten::RunNumber{all}) : Value(true);
}

std::optional<Value> compare(Evaluator& e, const std::string& op, const Value& a, const Value& b) {
  if (const Values* x = items_of(a), *y = items_of(b); x && y && (op == "eq" || op == "ne")) {
    auto same = equal_items(e, *x, *y, 0);
    if (!same || op == "eq") return same;
    if (auto known = e.known_truth(*same)) return Value(!*known);
    return Value(aten::RunNumber{e.session().builder.op("logical_not", {e.run_truth(*same)})});
  }
  if (!a.is_number() || !b.is_number()) {
    const bool same = identical(a, b) || same_constant(a, b);
    if (op == "eq") return Value(same);
    if (op == "ne") return Value(!same);
    auto *x = a.get<std::string>(), *y = b.get<std::string>();
    if (!x || !y) return std::nullopt;
    return Value(op == "lt" ? *x < *y : op == "le" ? *x <= *y : op == "gt" ? *x > *y : *x >= *y);
  }
  std::optional<double> difference;
  const auto i = as_int(a), j = as_int(b);
  if (i && j) {
    const Dim d = *i - *j;
    if (d.is_known()) difference = static_cast<double>(d.value());
  } else if (const auto x = as_real(a), y = as_real(b); x && y) {
    difference = *x == *y ? 0.0 : *x - *y;
  }
  if (difference) {
    const double d = *difference;  // NaN: only `ne` holds
    return Value(op == "eq"   ? d == 0
                 : op == "ne" ? d != 0
                 : op == "lt" ? d < 0
                 : op == "le" ? d <= 0
                 : op == "gt" ? d > 0
                              : d >= 0);
  }
  static const std::map<std::string, const char*> nodes = {{"eq", "equal"},   {"ne", "not_equal"},
                                                           {"lt", "less"},    {"le", "less_equal"},
                                                           {"gt", "greater"}, {"ge", "greater_equal"}};
  return at_run_time(e, nodes.at(op), a, b);
}

std::optional<Value> extreme(Evaluator& e, const std::string& op, const Value& a, const Value& b) {
  const auto i = as_int(a), j = as_int(b);
  if (i && j) {
    const Dim d = *i - *j;
    if (d.is_known()) return Value((op == "min") == (d.value() <= 0) ? *i : *j);
    return Value(op == "min" ? min(*i, *j) : max(*i, *j));
  }
  const auto x = as_real(a), y = as_real(b);
  if (x && y) return Value(op == "min" ? std::min(*x, *y) : std::max(*x, *y));
  return at_run_time(e, op == "min" ? "minimum" : "maximum", a, b);
}

std::optional<Value> extreme_of(Evaluator& e, const std::string& op, const Values& items) {
  if (items.empty()) throw Raised(fmt::format("{}() of an empty list", op));
  std::optional<Value> best = items[0];
  for (size_t k = 1; best && k < items.size(); ++k) best = extreme(e, op, *best, items[k]);
  return best;
}

double round_half_even(double x) { return std::nearbyint(x); }

using Real = double (*)(double);
const std::map<std::string, Real, std::less<>>& real_functions() {
  static const std::map<std::string, Real, std::less<>> table = {
      {"sqrt", std::sqrt},
      {"exp", std::exp},
      {"log", std::log},
      {"log2", std::log2},
      {"log10", std::log10},
      {"log1p", std::log1p},
      {"expm1", std::expm1},
      {"sin", std::sin},
      {"cos", std::cos},
      {"tan", std::tan},
      {"asin", std::asin},
      {"acos", std::acos},
      {"atan", std::atan},
      {"sinh", std::sinh},
      {"cosh", std::cosh},
      {"tanh", std::tanh},
      {"erf", std::erf},
      {"lgamma", std::lgamma},
      {"fabs", std::fabs},
      {"gamma", std::tgamma},
      {"degrees", [](double x) { return x * 180.0 / M_PI; }},
      {"radians", [](double x) { return x * M_PI / 180.0; }}};
  return table;
}

std::optional<Value> to_int(Evaluator& e, const Value& v) {
  if (auto n = as_int(v)) return Value(*n);
  if (auto* d = v.get<double>()) {
    if (!(std::fabs(*d) < 9.2e18)) throw Raised("a number too large for an integer");
    return Value(static_cast<int64_t>(*d));
  }
  if (auto* run = v.get<aten::RunNumber>()) {
    ops::Builder& b = e.session().builder;
    ir::Value* x = is_float(run->value->dtype()) ? b.op("trunc", {run->value}) : run->value;
    return Value(b.read_one(b.cast(x, DType::i64)));
  }
  if (auto* s = v.get<std::string>()) {
    try {
      return Value(static_cast<int64_t>(std::stoll(*s)));
    } catch (const std::exception&) {
      throw Raised(fmt::format("int(\"{}\")", *s));
    }
  }
  return std::nullopt;
}

std::optional<Value> to_real(Evaluator& e, const Value& v) {
  if (auto x = as_real(v)) return Value(*x);
  if (auto* s = v.get<std::string>()) {
    try {
      return Value(std::stod(*s));
    } catch (const std::exception&) {
      throw Raised(fmt::format("float(\"{}\")", *s));
    }
  }
  if (v.is_number()) return Value(aten::RunNumber{node_of(e, v, DType::f32)});
  return std::nullopt;
}

std::optional<Value> rounded(Evaluator& e, const std::string& op, const Value& v) {
  if (auto n = as_int(v)) return Value(*n);
  if (auto* d = v.get<double>()) {
    const double x = op == "floor"   ? std::floor(*d)
                     : op == "ceil"  ? std::ceil(*d)
                     : op == "trunc" ? std::trunc(*d)
                                     : round_half_even(*d);
    return op == "round" ? Value(x) : to_int(e, x);
  }
  if (auto* run = v.get<aten::RunNumber>()) {
    ops::Builder& b = e.session().builder;
    ir::Value* x = b.op(op, {run->value});
    return op == "round" ? Value(aten::RunNumber{x}) : Value(b.read_one(b.cast(x, DType::i64)));
  }
  return std::nullopt;
}

std::optional<Value> unary(Evaluator& e, const std::string& op, const Value& v) {
  if (op == "Int" || op == "IntImplicit") return to_int(e, v);
  if (op == "Float" || op == "FloatImplicit") return to_real(e, v);
  if (op == "Bool" || op == "__not__") {
    if (!v.is_number()) return std::nullopt;
    const bool negate = op == "__not__";
    if (auto known = e.known_truth(v)) return Value(*known != negate);
    ir::Value* truth = e.run_truth(v);
    return Value(aten::RunNumber{negate ? e.session().builder.op("logical_not", {truth}) : truth});
  }
  if (op == "floor" || op == "ceil" || op == "trunc" || op == "round") return rounded(e, op, v);
  if (op == "neg" || op == "abs") {
    if (auto n = as_int(v)) {
      if (op == "neg") return Value(Dim(0) - *n);
      return n->is_known() ? Value(std::abs(n->value())) : Value(max(*n, Dim(0) - *n));
    }
    if (auto* d = v.get<double>()) return Value(op == "neg" ? -*d : std::fabs(*d));
    if (auto* run = v.get<aten::RunNumber>())
      return Value(aten::RunNumber{e.session().builder.op(op == "neg" ? "negative" : "abs", {run->value})});
    return std::nullopt;
  }
  if (op == "isnan" || op == "isinf" || op == "isfinite") {
    auto x = as_real(v);
    if (!x) return std::nullopt;
    return Value(op == "isnan" ? std::isnan(*x) : op == "isinf" ? std::isinf(*x) : std::isfinite(*x));
  }
  auto f = real_functions().find(op);
  if (f == real_functions().end()) return std::nullopt;
  if (auto x = as_real(v)) return Value(f->second(*x));
  if (op == "sqrt" || op == "exp" || op == "log" || op == "sin" || op == "cos")
    return Value(aten::RunNumber{e.session().builder.op(op, {node_of(e, v, DType::f32)})});
  return std::nullopt;
}

std::optional<Value> logical(Evaluator& e, const std::string& op, const Value& a, const Value& b) {
  auto *x = a.get<bool>(), *y = b.get<bool>();
  if (x && y) return Value(op == "__and__" ? *x && *y : op == "__or__" ? *x || *y : *x != *y);
  auto i = as_int(a), j = as_int(b);
  if (i && j && i->is_known() && j->is_known()) {
    const int64_t p = i->value(), q = j->value();
    return Value(op == "__and__" ? p & q : op == "__or__" ? p | q : p ^ q);
  }
  if (!a.is_number() || !b.is_number()) return std::nullopt;
  return Value(aten::RunNumber{e.session().builder.op(op == "__and__"  ? "logical_and"
                                                      : op == "__or__" ? "logical_or"
                                                                       : "logical_xor",
                                                      {e.run_truth(a), e.run_truth(b)})});
}

}  // namespace

std::optional<Value> call_number_builtin(Evaluator& e, const std::string& name, const Values& arguments) {
  const std::string op = name.substr(name.find("::") + 2);
  const size_t n = arguments.size();
  if (n == 0) return std::nullopt;
  const bool numbers = arguments[0].is_number() && (n < 2 || arguments[1].is_number());
  if (op == "eq" || op == "ne" || op == "lt" || op == "le" || op == "gt" || op == "ge")
    return n == 2 ? compare(e, op, arguments[0], arguments[1]) : std::nullopt;
  if ((op == "max" || op == "min") && n == 1 && items_of(arguments[0]))
    return extreme_of(e, op, *items_of(arguments[0]));
  if (op == "__range_length" && n == 3) {
    auto lo = as_int(arguments[0]), hi = as_int(arguments[1]), step = as_int(arguments[2]);
    if (!lo || !hi || !step || !step->is_known() || step->is(0)) return std::nullopt;
    const Dim count = step->value() > 0 ? ir::ceildiv(*hi - *lo, *step) : ir::ceildiv(*lo - *hi, Dim(0) - *step);
    return Value(count.is_known() ? Dim(std::max<int64_t>(count.value(), 0)) : max(count, Dim(0)));
  }
  if (op == "__derive_index" && n == 3) {
    auto i = as_int(arguments[0]), lo = as_int(arguments[1]), step = as_int(arguments[2]);
    return i && lo && step ? std::optional<Value>(*lo + *i * *step) : std::nullopt;
  }
  if (n == 1) return unary(e, op, arguments[0]);
  if (!numbers || n != 2) return std::nullopt;
  if (op == "add" || op == "sub" || op == "mul" || op == "div" || op == "floordiv" || op == "remainder")
    return arithmetic(e, op, arguments[0], arguments[1]);
  if (op == "rsub") return arithmetic(e, "sub", arguments[1], arguments[0]);
  if (op == "pow") return power(e, arguments[0], arguments[1]);
  if (op == "max" || op == "min") return extreme(e, op, arguments[0], arguments[1]);
  if (op == "__and__" || op == "__or__" || op == "__xor__") return logical(e, op, arguments[0], arguments[1]);
  const auto x = as_real(arguments[0]), y = as_real(arguments[1]);
  if (!x || !y) return std::nullopt;
  if (op == "fmod") return Value(std::fmod(*x, *y));
  if (op == "atan2") return Value(std::atan2(*x, *y));
  if (op == "copysign") return Value(std::copysign(*x, *y));
  if (op == "round") {
    const double scale = std::pow(10.0, *y);
    return Value(round_half_even(*x * scale) / scale);
  }
  return std::nullopt;
}

}  // namespace godwit::frontends::torchscript

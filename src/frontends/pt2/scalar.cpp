// Arithmetic on sizes and other numbers: _operator.*, math.*, torch.sym_*.
#include <cmath>

#include "base/error.h"
#include "frontends/pt2/translation.h"

namespace godwit::frontends::pt2 {
namespace {

using aten::RunNumber;

bool is_known_int(const Value& v) { return v.is<bool>() || (v.is<ir::Dim>() && v.get<ir::Dim>()->is_known()); }
bool is_int(const Value& v) { return v.is<ir::Dim>() || v.is<bool>(); }
bool is_known(const Value& v) { return is_known_int(v) || v.is<double>(); }

ir::Dim as_dim(const Value& v) { return v.is<bool>() ? ir::Dim(*v.get<bool>() ? 1 : 0) : *v.get<ir::Dim>(); }
double as_real(const Value& v) { return v.is<double>() ? *v.get<double>() : static_cast<double>(as_dim(v).value()); }

ir::Value* as_tensor(ops::Builder& b, const Value& v, DType dtype) {
  if (auto* run = v.get<RunNumber>()) return b.cast(run->value, dtype);
  if (auto* t = v.get<TensorRef>()) return b.cast(t->read(), dtype);
  if (auto* r = v.get<double>()) return b.scalar(dtype, *r);
  if (auto* f = v.get<bool>()) return b.scalar(dtype, *f);
  if (auto* d = v.get<ir::Dim>()) return b.cast(b.dim(*d), dtype);
  throw aten::Unsupported(fmt::format("arithmetic on a {}", aten::describe(v)));
}

std::optional<Value> integers(const std::string& f, const ir::Dim& x, const ir::Dim& y) {
  if (f == "add") return x + y;
  if (f == "sub") return x - y;
  if (f == "mul") return x * y;
  if (f == "floordiv" && !y.is(0)) return floordiv(x, y);
  if (f == "mod" && !y.is(0)) return mod(x, y);
  if (f == "sym_max") return max(x, y);
  if (f == "sym_min") return min(x, y);
  if (f == "pow" && y.is_known() && y.value() >= 0 && y.value() <= 16) {
    ir::Dim out = 1;
    for (int64_t i = 0; i < y.value(); ++i) out = out * x;
    return out;
  }
  if (x.is_known() && y.is_known()) {
    if (f == "and_") return x.value() & y.value();
    if (f == "or_") return x.value() | y.value();
    if (f == "lshift" && y.value() >= 0 && y.value() < 62) return x.value() << y.value();
    if (f == "rshift" && y.value() >= 0 && y.value() < 63) return x.value() >> y.value();
  }
  const ir::Dim gap = x - y;
  if (gap.is_known()) {
    const int64_t g = gap.value();
    if (f == "eq") return g == 0;
    if (f == "ne") return g != 0;
    if (f == "lt") return g < 0;
    if (f == "le") return g <= 0;
    if (f == "gt") return g > 0;
    if (f == "ge") return g >= 0;
  }
  return std::nullopt;
}

std::optional<Value> reals(const std::string& f, double x, double y) {
  if (f == "add") return x + y;
  if (f == "sub") return x - y;
  if (f == "mul") return x * y;
  if (f == "truediv" && y != 0) return x / y;
  if (f == "floordiv" && y != 0) return std::floor(x / y);
  if (f == "mod" && y != 0) return x - std::floor(x / y) * y;
  if (f == "pow") return std::pow(x, y);
  if (f == "sym_max") return std::max(x, y);
  if (f == "sym_min") return std::min(x, y);
  if (f == "eq") return x == y;
  if (f == "ne") return x != y;
  if (f == "lt") return x < y;
  if (f == "le") return x <= y;
  if (f == "gt") return x > y;
  if (f == "ge") return x >= y;
  return std::nullopt;
}

const char* tensor_op(const std::string& f) {
  static const std::map<std::string, const char*> table = {{"add", "add"},
                                                           {"sub", "subtract"},
                                                           {"mul", "multiply"},
                                                           {"truediv", "divide"},
                                                           {"floordiv", "floor_divide"},
                                                           {"mod", "remainder"},
                                                           {"pow", "power"},
                                                           {"sym_max", "maximum"},
                                                           {"sym_min", "minimum"},
                                                           {"eq", "equal"},
                                                           {"ne", "not_equal"},
                                                           {"lt", "less"},
                                                           {"le", "less_equal"},
                                                           {"gt", "greater"},
                                                           {"ge", "greater_equal"},
                                                           {"and_", "logical_and"},
                                                           {"or_", "logical_or"}};
  auto found = table.find(f);
  return found == table.end() ? nullptr : found->second;
}

std::optional<Value> unary(ops::Builder& b, const std::string& f, const Value& x) {
  if (f == "pos") return x;
  if (f == "neg" && x.is<ir::Dim>()) return ir::Dim(0) - *x.get<ir::Dim>();
  if (f == "neg" && x.is<double>()) return -*x.get<double>();
  if ((f == "not_" || f == "sym_not") && x.is<bool>()) return !*x.get<bool>();
  if ((f == "not_" || f == "sym_not") && x.is<RunNumber>())
    return RunNumber{b.op("logical_not", {x.get<RunNumber>()->value})};
  if (f == "sym_int" || f == "trunc" || f == "floor" || f == "ceil" || f == "round") {
    if (x.is<ir::Dim>()) return x;
    const bool up = f == "ceil", even = f == "round", down = f == "floor";
    if (x.is<double>() && std::isfinite(as_real(x))) {
      const double r = as_real(x);
      return static_cast<int64_t>(up ? std::ceil(r) : even ? std::nearbyint(r) : down ? std::floor(r) : std::trunc(r));
    }
    if (x.is<RunNumber>()) {
      ir::Value* v = b.op(up ? "ceil" : even ? "round" : down ? "floor" : "trunc", {x.get<RunNumber>()->value});
      return b.read_one(b.cast(v, DType::i64));
    }
  }
  if (f == "sym_float" || f == "float") {
    if (is_known(x)) return as_real(x);
    return RunNumber{as_tensor(b, x, DType::f32)};
  }
  if (f == "sqrt" || f == "sym_sqrt" || f == "_sym_sqrt") {
    if (is_known(x) && as_real(x) >= 0) return std::sqrt(as_real(x));
    return RunNumber{b.op("sqrt", {as_tensor(b, x, DType::f32)})};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Value> number_operator(aten::Session& session, const std::string& f, const Values& a) {
  ops::Builder& b = session.builder;
  if (a.size() == 1) return unary(b, f, a[0]);
  if (f == "sym_ite" && a.size() == 3 && a[0].is<bool>()) return *a[0].get<bool>() ? a[1] : a[2];
  if (a.size() != 2) return std::nullopt;
  if (a[0].is<bool>() && a[1].is<bool>() && (f == "and_" || f == "or_"))
    return f == "and_" ? *a[0].get<bool>() && *a[1].get<bool>() : *a[0].get<bool>() || *a[1].get<bool>();
  if (is_int(a[0]) && is_int(a[1]) && f != "truediv")
    if (auto v = integers(f, as_dim(a[0]), as_dim(a[1]))) return v;
  if (is_known(a[0]) && is_known(a[1])) return reals(f, as_real(a[0]), as_real(a[1]));
  const char* op = tensor_op(f);
  if (!op) return std::nullopt;
  // Computed by the run.
  const bool logical = f == "and_" || f == "or_";
  const bool whole = is_int(a[0]) && is_int(a[1]) && f != "truediv";
  const DType dtype = logical ? DType::boolean : whole ? DType::i64 : DType::f32;
  ir::Value* v = b.op(op, {as_tensor(b, a[0], dtype), as_tensor(b, a[1], dtype)});
  if (v->dtype() == DType::i64) return b.read_one(v);
  return RunNumber{v};
}

std::optional<Values> Translation::scalar(const Node& node, Scope& scope) {
  // The file states every integer as an expression of the sizes: no arithmetic is needed where those are known.
  if (node.outputs.size() == 1 && node.outputs[0].kind == Argument::Kind::symbol) {
    auto stated = scope.graph.sym_int_values.find(node.outputs[0].name);
    if (stated != scope.graph.sym_int_values.end())
      if (auto d = dim(stated->second)) return Values{*d};
  }
  Values arguments;
  for (const auto& input : node.inputs) arguments.push_back(value_of(input.value, scope));
  const size_t dot = node.target.rfind('.');
  auto v = number_operator(session, node.target.substr(dot == std::string::npos ? 0 : dot + 1), arguments);
  if (!v) return std::nullopt;
  return Values{*v};
}

}  // namespace godwit::frontends::pt2

// Arithmetic, comparison, logic.
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

bool is_one(const Value& v) {
  if (auto* d = v.get<ir::Dim>()) return d->is(1);
  if (auto* r = v.get<double>()) return *r == 1.0;
  if (auto* f = v.get<bool>()) return *f;
  return v.is_none();
}

// x + alpha * y. On bools + is "or".
Values add_like(Context& c, const char* op, std::string_view x, std::string_view y) {
  const DType to = c.result_type({x, y});
  ir::Value* right = c.tensor_as(y, to);
  if (to == DType::boolean && std::string_view(op) == "add")
    return {c.result(c.op("logical_or", {c.tensor_as(x, to), right}))};
  if (!is_one(c.get("alpha"))) right = c.op("multiply", {right, c.tensor_as("alpha", to)});
  return {c.result(c.op(op, {c.tensor_as(x, to), right}))};
}

Values multiply(Context& c) {
  auto operands = c.promoted({"self", "other"});
  return {c.result(c.op(operands[0]->dtype() == DType::boolean ? "logical_and" : "multiply", operands))};
}

// div and its rounding modes.
Values divide(Context& c) {
  DType to = c.result_type({"self", "other"});
  const std::string mode = c.has("rounding_mode") ? c.text("rounding_mode") : "";
  if (mode.empty()) {
    if (!is_float(to) && !is_complex(to)) to = DType::f32;
    return {c.result(c.op("divide", c.as(to, {"self", "other"})))};
  }
  if (mode != "floor" && mode != "trunc") c.fail("rounding mode '{}' is unknown", mode);
  return {c.result(c.op(mode == "floor" ? "floor_divide" : "trunc_divide", c.as(to, {"self", "other"})))};
}

Values power(Context& c) {
  std::string_view x = argument_name(c, 0), y = argument_name(c, 1);
  const Value& exponent = c.get(y);
  const DType to = c.result_type({x, y});
  if (exponent.is_number() && !exponent.is<RunNumber>() && is_float(to)) {
    const double e = exponent.is<std::complex<double>>() ? NAN : c.real(y);
    ir::Value* base = c.tensor_as(x, to);
    if (e == 2.0) return {c.result(c.op("square", {base}))};
    if (e == 1.0) return {c.result(c.op("copy", {base}))};
    if (e == 0.5) return {c.result(c.op("sqrt", {base}))};
    if (e == -0.5) return {c.result(c.op("rsqrt", {base}))};
    if (e == -1.0) return {c.result(c.op("reciprocal", {base}))};
    if (e == 3.0) return {c.result(c.op("multiply", {c.op("square", {base}), base}))};
  }
  return {c.result(c.op("power", c.as(to, {x, y})))};
}

// Comparisons are made in the result type of the operands and give bool.
Translator compare(const char* op) { return binary(op); }

// Logic on anything: non-zero is true.
ir::Value* truth(Context& c, ir::Value* v) {
  return v->dtype() == DType::boolean ? v : c.op("not_equal", {v, c.scalar_like(v, 0)});
}

Translator logical(const char* op) {
  return [op](Context& c) -> Values {
    return {c.result(c.op(op, {truth(c, c.tensor("self")), truth(c, c.tensor("other"))}))};
  };
}

Values logical_not(Context& c) { return {c.result(c.op("logical_not", {truth(c, c.tensor("self"))}))}; }

// &, |, ^: logic on bools, bits on integers.
Translator bits(const char* logical_op, const char* bit_op) {
  return [=](Context& c) -> Values {
    auto operands = c.promoted({"self", "other"});
    return {c.result(c.op(operands[0]->dtype() == DType::boolean ? logical_op : bit_op, operands))};
  };
}

Values bitwise_not(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op(x->dtype() == DType::boolean ? "logical_not" : "bitwise_not", {x}))};
}

// ceil, floor, round, trunc: nothing to do on integers.
Translator rounding(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (!is_float(x->dtype())) return {c.result(c.op("copy", {x}))};
    const int64_t decimals = c.number("decimals", 0);
    if (decimals == 0) return {c.result(c.op(op, {x}))};
    ir::Value* scale = c.scalar_like(x, std::pow(10.0, static_cast<double>(std::abs(decimals))));
    const bool up = decimals > 0;
    ir::Value* scaled = c.op(op, {c.op(up ? "multiply" : "divide", {x, scale})});
    return {c.result(c.op(up ? "divide" : "multiply", {scaled, scale}))};
  };
}

Values absolute(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->dtype() == DType::boolean || x->dtype() == DType::u8) return {c.result(c.op("copy", {x}))};
  return {c.result(c.op("abs", {x}))};
}

// clamp, clamp_min, clamp_max with numbers or tensors as limits.
Values clamp(Context& c) {
  DType to = c.result_type({"self", "min", "max"});
  ir::Value* low = c.has("min") ? c.tensor_as("min", to) : nullptr;
  ir::Value* high = c.has("max") ? c.tensor_as("max", to) : nullptr;
  ir::Value* x = c.tensor_as("self", to);
  auto is_scalar = [](ir::Value* v) { return !v || v->rank() == 0; };
  if (is_scalar(low) && is_scalar(high)) return {c.result(c.op("clip", {x, low, high}))};
  if (low) x = c.op("maximum", {x, low});
  if (high) x = c.op("minimum", {x, high});
  return {c.result(x)};
}

Values where(Context& c) {
  if (c.is_none("other") && c.is_none("self")) {  // where(condition): the indices of what is true
    ir::Value* x = c.tensor("condition");
    if (x->rank() == 0) x = c.b.reshape(x, {1});
    ir::Value* at = c.op("nonzero", {x});
    Values out;
    for (int64_t i = 0; i < x->rank(); ++i) {
      ir::Value* column =
          c.op("slice", {at}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{i}}, {"stops", ir::Dims{i + 1}}});
      out.push_back(c.result(c.op("squeeze", {column}, {{"axes", ir::Dims{1}}})));
    }
    return {Value::list(out)};
  }
  ir::Value* condition = truth(c, c.tensor("condition"));
  auto operands = c.promoted({"self", "other"});
  return {c.result(c.op("where", {condition, operands[0], operands[1]}))};
}

Values masked_fill(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* mask = truth(c, c.tensor("mask"));
  return {c.result(c.op("where", {mask, c.tensor_as("value", x->dtype()), x}))};
}

Values sign(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op(x->dtype() == DType::boolean ? "copy" : "sign", {x}))};
}

// a + value * t1 * t2 and a + value * t1 / t2
Translator add_product(const char* op) {
  return [op](Context& c) -> Values {
    DType to = c.result_type({"self", "tensor1", "tensor2"});
    if (std::string_view(op) == "divide" && !is_float(to)) to = DType::f32;
    auto v = c.as(to, {"self", "tensor1", "tensor2"});
    ir::Value* product = c.op(op, {v[1], v[2]});
    if (!is_one(c.get("value"))) product = c.op("multiply", {product, c.tensor_as("value", to)});
    return {c.result(c.op("add", {v[0], product}))};
  };
}

Values lerp(Context& c) {
  auto v = c.promoted({"self", "end"});
  ir::Value* weight = c.tensor_as("weight", v[0]->dtype());
  return {c.result(c.op("add", {v[0], c.op("multiply", {weight, c.op("subtract", {v[1], v[0]})})}))};
}

Translator is_kind(const char* op, ir::Attrs attrs, bool of_integer) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (is_float(x->dtype())) return {c.result(c.op(op, {x}, attrs))};
    return {c.result(c.op(of_integer ? "equal" : "not_equal", {x, x}))};
  };
}

Values isclose(Context& c) {
  DType to = c.result_type({"self", "other"});
  auto v = c.as(is_float(to) ? to : DType::f32, {"self", "other"});
  ir::Value* allowed = c.op("add", {c.scalar_like(v[0], c.real("atol")),
                                    c.op("multiply", {c.scalar_like(v[0], c.real("rtol")), c.op("abs", {v[1]})})});
  ir::Value* near = c.op("less_equal", {c.op("abs", {c.op("subtract", v)}), allowed});
  ir::Value* same = c.op("logical_or", {c.op("equal", v), c.op("logical_and", {near, c.op("is_finite", {v[1]})})});
  if (c.flag("equal_nan"))
    same = c.op("logical_or", {same, c.op("logical_and", {c.op("is_nan", {v[0]}), c.op("is_nan", {v[1]})})});
  return {c.result(same)};
}

Values nan_to_num(Context& c) {
  ir::Value* x = c.tensor("self");
  if (!is_float(x->dtype())) return {c.result(c.op("copy", {x}))};
  double largest = 3.4028234663852886e38;
  if (x->dtype() == DType::f16) largest = 65504;
  if (x->dtype() == DType::bf16) largest = 3.3895313892515355e38;
  if (x->dtype() == DType::f64) largest = 1.7976931348623157e308;
  return {c.result(c.op(
      "nan_to_num", {x},
      {{"nan", c.real("nan", 0.0)}, {"posinf", c.real("posinf", largest)}, {"neginf", c.real("neginf", -largest)}}))};
}

// Real functions that the op table spells otherwise.
Values logit(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  if (c.has("eps")) x = c.op("clip", {x, c.scalar_like(x, c.real("eps")), c.scalar_like(x, 1.0 - c.real("eps"))});
  return {c.result(c.op("log", {c.op("divide", {x, c.op("subtract", {c.scalar_like(x, 1), x})})}))};
}

Values square(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->dtype() == DType::boolean) x = c.cast(x, DType::i64);
  return {c.result(c.op("multiply", {x, x}))};
}

Values erfc(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  return {c.result(c.op("subtract", {c.scalar_like(x, 1), c.op("erf", {x})}))};
}

Values exp2(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  return {c.result(c.op("power", {c.scalar_like(x, 2), x}))};
}

Values sinc(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  ir::Value* at = c.op("multiply", {x, c.scalar_like(x, M_PI)});
  ir::Value* zero = c.op("equal", {x, c.scalar_like(x, 0)});
  ir::Value* safe = c.op("where", {zero, c.scalar_like(x, 1), at});
  return {c.result(c.op("where", {zero, c.scalar_like(x, 1), c.op("divide", {c.op("sin", {safe}), safe})}))};
}

Values expm1(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  if (!is_complex(x->dtype())) return {c.result(c.op("expm1", {x}))};
  return {c.result(c.op("subtract", {c.op("exp", {x}), c.to_tensor(Value(1.0), x->dtype())}))};
}

// fmax, fmin: a number wins over NaN.
Translator ignoring_nan(const char* op) {
  return [op](Context& c) -> Values {
    auto v = c.promoted({"self", "other"});
    ir::Value* out = c.op(op, v);
    if (is_float(v[0]->dtype()))
      out = c.op("where", {c.op("is_nan", {v[0]}), v[1], c.op("where", {c.op("is_nan", {v[1]}), v[0], out})});
    return {c.result(out)};
  };
}

// x * log(y), zero where x is zero
Values xlogy(Context& c) {
  DType to = c.result_type({"self", "other"});
  auto v = c.as(is_float(to) ? to : DType::f32, {"self", "other"});
  ir::Value* zero = c.scalar_like(v[0], 0);
  ir::Value* product = c.op("multiply", {v[0], c.op("log", {v[1]})});
  ir::Value* kept = c.op("where", {c.op("equal", {v[0], zero}), zero, product});
  return {c.result(c.op("where", {c.op("is_nan", {v[1]}), v[1], kept}))};
}

Values polar(Context& c) {
  ir::Value* r = c.tensor("abs");
  ir::Value* a = c.tensor("angle");
  return {
      c.result(c.op("complex", {c.op("multiply", {r, c.op("cos", {a})}), c.op("multiply", {r, c.op("sin", {a})})}))};
}

Values conjugate(Context& c) {
  TensorRef x = c.ref("self");
  if (!is_complex(x.dtype())) return {x};
  return {c.result(c.op("conjugate", {x.read()}))};
}

Values angle(Context& c) {
  ir::Value* x = c.tensor("self");
  if (is_complex(x->dtype())) return {c.result(c.op("angle", {x}))};
  x = c.floating(x);
  ir::Value* out = c.op("where", {c.op("less", {x, c.scalar_like(x, 0)}), c.scalar_like(x, M_PI), c.scalar_like(x, 0)});
  return {c.result(c.op("where", {c.op("is_nan", {x}), x, out}))};
}

Values heaviside(Context& c) {
  auto v = c.promoted({"self", "values"});
  ir::Value* zero = c.scalar_like(v[0], 0);
  ir::Value* step = c.cast(c.op("greater", {v[0], zero}), v[0]->dtype());
  return {c.result(c.op("where", {c.op("equal", {v[0], zero}), v[1], step}))};
}

Values copysign(Context& c) {
  DType to = c.result_type({"self", "other"});
  auto v = c.as(is_float(to) ? to : DType::f32, {"self", "other"});
  ir::Value* magnitude = c.op("abs", {v[0]});
  // -0.0 is negative too: 1/x tells it apart.
  ir::Value* zero = c.scalar_like(v[0], 0);
  ir::Value* negative =
      c.op("logical_or", {c.op("less", {v[1], zero}), c.op("less", {c.op("reciprocal", {v[1]}), zero})});
  return {c.result(c.op("where", {negative, c.op("negative", {magnitude}), magnitude}))};
}

Values hypot(Context& c) {
  auto v = c.promoted({"self", "other"});
  return {c.result(c.op("sqrt", {c.op("add", {c.op("square", {v[0]}), c.op("square", {v[1]})})}))};
}

Values frac(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op("subtract", {x, c.op("trunc", {x})}))};
}

Values scaled(Context& c, double factor) {
  ir::Value* x = c.floating(c.tensor("self"));
  return {c.result(c.op("multiply", {x, c.scalar_like(x, factor)}))};
}

Values logaddexp2(Context& c) {
  auto v = c.promoted({"self", "other"});
  ir::Value* ln2 = c.scalar_like(v[0], M_LN2);
  return {c.result(
      c.op("divide", {c.op("logaddexp", {c.op("multiply", {v[0], ln2}), c.op("multiply", {v[1], ln2})}), ln2}))};
}

Values complex_of(Context& c) { return {c.result(c.op("complex", c.promoted({"real", "imag"})))}; }

Values signbit(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* zero = c.scalar_like(x, 0);
  ir::Value* negative = c.op("less", {x, zero});
  if (is_float(x->dtype())) negative = c.op("logical_or", {negative, c.op("less", {c.op("reciprocal", {x}), zero})});
  return {c.result(negative)};
}

}  // namespace

Rows elementwise_rows() {
  return {
      {"add", [](Context& c) { return add_like(c, "add", "self", "other"); }},
      {"sub", [](Context& c) { return add_like(c, "subtract", "self", "other"); }},
      {"subtract", [](Context& c) { return add_like(c, "subtract", "self", "other"); }},
      {"rsub", [](Context& c) { return add_like(c, "subtract", "other", "self"); }},
      {"mul", multiply},
      {"multiply", multiply},
      {"div", divide},
      {"divide", divide},
      {"true_divide", divide},
      {"floor_divide", binary("floor_divide")},
      {"remainder", binary("remainder")},
      {"fmod", binary("fmod")},
      {"pow", power},
      {"float_power", power},
      {"atan2", real_binary("atan2")},
      {"arctan2", real_binary("atan2")},
      {"maximum", binary("maximum")},
      {"minimum", binary("minimum")},
      {"max.other", binary("maximum")},
      {"min.other", binary("minimum")},
      {"fmax", ignoring_nan("maximum")},
      {"fmin", ignoring_nan("minimum")},
      {"logaddexp", real_binary("logaddexp")},
      {"logaddexp2", logaddexp2},
      {"hypot", hypot},
      {"copysign", copysign},
      {"heaviside", heaviside},
      {"xlogy", xlogy},
      {"special_xlogy", xlogy},
      {"lerp", lerp},
      {"addcmul", add_product("multiply")},
      {"addcdiv", add_product("divide")},
      {"eq", compare("equal")},
      {"ne", compare("not_equal")},
      {"not_equal", compare("not_equal")},
      {"lt", compare("less")},
      {"less", compare("less")},
      {"le", compare("less_equal")},
      {"less_equal", compare("less_equal")},
      {"gt", compare("greater")},
      {"greater", compare("greater")},
      {"ge", compare("greater_equal")},
      {"greater_equal", compare("greater_equal")},
      {"isclose", isclose},
      {"logical_and", logical("logical_and")},
      {"logical_or", logical("logical_or")},
      {"logical_xor", logical("logical_xor")},
      {"logical_not", logical_not},
      {"bitwise_and", bits("logical_and", "bitwise_and")},
      {"bitwise_or", bits("logical_or", "bitwise_or")},
      {"bitwise_xor", bits("logical_xor", "bitwise_xor")},
      {"__and__", bits("logical_and", "bitwise_and")},
      {"__or__", bits("logical_or", "bitwise_or")},
      {"__xor__", bits("logical_xor", "bitwise_xor")},
      {"__iand__", bits("logical_and", "bitwise_and")},
      {"__ior__", bits("logical_or", "bitwise_or")},
      {"bitwise_not", bitwise_not},
      {"bitwise_left_shift", binary("shift_left")},
      {"bitwise_right_shift", binary("shift_right")},
      {"__lshift__", binary("shift_left")},
      {"__rshift__", binary("shift_right")},
      {"where", where},
      {"masked_fill", masked_fill},
      {"clamp", clamp},
      {"clip", clamp},
      {"clamp_min", clamp},
      {"clamp_max", clamp},
      {"nan_to_num", nan_to_num},
      {"abs", absolute},
      {"absolute", absolute},
      {"neg", unary("negative")},
      {"negative", unary("negative")},
      {"positive", identity()},
      {"sign", sign},
      {"sgn", sign},
      {"signbit", signbit},
      {"ceil", rounding("ceil")},
      {"floor", rounding("floor")},
      {"round", rounding("round")},
      {"trunc", rounding("trunc")},
      {"fix", rounding("trunc")},
      {"frac", frac},
      {"square", square},
      {"sqrt", real_unary("sqrt")},
      {"rsqrt", real_unary("rsqrt")},
      {"reciprocal", real_unary("reciprocal")},
      {"exp", real_unary("exp")},
      {"exp2", exp2},
      {"expm1", expm1},
      {"log", real_unary("log")},
      {"log2", real_unary("log2")},
      {"log10", real_unary("log10")},
      {"log1p", real_unary("log1p")},
      {"sin", real_unary("sin")},
      {"cos", real_unary("cos")},
      {"tan", real_unary("tan")},
      {"asin", real_unary("asin")},
      {"acos", real_unary("acos")},
      {"atan", real_unary("atan")},
      {"sinh", real_unary("sinh")},
      {"cosh", real_unary("cosh")},
      {"tanh", real_unary("tanh")},
      {"asinh", real_unary("asinh")},
      {"acosh", real_unary("acosh")},
      {"atanh", real_unary("atanh")},
      {"erf", real_unary("erf")},
      {"erfc", erfc},
      {"erfinv", real_unary("erfinv")},
      {"lgamma", real_unary("lgamma")},
      {"digamma", real_unary("digamma")},
      {"logit", logit},
      {"sinc", sinc},
      {"deg2rad", [](Context& c) { return scaled(c, M_PI / 180); }},
      {"rad2deg", [](Context& c) { return scaled(c, 180 / M_PI); }},
      {"isnan", is_kind("is_nan", {}, false)},
      {"isinf", is_kind("is_inf", {}, false)},
      {"isfinite", is_kind("is_finite", {}, true)},
      {"isposinf", is_kind("is_inf", {{"negative", false}}, false)},
      {"isneginf", is_kind("is_inf", {{"positive", false}}, false)},
      {"complex", complex_of},
      {"polar", polar},
      {"angle", angle},
      {"conj", conjugate},
      {"_conj", conjugate},
      {"conj_physical", conjugate},
      {"resolve_conj", identity()},
      {"resolve_neg", identity()},
  };
}

}  // namespace godwit::frontends::aten

// Arithmetic, comparisons, logic and casts.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Row two(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) -> Values { return {binary(c, op, c.in(0), c.in(1))}; }};
}

Row many(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) -> Values {
            Value* out = c.in(0);
            for (size_t i = 1; i < c.count(); ++i) out = binary(c, op, out, c.in(i));
            return {out};
          }};
}

Values div(Call& c) {  // integers truncate
  return {binary(c, is_integer(c.dtype()) ? "trunc_divide" : "divide", c.in(0), c.in(1))};
}

Values mod(Call& c) {
  if (c.flag("fmod")) return {binary(c, "fmod", c.in(0), c.in(1))};
  Value* out = binary(c, "remainder", c.in(0), c.in(1));
  if (!is_float(out->dtype())) return {out};
  // A remainder of zero has the divisor's sign, too.
  Value* zero = c.op("where", {c.op("less", {c.in(1), c.scalar(0, out)}), c.scalar(-0.0, out), c.scalar(0, out)});
  return {c.op("where", {c.op("equal", {out, c.scalar(0, out)}), zero, out})};
}

Values mean(Call& c) {
  Value* out = c.in(0);
  for (size_t i = 1; i < c.count(); ++i) out = binary(c, "add", out, c.in(i));
  return {c.count() == 1 ? out : divide(c, out, c.scalar(static_cast<double>(c.count()), out))};
}

// The result has the base's type, whatever the exponent's.
Values pow(Call& c) {
  Value *base = c.in(0), *exponent = c.in(1);
  const DType type = base->dtype();
  if (type == exponent->dtype()) return {binary(c, "power", base, exponent)};
  const bool real = is_float(type) || is_float(exponent->dtype());
  const bool wide = type == DType::f64 || exponent->dtype() == DType::f64;
  const DType common = !real ? DType::i64 : is_float(type) && !wide ? type : wide ? DType::f64 : DType::f32;
  return {c.cast(c.op("power", {c.cast(base, common), c.cast(exponent, common)}), type)};
}

Values shift(Call& c) {
  const std::string direction = c.text("direction");
  if (direction != "LEFT" && direction != "RIGHT") c.fail("direction '{}' is neither LEFT nor RIGHT", direction);
  return {binary(c, direction == "LEFT" ? "shift_left" : "shift_right", c.in(0), c.in(1))};
}

Values clip(Call& c) {
  Value *x = c.in(0), *low = c.maybe(1), *high = c.maybe(2);
  if (c.opset < 11) {
    if (c.has_attribute("min")) low = c.scalar(c.real("min", 0), x);
    if (c.has_attribute("max")) high = c.scalar(c.real("max", 0), x);
  }
  return {low || high ? c.op("clip", {x, low, high}) : x};
}

// Magnitudes rounded to powers of two, which the cast to float8e8m0 then keeps; by itself it rounds to the nearest.
Value* power_of_two(Call& c, Value* x, const std::string& rounding) {
  if (rounding == "nearest") return x;
  if (rounding != "up" && rounding != "down") c.fail("unknown round_mode '{}'", rounding);
  Value* wide = c.cast(x, DType::f32);
  Value* bits = c.op("bitcast", {wide}, {{"from", DType::f32}, {"to", DType::u32}});
  auto number = [&](double v) { return c.b.scalar(DType::u32, v); };
  bits = c.op("bitwise_and", {bits, number(0x7fffffff)});
  // Upwards any mantissa carries into the exponent.
  if (rounding == "up") bits = add(c, bits, number(0x7fffff));
  bits = c.op("bitwise_and", {bits, number(0x7f800000)});
  Value* power = c.op("bitcast", {bits}, {{"from", DType::u32}, {"to", DType::f32}});
  if (c.flag("saturate", true)) power = c.op("minimum", {power, c.scalar(std::ldexp(1.0, 127), power)});
  return c.op("where", {c.op("is_finite", {wide}), power, wide});
}

Values cast_to(Call& c, DType to) {
  Value* x = c.in(0);
  if (x->dtype() == to) return {x};
  const std::string rounding = c.text("round_mode", "up");
  if (to == DType::f8e8m0) x = power_of_two(c, x, rounding);
  return {c.op("cast", {x}, {{"from", x->dtype()}, {"to", to}, {"saturate", c.flag("saturate", true)}})};
}

Values cast(Call& c) { return cast_to(c, c.dtype_attribute("to", c.dtype())); }
Values cast_like(Call& c) { return cast_to(c, c.dtype(1)); }

Values bit_cast(Call& c) {
  return {c.op("bitcast", {c.in(0)}, {{"from", c.dtype()}, {"to", c.dtype_attribute("to", c.dtype())}})};
}

Values where(Call& c) { return {c.op("where", {c.in(0), c.in(1), c.in(2)})}; }

Values is_inf(Call& c) {
  return {c.op("is_inf", {c.in(0)},
               {{"positive", c.flag("detect_positive", true)}, {"negative", c.flag("detect_negative", true)}})};
}

Values identity(Call& c) { return {c.in(0)}; }

// Inference only, unless training_mode is set: then the mask comes from a generator that nobody else has.
Values dropout(Call& c) {
  Value* x = c.in(0);
  const bool training = c.opset >= 12 && c.has(2) && c.constant(2) != 0;
  const double ratio = c.opset >= 12 ? (c.has(1) && training ? c.constant(1) : 0.5) : c.real("ratio", 0.5);
  Value* mask = nullptr;
  if (training && ratio != 0) {
    Value* noise = c.op("random_uniform", {}, {{"shape", x->shape()}, {"dtype", DType::f32}});
    mask = c.op("greater_equal", {noise, c.b.scalar(DType::f32, ratio)});
    Value* scaled = multiply(c, x, 1.0 / (1.0 - ratio));
    return {c.op("where", {mask, scaled, c.scalar(0, x)}), mask};
  }
  if (c.wants(1)) mask = full(c, c.opset >= 10 ? DType::boolean : x->dtype(), 1, x->shape());
  return {c.op("copy", {x}), mask};
}

Values bernoulli(Call& c) {
  Value* x = c.in(0);
  Value* noise = c.op("random_uniform", {}, {{"shape", x->shape()}, {"dtype", DType::f32}});
  return {c.cast(c.op("less", {noise, c.cast(x, DType::f32)}), c.dtype_attribute("dtype", x->dtype()))};
}

}  // namespace

Rows elementwise_rows() {
  return {
      rename("Abs", "abs"),
      rename("Neg", "negative"),
      rename("Sign", "sign"),
      rename("Floor", "floor"),
      rename("Ceil", "ceil"),
      rename("Round", "round"),
      rename("Sqrt", "sqrt"),
      rename("Reciprocal", "reciprocal"),
      rename("Exp", "exp"),
      rename("Log", "log"),
      rename("Sin", "sin"),
      rename("Cos", "cos"),
      rename("Tan", "tan"),
      rename("Asin", "asin"),
      rename("Acos", "acos"),
      rename("Atan", "atan"),
      rename("Sinh", "sinh"),
      rename("Cosh", "cosh"),
      rename("Tanh", "tanh"),
      rename("Asinh", "asinh"),
      rename("Acosh", "acosh"),
      rename("Atanh", "atanh"),
      rename("Erf", "erf"),
      rename("Not", "logical_not"),
      rename("BitwiseNot", "bitwise_not"),
      rename("IsNaN", "is_nan"),
      two("Sub", "subtract"),
      two("Add", "add"),
      two("Mul", "multiply"),
      two("And", "logical_and"),
      two("Or", "logical_or"),
      two("Xor", "logical_xor"),
      two("Equal", "equal"),
      two("Less", "less"),
      two("LessOrEqual", "less_equal"),
      two("Greater", "greater"),
      two("GreaterOrEqual", "greater_equal"),
      two("BitwiseAnd", "bitwise_and"),
      two("BitwiseOr", "bitwise_or"),
      two("BitwiseXor", "bitwise_xor"),
      many("Sum", "add"),
      many("Max", "maximum"),
      many("Min", "minimum"),
      {"Div", div},
      {"Mod", mod},
      {"Mean", mean},
      {"Pow", pow},
      {"BitShift", shift},
      {"Clip", clip},
      {"Cast", cast},
      {"CastLike", cast_like},
      {"BitCast", bit_cast},
      {"Where", where},
      {"IsInf", is_inf},
      {"Identity", identity},
      {"Dropout", dropout},
      {"Bernoulli", bernoulli},
  };
}

}  // namespace godwit::frontends::onnx

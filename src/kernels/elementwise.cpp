#include "kernels/elementwise.h"

#include <cmath>
#include <limits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/half-inl.h"
#include "kernels/isa.h"
#include "kernels/lanes-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <class F>
HWY_INLINE void over(float* out, const float* a, const float* b, const float* c, int64_t n, F f) {
  const D d;
  over_lanes(n, [&](auto load, auto store) HWY_ATTR {
    auto operand = [&](const float* x) HWY_ATTR { return x ? load(x) : hn::Zero(d); };
    store(f(d, operand(a), operand(b), operand(c)), out);
  });
}

V bool_of(D d, hn::Mask<D> m) { return hn::IfThenElseZero(m, hn::Set(d, 1.0f)); }
hn::Mask<D> truth(D d, V v) { return hn::Not(hn::Eq(v, hn::Zero(d))); }  // NaN is true
V nan_wins(V a, V b, V result) { return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, result)); }

#define UNARY(name, expression)                                                                    \
  void name(float* out, const float* a, const float*, const float*, int64_t n, float p, float q) { \
    over(out, a, nullptr, nullptr, n, [p, q](D d, V x, V, V) HWY_ATTR {                            \
      (void)d, (void)p, (void)q;                                                                   \
      return expression;                                                                           \
    });                                                                                            \
  }
#define BINARY(name, expression)                                                                 \
  void name(float* out, const float* a, const float* b, const float*, int64_t n, float, float) { \
    over(out, a, b, nullptr, n, [](D d, V x, V y, V) HWY_ATTR {                                  \
      (void)d;                                                                                   \
      return expression;                                                                         \
    });                                                                                          \
  }
#define SCALAR(name, expression)                                                                     \
  void name(float* out, const float* a, const float* b, const float*, int64_t n, float p, float q) { \
    (void)b, (void)p, (void)q;                                                                       \
    for (int64_t i = 0; i < n; ++i) {                                                                \
      const float x = a[i];                                                                          \
      out[i] = expression;                                                                           \
    }                                                                                                \
  }

V one(D d) { return hn::Set(d, 1.0f); }
V half_of(D d, V x) { return hn::Mul(x, hn::Set(d, 0.5f)); }

UNARY(copy, x)
UNARY(negative, hn::Neg(x))
UNARY(abs, hn::Abs(x))
UNARY(sign, hn::Sub(bool_of(d, hn::Gt(x, hn::Zero(d))), bool_of(d, hn::Lt(x, hn::Zero(d)))))
UNARY(floor, hn::Floor(x))
UNARY(ceil, hn::Ceil(x))
UNARY(round, hn::Round(x))
UNARY(trunc, hn::Trunc(x))
UNARY(sqrt, hn::Sqrt(x))
UNARY(rsqrt, hn::Div(one(d), hn::Sqrt(x)))
UNARY(reciprocal, hn::Div(one(d), x))
UNARY(square, hn::Mul(x, x))
UNARY(exp, exp_of(d, x))
UNARY(log, log_of(d, x))
UNARY(tanh, tanh_of(d, x))
UNARY(erf, erf_of(d, x))
UNARY(relu, nan_wins(x, x, hn::Max(x, hn::Zero(d))))
UNARY(sigmoid, sigmoid_of(d, x))
UNARY(silu, hn::Mul(x, sigmoid_of(d, x)))
UNARY(softsign, hn::Div(x, hn::Add(one(d), hn::Abs(x))))
UNARY(hard_swish, hn::Mul(x, hn::Mul(hn::Clamp(hn::Add(x, hn::Set(d, 3.0f)), hn::Zero(d), hn::Set(d, 6.0f)),
                                     hn::Set(d, 1.0f / 6.0f))))
UNARY(hard_sigmoid, nan_wins(x, x, hn::Clamp(hn::MulAdd(x, hn::Set(d, p), hn::Set(d, q)), hn::Zero(d), one(d))))
UNARY(leaky_relu, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, hn::Set(d, p)), x))
UNARY(gelu, gelu_of(d, x))
UNARY(gelu_tanh,
      hn::Mul(half_of(d, x),
              hn::Add(one(d), tanh_of(d, hn::Mul(hn::Set(d, 0.79788456080286536f),
                                                 hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x))))))
UNARY(gelu_sigmoid, hn::Mul(x, sigmoid_of(d, hn::Mul(x, hn::Set(d, 1.702f)))))
UNARY(clip, nan_wins(x, x, hn::Min(hn::Max(x, hn::Set(d, p)), hn::Set(d, q))))
UNARY(logical_not, bool_of(d, hn::Not(truth(d, x))))
UNARY(is_nan, bool_of(d, hn::IsNaN(x)))
UNARY(is_finite, bool_of(d, hn::IsFinite(x)))
UNARY(to_bool, bool_of(d, truth(d, x)))
UNARY(round_f16, rounded_f16(d, x))
UNARY(round_bf16, rounded_bf16(d, x))

BINARY(add, hn::Add(x, y))
BINARY(subtract, hn::Sub(x, y))
BINARY(multiply, hn::Mul(x, y))
BINARY(divide, hn::Div(x, y))
BINARY(minimum, nan_wins(x, y, hn::Min(x, y)))
BINARY(maximum, nan_wins(x, y, hn::Max(x, y)))
BINARY(equal, bool_of(d, hn::Eq(x, y)))
BINARY(not_equal, bool_of(d, hn::Not(hn::Eq(x, y))))
BINARY(less, bool_of(d, hn::Lt(x, y)))
BINARY(less_equal, bool_of(d, hn::Le(x, y)))
BINARY(greater, bool_of(d, hn::Gt(x, y)))
BINARY(greater_equal, bool_of(d, hn::Ge(x, y)))
BINARY(logical_and, bool_of(d, hn::And(truth(d, x), truth(d, y))))
BINARY(logical_or, bool_of(d, hn::Or(truth(d, x), truth(d, y))))
BINARY(logical_xor, bool_of(d, hn::Xor(truth(d, x), truth(d, y))))

void where(float* out, const float* a, const float* b, const float* c, int64_t n, float, float) {
  over(out, a, b, c, n, [](D d, V x, V y, V z) HWY_ATTR { return hn::IfThenElse(truth(d, x), y, z); });
}

// Rare functions, one element at a time.
SCALAR(expm1, std::expm1(x))
SCALAR(log2, std::log2(x))
SCALAR(log10, std::log10(x))
SCALAR(log1p, std::log1p(x))
SCALAR(sin, std::sin(x))
SCALAR(cos, std::cos(x))
SCALAR(tan, std::tan(x))
SCALAR(asin, std::asin(x))
SCALAR(acos, std::acos(x))
SCALAR(atan, std::atan(x))
SCALAR(sinh, std::sinh(x))
SCALAR(cosh, std::cosh(x))
SCALAR(asinh, std::asinh(x))
SCALAR(acosh, std::acosh(x))
SCALAR(atanh, std::atanh(x))
SCALAR(mish, x* std::tanh(x > 20 ? x : std::log1p(std::exp(x))))
SCALAR(log_sigmoid, x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)))
SCALAR(softplus, x* p > q ? x : std::log1p(std::exp(x * p)) / p)
SCALAR(elu, (x > 0 ? x : p * std::expm1(x)) * q)
SCALAR(power, std::pow(x, b[i]))
SCALAR(atan2, std::atan2(x, b[i]))
SCALAR(fmod, std::fmod(x, b[i]))
SCALAR(floor_divide, std::floor(x / b[i]))

}  // namespace

const NamedTileFunction* table(size_t* count) {
#define ROW(name) \
  { #name, name }
  static constexpr NamedTileFunction rows[] = {
      ROW(copy),          ROW(negative),     ROW(abs),        ROW(sign),         ROW(floor),      ROW(ceil),
      ROW(round),         ROW(trunc),        ROW(sqrt),       ROW(rsqrt),        ROW(reciprocal), ROW(square),
      ROW(exp),           ROW(log),          ROW(tanh),       ROW(erf),          ROW(relu),       ROW(sigmoid),
      ROW(silu),          ROW(softsign),     ROW(hard_swish), ROW(hard_sigmoid), ROW(leaky_relu), ROW(gelu),
      ROW(gelu_tanh),     ROW(gelu_sigmoid), ROW(clip),       ROW(logical_not),  ROW(is_nan),     ROW(is_finite),
      ROW(to_bool),       ROW(add),          ROW(subtract),   ROW(multiply),     ROW(divide),     ROW(minimum),
      ROW(maximum),       ROW(equal),        ROW(not_equal),  ROW(less),         ROW(less_equal), ROW(greater),
      ROW(greater_equal), ROW(logical_and),  ROW(logical_or), ROW(logical_xor),  ROW(where),      ROW(expm1),
      ROW(log2),          ROW(log10),        ROW(log1p),      ROW(sin),          ROW(cos),        ROW(tan),
      ROW(asin),          ROW(acos),         ROW(atan),       ROW(sinh),         ROW(cosh),       ROW(asinh),
      ROW(acosh),         ROW(atanh),        ROW(mish),       ROW(log_sigmoid),  ROW(softplus),   ROW(elu),
      ROW(power),         ROW(atan2),        ROW(fmod),       ROW(floor_divide), ROW(round_f16),  ROW(round_bf16)};
#undef ROW
  *count = sizeof(rows) / sizeof(rows[0]);
  return rows;
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(table);

TileFunction tile_function(std::string_view name) {
  choose_isa();
  size_t count = 0;
  const auto* rows = HWY_DYNAMIC_DISPATCH(table)(&count);
  for (size_t i = 0; i < count; ++i)
    if (name == rows[i].name) return rows[i].function;
  return nullptr;
}

}  // namespace godwit::kernels
#endif

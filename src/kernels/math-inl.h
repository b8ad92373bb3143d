// Functions of float32 vectors with an error of at most 2 ulp (tests/kernels/math_test.cpp measures them). Included
// once for every instruction set.
#if defined(GODWIT_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GODWIT_KERNELS_MATH_INL_H_
#undef GODWIT_KERNELS_MATH_INL_H_
#else
#define GODWIT_KERNELS_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V>
HWY_INLINE V polynomial(D, V, float last) {
  return hn::Set(D(), last);
}
// c0 + c1 x + c2 x^2 ..., by Horner's rule
template <class D, class V, class... C>
HWY_INLINE V polynomial(D d, V x, float c0, C... c) {
  return hn::MulAdd(polynomial(d, x, c...), x, hn::Set(d, c0));
}

// 2^n p for whole n from -150 to 128 and p near 1
template <class D, class V>
HWY_INLINE V scale_by_power(D d, V p, V n) {
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
  (void)d;
  return V{_mm512_scalef_ps(p.raw, n.raw)};
#else
  const hn::RebindToSigned<D> di;
  auto power = [&](auto e) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127)))); };
  const auto whole = hn::ConvertTo(di, n), half = hn::ShiftRight<1>(whole);
  return hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
#endif
}

// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) as a polynomial (largest relative error 4e-9).
template <class D, class V>
HWY_INLINE V exp_of(D d, V x) {
  const V bounded = hn::Max(hn::Set(d, -104.0f), hn::Min(hn::Set(d, 89.0f), x));
  const V magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: what is added to it is rounded to whole numbers
  const V n = hn::Sub(hn::MulAdd(bounded, hn::Set(d, 1.44269504f), magic), magic);
  const V r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(n, hn::Set(d, 0.693359375f), bounded));
  const V p = polynomial(d, r, 1.0f, 1.0f, 5.000000000e-01f, 1.666651517e-01f, 4.166626185e-02f, 8.369187824e-03f,
                         1.394650433e-03f);
  const V result = scale_by_power(d, p, n);
#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86
  return result;  // Min and Max gave their second operand where one is NaN, and it has come through
#else
  return hn::IfThenElse(hn::IsNaN(x), x, result);
#endif
}

template <class D, class V>
HWY_INLINE V sigmoid_of(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp_of(d, hn::Neg(x))));
}

// Below 0.625 an odd polynomial (largest relative error 4e-9), above 1 - 2 / (exp(2x) + 1).
template <class D, class V>
HWY_INLINE V tanh_of(D d, V x) {
  const V t = hn::Abs(x), s = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  const V small = hn::MulAdd(hn::Mul(polynomial(d, s, -3.333325503e-01f, 1.333099799e-01f, -5.371058513e-02f,
                                                2.055687172e-02f, -5.621580738e-03f),
                                     s),
                             x, x);
  const V grown = exp_of(d, hn::Add(t, t));
  const V large = hn::CopySign(hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(grown, one))), x);
  const V result = hn::IfThenElse(hn::Lt(t, hn::Set(d, 0.625f)), small, large);
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

// Below 0.92 erf(x) / x as a polynomial in x^2 (5e-10), above 1 - exp(-p(x)) with p fitted to -log(erfc) (2e-9).
template <class D, class V>
HWY_INLINE V erf_of(D d, V x) {
  const V t = hn::Min(hn::Abs(x), hn::Set(d, 4.0f)), s = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  const V small = hn::MulAdd(polynomial(d, s, 1.283791671e-01f, -3.761263319e-01f, 1.128368719e-01f, -2.685894144e-02f,
                                        5.199906518e-03f, -8.130011103e-04f, 8.316769149e-05f),
                             x, x);
  const V p = polynomial(d, t, 1.664281848e-04f, 1.127797330e+00f, 6.369759244e-01f, 1.041138299e-01f,
                         -2.231529211e-02f, 3.065511797e-03f, -1.982220289e-04f);
  const V large = hn::CopySign(hn::Sub(one, exp_of(d, hn::Neg(p))), x);
  const V result = hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.92f)), small, large);
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

// x / 2 (1 + erf(x / sqrt 2)), with erf as a rational function of its square: off by at most 4e-7 of |x|, at half the
// cost of erf_of.
template <class D, class V>
HWY_INLINE V gelu_of(D d, V x) {
  const V limit = hn::Set(d, 3.92f);
  const V t = hn::Clamp(hn::Mul(x, hn::Set(d, 0.70710678f)), hn::Neg(limit), limit), s = hn::Mul(t, t);
  const V p = polynomial(d, s, 1.128379146e+00f, 1.904060820e-01f, 5.274866470e-02f, 3.765598756e-03f, 2.848820606e-04f,
                         2.050086727e-06f);
  const V q =
      polynomial(d, s, 1.0f, 5.020757376e-01f, 1.141089461e-01f, 1.496917981e-02f, 1.162530648e-03f, 3.809167484e-05f);
  const V erf = hn::Div(hn::Mul(t, p), q), half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::MulAdd(half, erf, half));
}

template <class D, class V>
HWY_INLINE V log_of(D d, V x) {
  V result = hn::Log(d, x);
  result = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(hn::Inf(d)), result);
  result = hn::IfThenElse(hn::Eq(x, hn::Inf(d)), x, result);
  const auto invalid = hn::Or(hn::Lt(x, hn::Zero(d)), hn::IsNaN(x));
  return hn::IfThenElse(invalid, hn::NaN(d), result);
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

// lgamma, digamma, and the error function of float64. The first two: reflection for the left half, a shift to large
// arguments, then the asymptotic series.
#include <mlx/ops.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "ops/elementwise.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

struct Constants {
  mx::Dtype type;
  array operator()(double v) const { return mx::array(v, type); }
};

// sum of c[k] * t^k
template <size_t N>
array polynomial(const array& t, const double (&c)[N], Constants real) {
  array sum = real(c[N - 1]);
  for (size_t k = N - 1; k-- > 0;) sum = mx::add(mx::multiply(sum, t), real(c[k]));
  return sum;
}

// The half types are computed in float32.
template <class F>
array in_float(const array& x, F f) {
  if (x.dtype() == mx::float64) return f(x);
  return mx::astype(f(mx::astype(x, mx::float32)), x.dtype());
}

constexpr int shift = 8;

// log(gamma(x)) for x >= 0.5
array lgamma_right(const array& x, Constants real) {
  // log(gamma(x)) = log(gamma(x + n)) - log(x (x + 1) ... (x + n - 1)); only small x needs it.
  array small = mx::less(x, real(shift));
  array factor = real(1);
  array inner = mx::where(small, x, real(1));
  for (int k = 0; k < shift; ++k) factor = mx::multiply(factor, mx::add(inner, real(k)));
  array y = mx::where(small, mx::add(x, real(shift)), x);
  array inverse = mx::reciprocal(y);
  array series = mx::multiply(
      inverse,
      polynomial(mx::square(inverse),
                 {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156}, real));
  array stirling = mx::add(mx::multiply(mx::subtract(y, real(0.5)), mx::subtract(mx::log(y), real(1))),
                           mx::add(real(0.5 * std::log(2 * std::numbers::pi) - 0.5), series));
  return mx::where(small, mx::subtract(stirling, mx::log(factor)), stirling);
}

array digamma_right(const array& x, Constants real) {
  array small = mx::less(x, real(shift));
  array inner = mx::where(small, x, real(1));
  array sum = real(0);
  for (int k = 0; k < shift; ++k) sum = mx::add(sum, mx::reciprocal(mx::add(inner, real(k))));
  array y = mx::where(small, mx::add(x, real(shift)), x);
  array inverse = mx::reciprocal(y), t = mx::square(inverse);
  array series = mx::multiply(
      t, polynomial(t, {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12}, real));
  array far = mx::subtract(mx::subtract(mx::log(y), mx::multiply(real(0.5), inverse)), series);
  return mx::where(small, mx::subtract(far, sum), far);
}

}  // namespace

array lgamma(const array& input) {
  return in_float(input, [](const array& x) {
    Constants real{x.dtype()};
    array left = mx::less(x, real(0.5));
    array right = lgamma_right(mx::where(left, mx::subtract(real(1), x), x), real);
    array fraction = mx::subtract(x, mx::floor(x));
    array reflected = mx::subtract(
        mx::log(mx::divide(real(std::numbers::pi), mx::abs(ops::sin(mx::multiply(real(std::numbers::pi), fraction))))),
        right);
    array pole = mx::logical_and(mx::less_equal(x, real(0)), mx::equal(fraction, real(0)));
    array infinite = mx::logical_or(pole, mx::isinf(x));
    array value = mx::where(left, reflected, right);
    return mx::where(infinite, real(std::numeric_limits<double>::infinity()), value);
  });
}

array digamma(const array& input) {
  return in_float(input, [](const array& x) {
    Constants real{x.dtype()};
    array left = mx::less(x, real(0.5));
    array right = digamma_right(mx::where(left, mx::subtract(real(1), x), x), real);
    array fraction = mx::subtract(x, mx::floor(x));
    array cotangent = mx::divide(real(std::numbers::pi), mx::tan(mx::multiply(real(std::numbers::pi), fraction)));
    array value = mx::where(left, mx::subtract(right, cotangent), right);
    array nan = real(std::numeric_limits<double>::quiet_NaN());
    value = mx::where(mx::logical_and(mx::less(x, real(0)), mx::equal(fraction, real(0))), nan, value);
    // Towards either zero the function runs to the infinity of the other sign.
    value = mx::where(mx::equal(x, real(0)), mx::negative(mx::reciprocal(x)), value);
    return mx::where(mx::isposinf(x), x, value);
  });
}

namespace {

// erf of float64, |x| < 3: a series of positive terms, 2/sqrt(pi) e^(-x^2) sum of (2^n x^(2n+1) / (2n+1)!!).
array erf_near(const array& x, Constants real) {
  array square = mx::square(x), sum = real(1);
  for (int n = 70; n >= 1; --n)
    sum = mx::add(real(1), mx::multiply(sum, mx::multiply(square, real(2.0 / (2 * n + 1)))));
  array scale = mx::multiply(real(2 * std::numbers::inv_sqrtpi), ops::exp(mx::negative(square)));
  return mx::multiply(mx::multiply(scale, x), sum);
}

// |x| >= 3: the continued fraction of 1 - erf.
array erf_far(const array& x, Constants real) {
  array size = mx::abs(x), square = mx::square(size), tail = size;
  for (int n = 40; n >= 1; --n) tail = mx::add(size, mx::divide(real(n / 2.0), tail));
  array rest = mx::divide(mx::multiply(real(std::numbers::inv_sqrtpi), ops::exp(mx::negative(square))), tail);
  return mx::multiply(mx::sign(x), mx::subtract(real(1), rest));
}

}  // namespace

array erf(const array& x) {
  if (x.dtype() != mx::float64) return mx::erf(x);
  Constants real{x.dtype()};
  array far = mx::greater_equal(mx::abs(x), real(3));
  array value = mx::where(far, erf_far(mx::where(far, x, real(3)), real), erf_near(mx::where(far, real(0), x), real));
  return mx::where(mx::isnan(x), x, value);
}

array erfinv(const array& x) {
  if (x.dtype() != mx::float64) return mx::erfinv(x);
  Constants real{x.dtype()};
  array y = mx::erfinv(x);
  for (int step = 0; step < 2; ++step) {  // Newton: the slope of erf is 2/sqrt(pi) e^(-y^2)
    array slope = mx::multiply(real(2 * std::numbers::inv_sqrtpi), ops::exp(mx::negative(mx::square(y))));
    array next = mx::subtract(y, mx::divide(mx::subtract(ops::erf(y), x), slope));
    y = mx::where(mx::isfinite(next), next, y);
  }
  return y;
}

array logaddexp(const array& x, const array& y) {
  if (x.dtype() != mx::float64) return mx::logaddexp(x, y);
  array top = mx::maximum(x, y), gap = mx::abs(mx::subtract(x, y));
  array sum = mx::add(top, mx::log1p(ops::exp(mx::negative(gap))));
  return mx::where(mx::isinf(top), top, sum);
}

}  // namespace godwit::ops

#include "parity/quantization_error.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace godwit::parity {

namespace mx = mlx::core;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// float64 exists on the CPU only. A complex element counts as two.
mx::array wide(const mx::array& x) {
  if (mx::issubdtype(x.dtype(), mx::complexfloating))
    return mx::astype(mx::stack({mx::real(x), mx::imag(x)}), mx::float64);
  return mx::astype(x, mx::float64);
}

double number(mx::array x) { return x.item<double>(); }
double dot(const mx::array& a, const mx::array& b) { return number(mx::sum(mx::multiply(a, b))); }

double share(double part, double whole) {
  return part == 0 ? 0 : whole > 0 && part <= infinity ? part / whole : infinity;
}

}  // namespace

void ErrorSums::add(const mx::array& computed, const mx::array& reference) {
  if (computed.shape() != reference.shape() || computed.dtype() != reference.dtype()) return add_mismatch();
  if (reference.size() == 0) return;
  mx::StreamContext cpu(mx::Device::cpu);
  exact_ = !mx::issubdtype(reference.dtype(), mx::inexact);
  const mx::array all = wide(reference), finite = mx::isfinite(all), zero(0.0, mx::float64);
  const mx::array r = mx::where(finite, all, zero), c = mx::where(finite, wide(computed), zero);
  const mx::array gap = mx::subtract(c, r);
  count_ += static_cast<double>(reference.size());
  differing_ += number(mx::sum(mx::astype(mx::not_equal(c, r), mx::float64)));
  largest_difference_ = std::max(largest_difference_, number(mx::max(mx::abs(gap))));
  largest_ = std::max(largest_, number(mx::max(mx::abs(r))));
  dd_ += dot(gap, gap), rr_ += dot(r, r), cc_ += dot(c, c), rc_ += dot(r, c);
  if (!std::isfinite(dd_)) add_mismatch();
}

void ErrorSums::add_mismatch() { largest_difference_ = dd_ = infinity; }

QuantizationError ErrorSums::error() const {
  QuantizationError out;
  out.largest = share(largest_difference_, largest_);
  if (exact_)
    out.rms = std::isfinite(dd_) ? share(differing_, count_) : infinity;
  else
    out.rms = share(std::sqrt(dd_), std::sqrt(rr_));
  const double norm = std::sqrt(rr_) * std::sqrt(cc_);
  const bool is_known = std::isfinite(dd_) && norm > 0;
  out.cosine = dd_ == 0 ? 1 : is_known ? std::clamp(rc_ / norm, -1.0, 1.0) : 0;
  return out;
}

}  // namespace godwit::parity

#include "parity/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace godwit::parity {
namespace {

template <class T>
void widen(const Tensor& tensor, std::vector<double>& out) {
  for (T v : tensor.values<T>()) out.push_back(static_cast<double>(v));
}

// Elements as doubles; a complex element gives two.
std::vector<double> numbers(const Tensor& source) {
  Tensor tensor = source.contiguous();
  std::vector<double> out;
  out.reserve(static_cast<size_t>(tensor.size()) * (is_complex(tensor.dtype) ? 2 : 1));
  switch (tensor.dtype) {
    case DType::f32: widen<float>(tensor, out); return out;
    case DType::f64: widen<double>(tensor, out); return out;
    case DType::c64:
    case DType::c128: {
      bool wide = tensor.dtype == DType::c128;
      auto bytes = tensor.bytes();
      size_t parts = static_cast<size_t>(tensor.size()) * 2;
      for (size_t i = 0; i < parts; ++i) {
        out.push_back(wide ? reinterpret_cast<const double*>(bytes.data())[i]
                           : static_cast<double>(reinterpret_cast<const float*>(bytes.data())[i]));
      }
      return out;
    }
    default: break;
  }
  if (is_small_float(tensor.dtype)) {  // bit patterns: compared as such
    widen<uint8_t>(tensor, out);
    return out;
  }
  for (int64_t i = 0; i < tensor.size(); ++i) out.push_back(tensor.number(i));
  return out;
}

bool must_be_equal(DType dtype) { return !is_float(dtype) && !is_complex(dtype); }

// Sums over the elements that are finite on both sides.
struct Sums {
  double n = 0, difference = 0, relative = 0, squared_difference = 0;
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;

  void add(double computed, double reference, double floor) {
    double d = std::abs(computed - reference);
    n += 1;
    difference += d;
    relative += d / std::max(std::abs(reference), floor);
    squared_difference += d * d;
    a += computed;
    b += reference;
    aa += computed * computed;
    bb += reference * reference;
    ab += computed * reference;
  }
};

// Shares of two square roots; 1 when undefined and the sides are equal, 0 when undefined and they differ.
double share(double numerator, double left, double right, bool equal) {
  double denominator = std::sqrt(left) * std::sqrt(right);
  if (!(denominator > 0)) return equal ? 1.0 : 0.0;
  return std::clamp(numerator / denominator, -1.0, 1.0);
}

void finish(Comparison& c, const Sums& s) {
  if (s.n == 0) return;
  bool equal = s.squared_difference == 0;
  c.mean_abs = s.difference / s.n;
  c.mean_rel = s.relative / s.n;
  c.cosine = share(s.ab, s.aa, s.bb, equal);
  // Rounding may leave a variance slightly below zero.
  double var_a = std::max(0.0, s.aa - s.a * s.a / s.n), var_b = std::max(0.0, s.bb - s.b * s.b / s.n);
  c.pearson = share(s.ab - s.a * s.b / s.n, var_a, var_b, equal);
  c.snr_db = equal ? std::numeric_limits<double>::infinity() : 10 * std::log10(s.bb / s.squared_difference);
}

void compare_elements(Comparison& c, const std::vector<double>& computed, const std::vector<double>& reference,
                      const Tolerance& tolerance) {
  for (double r : reference) {
    if (std::isfinite(r)) c.scale = std::max(c.scale, std::abs(r));
  }
  bool exact = must_be_equal(c.dtype);
  double base = exact ? 0 : tolerance.scaled * std::max(c.scale, kSmallestScale) + tolerance.atol;
  double rtol = exact ? 0 : tolerance.rtol;
  double floor = std::max(c.scale * kSmallestScale, std::numeric_limits<double>::min());
  Sums sums;
  double worst_excess = -1;
  for (size_t i = 0; i < computed.size(); ++i) {
    double a = computed[i], b = reference[i];
    double excess = 0;
    if (std::isfinite(a) && std::isfinite(b)) {
      double d = std::abs(a - b);
      sums.add(a, b, floor);
      c.max_abs = std::max(c.max_abs, d);
      c.max_rel = std::max(c.max_rel, d / std::max(std::abs(b), floor));
      excess = d;
      if (!(d <= base + rtol * std::abs(b))) ++c.beyond;
    } else if (!((std::isnan(a) && std::isnan(b)) || a == b)) {
      ++c.beyond;
      if (std::isfinite(b)) ++c.not_finite;
      excess = std::numeric_limits<double>::infinity();
    }
    if (excess > worst_excess) {
      worst_excess = excess;
      c.worst = static_cast<int64_t>(i);
    }
  }
  finish(c, sums);
}

}  // namespace

double Comparison::scaled_error() const { return max_abs / std::max(scale, kSmallestScale); }

Comparison compare(std::string name, const Tensor& computed, const Tensor& reference, const Tolerance& tolerance) {
  Comparison c;
  c.name = std::move(name);
  c.shape = computed.shape;
  c.reference_shape = reference.shape;
  c.dtype = computed.dtype;
  c.reference_dtype = reference.dtype;
  c.count = reference.size();
  if (computed.shape != reference.shape) {
    c.reason =
        fmt::format("shape [{}], reference has [{}]", fmt::join(c.shape, ", "), fmt::join(c.reference_shape, ", "));
    return c;
  }
  if (computed.dtype != reference.dtype) {
    c.reason = fmt::format("dtype {}, reference has {}", long_name(c.dtype), long_name(c.reference_dtype));
    return c;
  }
  compare_elements(c, numbers(computed), numbers(reference), tolerance);
  c.passed = c.beyond == 0;
  if (c.not_finite > 0) {
    c.reason =
        fmt::format("{} of {} elements are NaN or infinite where the reference is finite", c.not_finite, c.count);
  } else if (c.beyond > 0) {
    c.reason = fmt::format("{} of {} elements over tolerance, largest error {:.3g} at {} (scale {:.3g})", c.beyond,
                           c.count, c.max_abs, c.worst, c.scale);
  }
  return c;
}

}  // namespace godwit::parity

// Comparison of one computed tensor with its reference.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace godwit::parity {

// An element may be off by `scaled * scale + atol + rtol * |reference|`, where scale is the largest finite magnitude
// of the reference, at least kSmallestScale. Integers and booleans must be equal whatever the tolerance.
struct Tolerance {
  double scaled = 1e-5;
  double atol = 0.0;
  double rtol = 0.0;
};

// An output that is nearly zero everywhere is judged as if its scale were this: its digits are what cancellation or
// a saturated sigmoid left over.
inline constexpr double kSmallestScale = 1e-3;

struct Comparison {
  std::string name;
  std::vector<int64_t> shape, reference_shape;
  DType dtype = DType::f32, reference_dtype = DType::f32;

  bool passed = false;
  std::string reason;  // why it failed, in one sentence; empty when it passed

  // Over the elements that are finite on both sides; zero when there are none.
  double max_abs = 0, mean_abs = 0;
  double max_rel = 0, mean_rel = 0;  // |difference| / max(|reference|, kSmallestScale * scale)
  double scale = 0;                  // largest finite |reference|
  double cosine = 1, pearson = 1;    // 1 where undefined and both sides are equal, else 0
  double snr_db = 0;                 // infinite when the sides are equal
  int64_t count = 0;                 // elements
  int64_t beyond = 0;                // elements over the tolerance, wrong NaN and infinities included
  int64_t not_finite = 0;            // elements that are NaN or infinite here and not so in the reference
  int64_t worst = -1;                // row-major index of the largest error

  double scaled_error() const;  // max_abs as a share of the scale: what `Tolerance::scaled` bounds
};

// A wrong shape or dtype fails without looking at the elements.
Comparison compare(std::string name, const Tensor& computed, const Tensor& reference, const Tolerance& tolerance);

}  // namespace godwit::parity

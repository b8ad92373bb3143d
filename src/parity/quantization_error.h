// Sums over the elements of results and of what they should be.
#pragma once

#include <mlx/array.h>

#include <cstdint>

#include "parity/quantization.h"

namespace godwit::parity {

class ErrorSums {
 public:
  // Of floats elements that are not finite in the reference do not count. Other shapes make the error infinite.
  void add(const mlx::core::array& computed, const mlx::core::array& reference);
  void add_mismatch();  // what cannot be compared
  QuantizationError error() const;

 private:
  bool exact_ = false;  // integers, booleans: the share of elements that differ
  double count_ = 0, differing_ = 0;
  double largest_difference_ = 0, largest_ = 0;
  double dd_ = 0, rr_ = 0, cc_ = 0, rc_ = 0;
};

}  // namespace godwit::parity

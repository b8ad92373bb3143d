// Checks on operand types that many inference functions share. Each stops with the op, what was found and what is
// needed.
#pragma once

#include "ops/infer.h"

namespace godwit::ops::checks {

// All operands that are present have the dtype of operand 0.
inline void one_dtype(const InferContext& c) {
  for (size_t i = 1; i < c.count(); ++i)
    if (c.has(i) && c.dtype(i) != c.dtype(0))
      c.fail("operands are {} and {}, one dtype is needed", name(c.dtype(0)), name(c.dtype(i)));
}

// Operand 0 is a float or a complex number.
inline void floats(const InferContext& c) {
  if (!is_float(c.dtype(0)) && !is_complex(c.dtype(0))) c.fail("operand is {}, a float is needed", name(c.dtype(0)));
}

inline void indices(const InferContext& c, size_t i) {
  if (!is_integer(c.dtype(i))) c.fail("operand {} is {}, integers are needed", i, name(c.dtype(i)));
}

// False where both are known and differ.
inline bool may_equal(const ir::Dim& a, const ir::Dim& b) { return !a.is_known() || !b.is_known() || a == b; }

}  // namespace godwit::ops::checks

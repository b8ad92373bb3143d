// Functions of one element each that are more than one MLX call. Operands of one call have one dtype and broadcast.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// Functions of reals: float operands. MLX computes these of float64 with float32's accuracy; here they have their own.
array exp(const array& x);
array sin(const array& x);
array cos(const array& x);
array erf(const array& x);
array erfinv(const array& x);
array logaddexp(const array& x, const array& y);
array lgamma(const array& x);
array digamma(const array& x);
array angle(const array& x);                      // complex64 -> float32
array complex(const array& re, const array& im);  // float32, float32 -> complex64
array logical_not(const array& x);
array bitwise_not(const array& x);
array is_inf(const array& x, bool positive, bool negative);

// Rounds down. Integers: x // 0 is 0. Floats: as torch.div(rounding_mode="floor"), exact where x / y is.
array floor_divide(const array& x, const array& y);
array trunc_divide(const array& x, const array& y);  // rounds towards zero
array divide(const array& x, const array& y);        // integers round towards zero, as in C
array remainder(const array& x, const array& y);     // sign of y
array fmod(const array& x, const array& y);          // sign of x
array power(const array& x, const array& y);         // integers: a negative power is 0 unless |x| is 1
array shift_left(const array& x, const array& y);    // 0 where y leaves the width
array shift_right(const array& x, const array& y);   // the sign where y leaves the width

array clip(const array& x, const std::optional<array>& low, const std::optional<array>& high);
array nan_to_num(const array& x, double nan, double posinf, double neginf);

// Between any two numeric types. Floats to integers truncate; float8, float6 and float4 are rounded to nearest even
// and held as bit patterns. saturate: finite values out of range (and infinities) become the largest finite value,
// else infinity or NaN as the format has it. Sub-byte integers keep their low bits.
array cast(const array& x, DType from, DType to, bool saturate);
array bitcast(const array& x, DType from, DType to);  // same item size

}  // namespace godwit::ops

// Fourier transforms along one axis and overlap-add. Inverses divide by n, forward transforms do not scale.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// x is cropped or zero-padded to n elements along the axis (irfft: to n / 2 + 1). Complex numbers are c64.
array fft(const array& x, int axis, int n);
array ifft(const array& x, int axis, int n);
array rfft(const array& x, int axis, int n);   // real -> c64, n / 2 + 1 elements
array irfft(const array& x, int axis, int n);  // c64 -> f32, n elements

// (..., frames, size) -> (..., (frames - 1) * step + size): frames placed `step` apart and summed
array overlap_add(const array& x, int step);

}  // namespace godwit::ops

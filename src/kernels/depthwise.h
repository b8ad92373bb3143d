// Depthwise convolutions of stride 1 or 2 whose kernel is 3, 5 or 7 wide, which is most of them: points side by side
// share the columns that they read.
#pragma once

#include "kernels/conv.h"

namespace godwit::kernels {

bool slides(const Conv& c, const Taps& taps);
void slide(const Conv& c, const Taps& taps, ThreadPool& pool, const Done& done);

}  // namespace godwit::kernels

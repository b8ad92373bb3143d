// What a window does with rows of channels: the inner loops of depthwise convolutions and pools.
#pragma once

#include <cstdint>

namespace godwit::kernels {

constexpr int slide_points = 7;  // the maps of most networks are 7, 14, 28, 56 or 112 wide

struct WindowFunctions {
  // Four points at once: rows[tap * 4 + point] (C), weight (taps, C), bias (C) or null, y[point] (C).
  void (*depthwise)(const float* const* rows, int64_t taps, const float* weight, const float* bias, int64_t channels,
                    float* const* y);
  void (*max)(const float* const* rows, int64_t count, int64_t channels, float* y);  // NaN wins; -inf where count is 0
  void (*sum)(const float* const* rows, int64_t count, float scale, int64_t channels, float* y);
  // `points` times: rows[0 .. count) of n floats one behind the other, each row `step` further the next time. Up to a
  // vector behind the end is written as well.
  void (*join)(const float* const* rows, int64_t count, int64_t n, int64_t step, int64_t points, float* out);
  // Points side by side, `width` taps a row of the kernel, a stride of 1 or 2: column i of a row lies at rows[row] + i
  // C, columns outside [first, last) count as zero; weight[row] (width, C), y[point] (C). Null where there is none for
  // this width and stride.
  using Slide = void (*)(const float* const* rows, int64_t first, int64_t last, const float* const* weight,
                         int64_t count, const float* bias, int64_t channels, float* const* y);
  Slide (*slide)(int64_t width, int64_t stride);
};

WindowFunctions window_functions();  // for the chosen ISA

}  // namespace godwit::kernels

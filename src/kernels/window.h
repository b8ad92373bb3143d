// What a window does with rows of channels: the inner loops of depthwise convolutions and pools.
#pragma once

#include <cstdint>

namespace godwit::kernels {

struct WindowFunctions {
  // Four points at once: rows[tap * 4 + point] (C), weight (taps, C), bias (C) or null, y[point] (C).
  void (*depthwise)(const float* const* rows, int64_t taps, const float* weight, const float* bias, int64_t channels,
                    float* const* y);
  void (*max)(const float* const* rows, int64_t count, int64_t channels, float* y);  // NaN wins; -inf where count is 0
  void (*sum)(const float* const* rows, int64_t count, float scale, int64_t channels, float* y);
};

WindowFunctions window_functions();  // for the chosen ISA

}  // namespace godwit::kernels

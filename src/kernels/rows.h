// Functions of contiguous rows of float32: norms, softmax, sums. `out` may be `x`.
#pragma once

#include <cstdint>

namespace godwit::kernels {

struct RowFunctions {
  void (*softmax)(const float* x, int64_t n, float* out);
  void (*log_softmax)(const float* x, int64_t n, float* out);
  // weight and bias may be null
  void (*layer_norm)(const float* x, int64_t n, const float* weight, const float* bias, float eps, float* out);
  void (*rms_norm)(const float* x, int64_t n, const float* weight, float eps, float* out);
  float (*sum)(const float* x, int64_t n);
  float (*sum_squares)(const float* x, int64_t n, float center);  // of x - center
  float (*max)(const float* x, int64_t n);                        // NaN wins; -inf where n is 0
  float (*min)(const float* x, int64_t n);
  float (*dot)(const float* x, const float* y, int64_t n);
  void (*add_to)(float* sum, const float* x, int64_t n);
  void (*max_to)(float* best, const float* x, int64_t n);
  void (*min_to)(float* best, const float* x, int64_t n);
  void (*multiply_add_to)(float* sum, const float* x, const float* y, int64_t n);  // sum += x * y
  void (*axpy)(float w, const float* x, int64_t n, float* sum);                    // sum += w * x
  void (*scale_shift)(const float* x, int64_t n, float scale, float shift, float* out);
  void (*exp_shifted)(const float* x, int64_t n, float shift, float* out, float* sum);  // exp(x - shift) and its sum
};

RowFunctions row_functions();  // for the chosen ISA

}  // namespace godwit::kernels

// Linear layers with weights of 4 or 8 bits in MLX's affine form: w = scale * q + bias, q unsigned and packed into
// words of 32 bits from the low bits up, scale and bias shared by a group along a row.
//
// The activations are rounded as well: to int8 with one scale a group, or to bfloat16 where the machine multiplies
// tiles of it (then the weights, too). Either way an output is off by at most the sum over the row of |w| amax / 254,
// amax being the largest activation of the group, beside float32 rounding. A row of activations that holds a NaN or an
// infinity gives NaN in all of its outputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/thread_pool.h"
#include "kernels/gemm.h"

namespace godwit::kernels {

struct QuantizedShape {
  int64_t n, k;         // outputs, inputs; k is a multiple of group
  int64_t bits, group;  // 4 or 8; 32, 64 or 128
};

// Weights in the order in which kernels read them, the same for every instruction set.
size_t packed_quantized_size(const QuantizedShape& shape);  // in bytes
void pack_quantized(const QuantizedShape& shape, const uint32_t* weight, const float* scales, const float* biases,
                    std::byte* packed, ThreadPool* pool = nullptr);

// C (m, n) = A (m, k) W^T + bias
struct QuantizedGemm {
  QuantizedShape shape;
  int64_t m;
  const float* a;
  int64_t a_stride;         // between rows of A; elements of a row are contiguous
  const std::byte* weight;  // packed
  const float* bias;        // (n), may be null
  float* c;
  int64_t c_stride;
  std::byte* scratch;  // quantized_scratch() bytes, aligned to 64
};
size_t quantized_scratch(const QuantizedShape& shape, int64_t m);
void quantized_gemm(const QuantizedGemm& g, ThreadPool& pool, const Done& done = nullptr);

// Rows of the weight as float32, from the form of the file. Negative indices count from the end, those beyond stop at
// the last row.
struct QuantizedTake {
  QuantizedShape shape;
  const uint32_t* weight;
  const float *scales, *biases;
  const void* indices;
  DType index_type;  // i64 or i32
  int64_t count;
};
void quantized_take(const QuantizedTake& take, float* out, ThreadPool& pool);

}  // namespace godwit::kernels

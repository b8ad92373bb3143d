// Scaled dot-product attention without a matrix of scores in memory: keys and values pass by in blocks, softmax is kept
// up to date as they do (online softmax, Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022).
#pragma once

#include <array>
#include <cstdint>

#include "base/dtype.h"
#include "base/thread_pool.h"

namespace godwit::kernels {

struct Attention {
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
  const float *q, *k, *v;                               // (batch, heads, rows, depth), depth contiguous
  std::array<int64_t, 3> q_stride, k_stride, v_stride;  // of batch, head and row
  const void* mask;  // (batch, heads, queries, keys) by strides, float32 added or bool; may be null
  DType mask_dtype;
  std::array<int64_t, 4> mask_stride;
  float scale;
  bool causal;  // query i sees keys 0 .. i
  float* out;   // (batch, heads, queries, value_depth), rows by strides, depth contiguous
  std::array<int64_t, 3> out_stride;
};

// Rows that may see no key at all are zero.
void attention(const Attention& a, ThreadPool& pool);

}  // namespace godwit::kernels

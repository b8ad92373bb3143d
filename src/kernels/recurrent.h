// Recurrent layers, one direction, time first: what has to be done step by step once the input products are there.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/gemm.h"

namespace godwit::kernels {

struct Recurrent {
  int64_t steps, batch, hidden;
  const float* x;     // (steps, batch, gates * hidden): input products with every bias that does not depend on h
  Packed w;           // (hidden, gates * hidden)
  const float* bias;  // of the hidden product (gru), may be null
  const float *h0, *c0;
  float *y, *h, *c;  // (steps, batch, hidden), (batch, hidden)
  float* gates;      // scratch (batch, gates * hidden)
  bool reverse;
};

void lstm(const Recurrent& r, ThreadPool& pool);  // gates i, f, g, o
void gru(const Recurrent& r, ThreadPool& pool);   // gates r, z, n; the reset gate is applied after the product

}  // namespace godwit::kernels

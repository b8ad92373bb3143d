// Products of float matrices: what matmul, linear, convolutions and recurrent layers are made of.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// a @ b with NumPy's semantics.
array product(const array& a, const array& b);

// While one lives, products that this thread builds are meant for stock MLX. Its wheels add on a CPU one product after
// the other, whose rounding grows with their number; so sums over a long inner axis are made of sums over runs of it.
// godwit itself links a BLAS that adds in blocks, and needs none of this.
class ForStockMlx {
 public:
  ForStockMlx();
  ~ForStockMlx();
  ForStockMlx(const ForStockMlx&) = delete;
  ForStockMlx& operator=(const ForStockMlx&) = delete;

 private:
  bool before_;
};

}  // namespace godwit::ops

// What rows of matrix products share, dense and quantised.
#pragma once

#include "executors/cpu_plan/lowering.h"
#include "kernels/gemm.h"

namespace godwit::executors::plan {

// The left side of a product: rows of the last axis at one distance, in elements. Copied where it does not lie so.
struct RowsOperand {
  Ref ref;
  int64_t stride;
};
RowsOperand rows_operand(Lowering& l, const ir::Value* value);

// A product of float32 matrices for each element of the leading axes, to `out` in row-major order. The sides have at
// least two axes, the left one rows without gaps inside.
void emit_products(Lowering& l, const ir::Node& node, const Place& a, const Place& b, const Ints& shape, Ref out);

// Does the elementwise work that follows on each block of a result of n columns; nothing where there is none.
kernels::Done finishing(const Finish::Bound& after, int64_t n);

}  // namespace godwit::executors::plan

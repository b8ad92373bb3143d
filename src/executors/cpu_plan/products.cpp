#include "executors/cpu_plan/products.h"

namespace godwit::executors::plan {
namespace {

// Rows of the last axis at one common distance: what a product can read without a copy.
bool rows_of(const Layout& layout, int64_t& stride) {
  const size_t rank = layout.shape.size();
  if (rank == 0 || (layout.strides[rank - 1] != 1 && layout.shape[rank - 1] != 1)) return false;
  stride = layout.shape[rank - 1];
  bool first = true;
  int64_t span = 0;
  for (size_t i = rank - 1; i-- > 0;) {
    if (layout.shape[i] == 1) continue;
    if (first) stride = span = layout.strides[i];
    if (layout.strides[i] != span) return false;
    span *= layout.shape[i];
    first = false;
  }
  return stride >= 0;
}

}  // namespace

RowsOperand rows_operand(Lowering& l, const ir::Value* value) {
  int64_t stride;
  if (const Place& p = l.place(value); rows_of(p.layout, stride)) return {p.ref(), stride};
  const Place p = l.row_major(value);
  return {p.ref(), p.layout.shape.back()};
}

kernels::Done finishing(const Finish::Bound& after, int64_t n) {
  if (!after) return nullptr;
  return [&after, n](int64_t first, int64_t last, int64_t left, int64_t right) {
    if (left == 0 && right == n) return after(first * n, last * n);
    for (int64_t r = first; r < last; ++r) after(r * n + left, r * n + right);
  };
}

}  // namespace godwit::executors::plan

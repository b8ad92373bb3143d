// Matrix products.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values matmul(Call& c) { return {binary(c, "matmul", c.in(0), c.in(1))}; }

Values gemm(Call& c) {
  Value *a = c.in(0), *b = c.in(1), *bias = c.maybe(2);
  const double alpha = c.real("alpha", 1.0), beta = c.real("beta", 1.0);
  if (a->rank() != 2 || b->rank() != 2) c.fail("two axes expected");
  if (c.flag("transA")) a = transpose(c, a, {1, 0});
  const bool is_real = is_float(a->dtype());
  // y = x W^T + b is what `linear` computes.
  const bool vector = !bias || (bias->rank() == 1 && bias->shape()[0] == b->shape()[c.flag("transB") ? 0 : 1]);
  if (c.flag("transB") && is_real && alpha == 1.0 && beta == 1.0 && vector) return {c.op("linear", {a, b, bias})};
  if (c.flag("transB")) b = transpose(c, b, {1, 0});
  Value* y = c.op("matmul", {a, b});
  if (alpha != 1.0) y = multiply(c, y, alpha);
  if (bias && beta != 0.0) y = add(c, y, beta == 1.0 ? bias : multiply(c, bias, beta));
  return {y};
}

Values einsum(Call& c) {
  for (size_t i = 0; i < c.count(); ++i) c.in(i);
  return {c.op("einsum", c.inputs, {{"equation", c.text("equation")}})};
}

// Integers minus their zero points; a vector of zero points runs along `axis`.
Value* centred(Call& c, Value* x, Value* zero, int64_t axis) {
  x = c.cast(x, DType::i32);
  if (!zero) return x;
  zero = c.cast(zero, DType::i32);
  if (zero->rank() == 1 && !zero->shape()[0].is(1))
    zero = along(c, zero, axis, x->rank());
  else if (zero->rank() == 1)
    zero = c.b.reshape(zero, {});
  return subtract(c, x, zero);
}

Values matmul_integer(Call& c) {
  Value *a = c.in(0), *b = c.in(1);
  // One zero point per row of a, per column of b.
  return {c.op("matmul", {centred(c, a, c.maybe(2), std::max<int64_t>(a->rank() - 2, 0)),
                          centred(c, b, c.maybe(3), b->rank() - 1)})};
}

}  // namespace

Rows linear_rows() {
  return {{"MatMul", matmul},
          {"Gemm", gemm},
          {"Einsum", einsum},
          {"MatMulInteger", matmul_integer},
          rename("Det", "determinant")};
}

}  // namespace godwit::frontends::onnx

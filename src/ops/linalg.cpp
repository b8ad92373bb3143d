#include "ops/linalg.h"

#include <mlx/einsum.h>
#include <mlx/linalg.h>
#include <mlx/ops.h>

#include "base/error.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

// MLX multiplies floats only. Integers: the products are formed and summed, exactly, as the type wraps.
array integer_matmul(const array& a, const array& b) {
  array left = a.ndim() == 1 ? mx::expand_dims(a, 0) : a, right = b.ndim() == 1 ? mx::expand_dims(b, 1) : b;
  // (..., m, k, 1) * (..., 1, k, n), summed over k
  array products = mx::multiply(mx::expand_dims(left, -1), mx::expand_dims(right, -3));
  array out = mx::astype(mx::sum(products, -2), a.dtype());
  if (a.ndim() == 1) out = mx::squeeze(out, -2);
  return b.ndim() == 1 ? mx::squeeze(out, -1) : out;
}

}  // namespace

array matmul(const array& a, const array& b) {
  if (!mx::issubdtype(a.dtype(), mx::inexact)) return integer_matmul(a, b);
  return mx::matmul(a, b);
}

array linear(const array& x, const array& weight, const std::optional<array>& bias) {
  array out = ops::matmul(x, mx::transpose(weight));
  return bias ? mx::add(out, *bias) : out;
}

namespace {

using infer::Types;

Types matmul_type(InferContext& c) {
  checks::one_dtype(c);
  if (c.rank(0) == 0 || c.rank(1) == 0) c.fail("a scalar has no matrix product");
  ir::Shape a = c.shape(0), b = c.shape(1);
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const ir::Dim m = a[a.size() - 2], k = a.back(), k2 = b[b.size() - 2], n = b.back();
  if (!checks::may_equal(k, k2)) c.fail("{} columns meet {} rows", k.str(), k2.str());
  ir::Shape out = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2}, c);
  if (c.rank(0) > 1) out.push_back(m);
  if (c.rank(1) > 1) out.push_back(n);
  return {{c.dtype(0), out}};
}

Types linear_type(InferContext& c) {
  checks::one_dtype(c);
  if (c.rank(0) == 0 || c.rank(1) != 2) c.fail("a vector and a matrix (out, in) are needed");
  if (!checks::may_equal(c.shape(0).back(), c.shape(1)[1]))
    c.fail("weight {} expects {} features, the input has {}", ir::str(c.shape(1)), c.shape(1)[1].str(), c.shape(0).back().str());
  ir::Shape out = c.shape(0);
  out.back() = c.shape(1)[0];
  if (c.has(2) && (c.rank(2) != 1 || !checks::may_equal(c.shape(2)[0], out.back()))) c.fail("bias {} for {} features", ir::str(c.shape(2)), out.back().str());
  return {{c.dtype(0), out}};
}

}  // namespace

Rows linalg_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("matmul", &matmul, "a, b", matmul_type).cpp("mx::matmul({a}, {b})").python("mx.matmul({a}, {b})"));
  add(row("linear", &linear, "x, weight, bias?", linear_type));
  return rows;
}

}  // namespace godwit::ops

#include "ops/linalg.h"

#include <mlx/einsum.h>
#include <mlx/linalg.h>
#include <mlx/ops.h>

#include <map>

#include "base/error.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/product.h"
#include "ops/reduce.h"
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
  return product(a, b);
}

array linear(const array& x, const array& weight, const std::optional<array>& bias) {
  array out = ops::matmul(x, mx::transpose(weight));
  return bias ? mx::add(out, *bias) : out;
}

array einsum(const std::vector<array>& xs, const std::string& equation) {
  std::string dense;
  for (char c : equation)
    if (c != ' ') dense += c;
  const mx::Dtype type = xs.at(0).dtype();
  if (mx::issubdtype(type, mx::inexact)) return mx::einsum(dense, xs);
  // Integers up to 2^53 are exact in float64, which only the CPU has.
  std::vector<array> wide;
  for (const array& x : xs) wide.push_back(mx::astype(x, mx::float64, mx::Device::cpu));
  return mx::astype(mx::einsum(dense, wide, mx::Device::cpu), type, mx::Device::cpu);
}

namespace {

// MLX factorises on the CPU, in float32 and float64.
array factorised(const array& x, array (*f)(const array&)) {
  const bool narrow = x.dtype() == mx::float16 || x.dtype() == mx::bfloat16;
  return narrow ? mx::astype(f(mx::astype(x, mx::float32)), x.dtype()) : f(x);
}

}  // namespace

array determinant(const array& x) {
  if (x.shape(-1) == 0 || x.size() == 0) return mx::ones(mx::Shape(x.shape().begin(), x.shape().end() - 2), x.dtype());
  return factorised(x, [](const array& m) {
    if (m.dtype() != mx::float64) return mx::linalg::det(m, mx::Device::cpu);
    // MLX's own is accurate to float32 only. Each row that was swapped turns the sign.
    auto [factors, pivots] = mx::linalg::lu_factor(m, mx::Device::cpu);
    array row = mx::astype(mx::arange(0, m.shape(-1)), pivots.dtype());
    array sign = mx::where(mx::equal(pivots, row), mx::array(1.0, mx::float64), mx::array(-1.0, mx::float64));
    return mx::prod(mx::multiply(mx::diagonal(factors, 0, -2, -1), sign), -1);
  });
}

array inverse(const array& x) {
  if (x.size() == 0) return x;
  return factorised(x, [](const array& m) { return mx::linalg::inv(m, mx::Device::cpu); });
}

array cholesky(const array& x) {
  if (x.size() == 0) return x;
  return factorised(x, [](const array& m) { return mx::linalg::cholesky(m, false, mx::Device::cpu); });
}

array cdist(const array& a, const array& b, double p) {
  array gap = mx::abs(mx::subtract(mx::expand_dims(a, -2), mx::expand_dims(b, -3)));
  const int axis = static_cast<int>(gap.ndim()) - 1;
  return norm(gap, {axis}, false, p);
}

namespace {

using infer::Types;

// The subscripts of an equation: one text per operand and the result's; '.' stands for an ellipsis.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

Equation parse_equation(InferContext& c) {
  Equation eq;
  std::string text, *part = nullptr;
  for (char ch : c.text("equation"))
    if (ch != ' ') text += ch;
  eq.operands.emplace_back();
  part = &eq.operands.back();
  bool arrow = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "...") == 0)
      *part += '.', i += 2;
    else if (text.compare(i, 2, "->") == 0 && !arrow)
      arrow = true, part = &eq.result, ++i;
    else if (text[i] == ',' && !arrow)
      part = &eq.operands.emplace_back();
    else if ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'))
      *part += text[i];
    else
      c.fail("equation '{}' has an unexpected '{}'", text, text[i]);
  }
  if (arrow) return eq;
  // Implicit result: the ellipsis, then the letters that occur once, in alphabetic order.
  std::map<char, int> counts;
  for (const std::string& operand : eq.operands)
    for (char ch : operand) ++counts[ch];
  for (auto [ch, count] : counts)
    if (ch == '.' || count == 1) eq.result += ch;
  return eq;
}

Types einsum_type(InferContext& c) {
  if (c.count() == 0) c.fail("no operands");
  checks::one_dtype(c);
  const Equation eq = parse_equation(c);
  if (eq.operands.size() != c.count()) c.fail("{} subscripts for {} operands", eq.operands.size(), c.count());
  std::map<char, ir::Dim> letters;
  ir::Shape ellipsis;
  for (size_t i = 0; i < c.count(); ++i) {
    const ir::Shape& shape = c.shape(i);
    const std::string& subscripts = eq.operands[i];
    const size_t dots = subscripts.find('.');
    const size_t named = subscripts.size() - (dots == subscripts.npos ? 0 : 1);
    if (shape.size() < named || (dots == subscripts.npos && shape.size() != named))
      c.fail("operand {} has rank {}, its subscripts are '{}'", i, shape.size(), subscripts);
    const size_t hidden = shape.size() - named;
    size_t axis = 0;
    for (char ch : subscripts) {
      if (ch == '.') {
        ellipsis = broadcast(
            ellipsis, {shape.begin() + static_cast<long>(axis), shape.begin() + static_cast<long>(axis + hidden)}, c);
        axis += hidden;
        continue;
      }
      const ir::Dim& d = shape[axis++];
      auto [at, is_new] = letters.emplace(ch, d);
      if (is_new || at->second == d || d.is(1)) continue;
      if (!at->second.is(1) && !checks::may_equal(at->second, d))
        c.fail("'{}' is {} and {}", ch, at->second.str(), d.str());
      if (at->second.is(1) || d.is_known()) at->second = d;
    }
  }
  ir::Shape out;
  for (char ch : eq.result) {
    if (ch == '.')
      out.insert(out.end(), ellipsis.begin(), ellipsis.end());
    else if (auto found = letters.find(ch); found != letters.end())
      out.push_back(found->second);
    else
      c.fail("'{}' is in the result only", ch);
  }
  return {{c.dtype(0), out}};
}

void square(InferContext& c) {
  checks::floats(c);
  if (c.rank(0) < 2 || !checks::may_equal(c.shape(0)[c.shape(0).size() - 2], c.shape(0).back()))
    c.fail("square matrices are needed");
}

Types determinant_type(InferContext& c) {
  square(c);
  return {{c.dtype(0), ir::Shape(c.shape(0).begin(), c.shape(0).end() - 2)}};
}

Types square_type(InferContext& c) {
  square(c);
  return infer::same(c);
}

Types cdist_type(InferContext& c) {
  checks::one_dtype(c);
  checks::floats(c);
  const ir::Shape &a = c.shape(0), &b = c.shape(1);
  if (a.size() < 2 || b.size() < 2 || !checks::may_equal(a.back(), b.back()))
    c.fail("points of one dimension are needed");
  ir::Shape out = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2}, c);
  out.push_back(a[a.size() - 2]);
  out.push_back(b[b.size() - 2]);
  return {{c.dtype(0), out}};
}

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
    c.fail("weight {} expects {} features, the input has {}", ir::str(c.shape(1)), c.shape(1)[1].str(),
           c.shape(0).back().str());
  ir::Shape out = c.shape(0);
  out.back() = c.shape(1)[0];
  if (c.has(2) && (c.rank(2) != 1 || !checks::may_equal(c.shape(2)[0], out.back())))
    c.fail("bias {} for {} features", ir::str(c.shape(2)), out.back().str());
  return {{c.dtype(0), out}};
}

}  // namespace

Rows linalg_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("matmul", &matmul, "a, b", matmul_type));
  add(row("linear", &linear, "x, weight, bias?", linear_type));
  add(row("einsum", &einsum, "xs, equation", einsum_type));
  add(row("determinant", &determinant, "x", determinant_type));
  add(row("inverse", &inverse, "x", square_type));
  add(row("cholesky", &cholesky, "x", square_type));
  add(row("cdist", &cdist, "a, b, p=2.0", cdist_type));
  return rows;
}

}  // namespace godwit::ops

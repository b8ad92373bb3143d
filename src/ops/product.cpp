#include "ops/product.h"

#include <mlx/ops.h>

#include <utility>

#include "ops/window.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

thread_local bool for_stock_mlx = false;

// As in emit/python/ops/linalg.py: sums over fewer than `least_runs` runs stay whole.
constexpr int run = 256, least_runs = 4;

// (..., m, k) @ (..., k, n) as the sum of products over runs of k.
array sum_of_runs(const array& a, const array& b) {
  const int runs = a.shape(-1) / run, whole = runs * run;
  const mx::Shape none_a(a.ndim(), 0), none_b(b.ndim(), 0);
  mx::Shape stops_a = a.shape(), stops_b = b.shape(), starts_a = none_a, starts_b = none_b;
  stops_a[a.ndim() - 1] = stops_b[b.ndim() - 2] = whole;
  array left = mx::swapaxes(mx::unflatten(mx::slice(a, none_a, stops_a), -1, {runs, run}), -3, -2);
  array right = mx::unflatten(mx::slice(b, none_b, stops_b), -2, {runs, run});
  array y = mx::sum(mx::matmul(left, right), -3);
  if (whole == a.shape(-1)) return y;
  starts_a[a.ndim() - 1] = starts_b[b.ndim() - 2] = whole;
  return mx::add(y, mx::matmul(mx::slice(a, starts_a, a.shape()), mx::slice(b, starts_b, b.shape())));
}

}  // namespace

ForStockMlx::ForStockMlx() : before_(std::exchange(for_stock_mlx, true)) {}
ForStockMlx::~ForStockMlx() { for_stock_mlx = before_; }

array product(const array& a, const array& b) {
  if (!for_stock_mlx || !window::on_cpu() || a.dtype() != mx::float32 || a.ndim() == 0 || b.ndim() == 0 ||
      a.shape(-1) < least_runs * run)
    return mx::matmul(a, b);
  if (a.ndim() == 1) return mx::squeeze(product(mx::expand_dims(a, 0), b), -(b.ndim() == 1 ? 1 : 2));
  if (b.ndim() == 1) return mx::squeeze(product(a, mx::expand_dims(b, 1)), -1);
  if (a.shape(-1) != b.shape(-2)) return mx::matmul(a, b);  // which says so
  return sum_of_runs(a, b);
}

}  // namespace godwit::ops

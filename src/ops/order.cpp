// Ordering and counting: the part of ops/index.h whose results depend on the values of the elements.
#include <mlx/allocator.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "ops/families.h"
#include "ops/index.h"
#include "ops/index_places.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

array integers(const std::vector<int64_t>& values, mx::Shape shape) {
  if (values.empty()) return mx::zeros(shape, mx::int64);
  return array(values.data(), std::move(shape), mx::int64);
}

array on_host(const array& x) {
  array flat = mx::contiguous(x);
  flat.eval();
  return flat;
}

}  // namespace

array nonzero(const array& x) {
  const int rank = static_cast<int>(x.ndim());
  array truth = on_host(mx::not_equal(x, array(0, x.dtype())));
  const bool* at = truth.data<bool>();
  std::vector<int64_t> out;
  int64_t count = 0;
  std::vector<int64_t> place(static_cast<size_t>(rank), 0);
  for (size_t i = 0; i < truth.size(); ++i) {
    if (at[i]) {
      out.insert(out.end(), place.begin(), place.end());
      ++count;
    }
    for (int axis = rank - 1; axis >= 0; --axis) {
      if (++place[static_cast<size_t>(axis)] < x.shape(axis)) break;
      place[static_cast<size_t>(axis)] = 0;
    }
  }
  return integers(out, {static_cast<int>(count), rank});
}

namespace {

// Sorted order and equality of the rows (n, m) of a host array.
template <class T>
struct RowsOf {
  const T* data;
  size_t width;

  static int compare(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {  // a NaN is above all numbers and equal to none
      if (std::isnan(a) || std::isnan(b)) return std::isnan(a) ? (std::isnan(b) ? 0 : 1) : -1;
    }
    return a < b ? -1 : a > b ? 1 : 0;
  }
  bool less(int64_t i, int64_t j) const {
    for (size_t k = 0; k < width; ++k)
      if (int c = compare(data[static_cast<size_t>(i) * width + k], data[static_cast<size_t>(j) * width + k]))
        return c < 0;
    return false;
  }
  bool equal(int64_t i, int64_t j) const {
    for (size_t k = 0; k < width; ++k)
      if (!(data[static_cast<size_t>(i) * width + k] == data[static_cast<size_t>(j) * width + k])) return false;
    return true;
  }
};

struct Groups {
  std::vector<int64_t> first, inverse, counts;
};

template <class T>
Groups group(const array& rows, int64_t n, size_t width, bool sorted) {
  RowsOf<T> table{rows.data<T>(), width};
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return table.less(i, j); });
  Groups groups;
  groups.inverse.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || !table.equal(order[i - 1], order[i])) {
      groups.first.push_back(order[i]);
      groups.counts.push_back(0);
    }
    ++groups.counts.back();
    groups.inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  if (sorted) return groups;
  // In the order of first occurrence.
  std::vector<int64_t> by_place(groups.first.size()), rank(groups.first.size());
  std::iota(by_place.begin(), by_place.end(), 0);
  auto first = [&](int64_t g) { return groups.first[static_cast<size_t>(g)]; };
  std::sort(by_place.begin(), by_place.end(), [&](int64_t a, int64_t b) { return first(a) < first(b); });
  Groups out;
  for (size_t i = 0; i < by_place.size(); ++i) {
    rank[static_cast<size_t>(by_place[i])] = static_cast<int64_t>(i);
    out.first.push_back(first(by_place[i]));
    out.counts.push_back(groups.counts[static_cast<size_t>(by_place[i])]);
  }
  for (int64_t g : groups.inverse) out.inverse.push_back(rank[static_cast<size_t>(g)]);
  return out;
}

}  // namespace

std::vector<array> unique(const array& x, int axis, bool flat, bool sorted) {
  array source = flat ? mx::reshape(x, {static_cast<int>(x.size())}) : x;
  axis = flat ? 0 : places::axis_of(axis, x, "unique");
  require<UsageError>(source.ndim() > 0, "[unique] a scalar has no axis");
  const int n = source.shape(axis);
  const int width = n == 0 ? 1 : static_cast<int>(source.size() / static_cast<size_t>(n));
  array rows = n == 0 ? source : mx::reshape(mx::moveaxis(source, axis, 0), {n, width});
  // Three host types hold every element exactly.
  Groups groups;
  if (mx::issubdtype(x.dtype(), mx::floating))
    groups =
        group<double>(on_host(mx::astype(rows, mx::float64, mx::Device::cpu)), n, static_cast<size_t>(width), sorted);
  else if (x.dtype() == mx::uint64)
    groups = group<uint64_t>(on_host(rows), n, static_cast<size_t>(width), sorted);
  else
    groups = group<int64_t>(on_host(mx::astype(rows, mx::int64)), n, static_cast<size_t>(width), sorted);
  const int count = static_cast<int>(groups.first.size());
  array first = integers(groups.first, {count});
  return {ops::take(source, first, axis), first, integers(groups.inverse, {n}), integers(groups.counts, {count})};
}

namespace {

// Indices that sort x (rank >= 1) stably.
array order_of(const array& input, int axis, bool descending) {
  array x = input.dtype() == mx::bool_ ? mx::astype(input, mx::uint8) : input;
  if (!descending) return mx::astype(mx::argsort(x, axis), mx::int64);
  // From the far end, so that of equals the first comes first again once the result is turned round.
  array back = mx::astype(mx::argsort(mx::flip(x, axis), axis), mx::int64);
  return mx::subtract(array(static_cast<int64_t>(x.shape(axis) - 1), mx::int64), mx::flip(back, axis));
}

}  // namespace

std::vector<array> sort(const array& x, int axis, bool descending) {
  if (x.size() == 0 || x.ndim() == 0) return {x, mx::zeros(x.shape(), mx::int64)};
  axis = places::axis_of(axis, x, "sort");
  array order = order_of(x, axis, descending);
  return {mx::take_along_axis(x, order, axis), order};
}

std::vector<array> topk(const array& x, int k, int axis, bool largest, bool) {
  if (x.ndim() == 0) {
    require<UsageError>(k == 0 || k == 1, "[topk] {} of a scalar", k);
    return {x, mx::zeros({}, mx::int64)};
  }
  axis = places::axis_of(axis, x, "topk");
  require<UsageError>(k >= 0 && k <= x.shape(axis), "[topk] {} of {} elements", k, x.shape(axis));
  mx::Shape start(x.ndim(), 0), stop = x.shape();
  stop[static_cast<size_t>(axis)] = k;
  if (x.size() == 0) return {mx::zeros(stop, x.dtype()), mx::zeros(stop, mx::int64)};
  array order = mx::slice(order_of(x, axis, largest), start, stop);
  return {k == 0 ? mx::zeros(stop, x.dtype()) : mx::take_along_axis(x, order, axis), order};
}

array searchsorted(const array& sequence, const array& values, bool right) {
  require<UsageError>(sequence.ndim() > 0, "[searchsorted] the sequence is a scalar");
  if (values.size() == 0 || sequence.size() == 0) return mx::zeros(values.shape(), mx::int64);
  if (sequence.ndim() == 1) return mx::astype(mx::searchsorted(sequence, values, right ? "right" : "left"), mx::int64);
  // The number of elements before the place: (b..., 1, n) against (b..., m, 1).
  array row = mx::expand_dims(sequence, -2), column = mx::expand_dims(values, -1);
  array before = right ? mx::less_equal(row, column) : mx::less(row, column);
  return mx::sum(mx::astype(before, mx::int64), -1);
}

namespace {

using infer::Types;

Types nonzero_type(InferContext& c) { return {{DType::i64, ir::Shape{InferContext::fresh(), c.rank(0)}}}; }

Types unique_type(InferContext& c) {
  if (is_complex(c.dtype(0))) c.fail("complex numbers have no order");
  const bool flat = c.flag("flat");
  if (!flat && c.rank(0) == 0) c.fail("a scalar has no axis");
  const ir::Dim count = InferContext::fresh();
  ir::Shape values = flat ? ir::Shape{count} : c.shape(0);
  ir::Dim n = ir::product(c.shape(0));
  if (!flat) {
    const size_t axis = static_cast<size_t>(c.axis(c.number("axis"), c.rank(0)));
    n = values[axis];
    values[axis] = count;
  }
  return {
      {c.dtype(0), values}, {DType::i64, ir::Shape{count}}, {DType::i64, ir::Shape{n}}, {DType::i64, ir::Shape{count}}};
}

Types topk_type(InferContext& c) {
  ir::Shape out = c.shape(0);
  const ir::Dim k = c.integer("k");
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  if (!out.empty()) {
    ir::Dim& d = out[static_cast<size_t>(axis)];
    if (k.is_known() && (k.value() < 0 || (d.is_known() && k.value() > d.value())))
      c.fail("{} of {} elements", k.value(), d.str());
    d = k;
  }
  return {{c.dtype(0), out}, {DType::i64, out}};
}

Types sort_type(InferContext& c) {
  c.axis(c.number("axis"), c.rank(0));
  return {c.type(0), {DType::i64, c.shape(0)}};
}

Types searchsorted_type(InferContext& c) {
  checks::one_dtype(c);
  if (c.rank(0) != 1 && c.rank(0) != c.rank(1)) c.fail("ranks {} and {}", c.rank(0), c.rank(1));
  return {{DType::i64, c.shape(1)}};
}

}  // namespace

Rows order_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("nonzero", &nonzero, "x", nonzero_type));
  add(row("unique", &unique, "x, axis=0, flat=true, sorted=true", unique_type));
  add(row("topk", &topk, "x, k, axis=-1, largest=true, sorted=true", topk_type));
  add(row("sort", &sort, "x, axis=-1, descending=false", sort_type));
  add(row("searchsorted", &searchsorted, "sequence, values, right=false", searchsorted_type));
  return rows;
}

}  // namespace godwit::ops

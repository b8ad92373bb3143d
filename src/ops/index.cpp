#include "ops/index.h"

#include <mlx/ops.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "ops/families.h"
#include "ops/index_places.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace places {

array inside(const array& indices, int n) {
  auto number = [](int64_t v) { return array(v, mx::int64); };
  array wide = mx::astype(indices, mx::int64);
  array positive = mx::where(mx::less(wide, number(0)), mx::add(wide, number(n)), wide);
  return mx::minimum(mx::maximum(positive, number(0)), number(std::max(n - 1, 0)));
}

int axis_of(int axis, const array& x, const char* op) {
  const int rank = std::max<int>(static_cast<int>(x.ndim()), 1);
  require<UsageError>(axis >= -rank && axis < rank, "[{}] axis {} is out of range for rank {}", op, axis, x.ndim());
  return axis < 0 ? axis + rank : axis;
}

array flat(const std::vector<array>& indices, const std::vector<int>& sizes) {
  array at(int64_t{0}, mx::int64);
  for (size_t i = 0; i < sizes.size(); ++i)
    at = mx::add(mx::multiply(at, array(int64_t{sizes[i]}, mx::int64)), inside(indices[i], sizes[i]));
  return at;
}

std::vector<array> columns(const array& indices) {
  std::vector<array> out;
  for (int i = 0; i < indices.shape(-1); ++i) out.push_back(mx::take(indices, i, -1));
  return out;
}

int64_t volume(const mx::Shape& shape, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t i = first; i < last; ++i) n *= shape[i];
  return n;
}

Indexed indexed(const array& x, const Ints& axes, size_t count, const char* op) {
  require<UsageError>(!axes.empty() && axes.size() == count, "[{}] {} index arrays for {} axes", op, count,
                      axes.size());
  Indexed out;
  for (int axis : axes) out.order.push_back(axis_of(axis, x, op));
  for (size_t i = 1; i < out.order.size(); ++i)
    require<UsageError>(out.order[i - 1] < out.order[i], "[{}] the axes are not in order", op);
  const bool neighbours = out.order.back() - out.order.front() + 1 == static_cast<int>(count);
  out.place = neighbours ? out.order.front() : 0;
  for (int axis : out.order) out.sizes.push_back(x.shape(axis));
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i) {
    if (std::find(out.order.begin(), out.order.begin() + static_cast<long>(count), i) !=
        out.order.begin() + static_cast<long>(count))
      continue;
    out.order.push_back(i);
    out.rest.push_back(x.shape(i));
  }
  out.inverse.resize(out.order.size());
  for (size_t i = 0; i < out.order.size(); ++i) out.inverse[static_cast<size_t>(out.order[i])] = static_cast<int>(i);
  return out;
}

}  // namespace places

namespace {

mx::Shape joined(const mx::Shape& a, const mx::Shape& b) {
  mx::Shape out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

// x (n, rest...) -> (at..., rest...)
array take_rows(const array& x, const array& at, const mx::Shape& rest) {
  if (at.size() == 0 || x.size() == 0) {
    require<UsageError>(at.size() == 0 || x.shape(0) > 0, "[take] {} indices into an empty axis", at.size());
    return mx::zeros(joined(at.shape(), rest), x.dtype());
  }
  return mx::reshape(mx::take(x, at, 0), joined(at.shape(), rest));
}

}  // namespace

array take(const array& x, const array& indices, int axis) {
  axis = places::axis_of(axis, x, "take");
  array source = x.ndim() == 0 ? mx::reshape(x, {1}) : x;
  const int n = source.shape(axis);
  require<UsageError>(n > 0 || indices.size() == 0, "[take] {} indices into an empty axis", indices.size());
  if (source.size() == 0 || indices.size() == 0) {
    mx::Shape out(source.shape().begin(), source.shape().begin() + axis);
    out = joined(out, indices.shape());
    return mx::zeros(joined(out, mx::Shape(source.shape().begin() + axis + 1, source.shape().end())), x.dtype());
  }
  return mx::take(source, places::inside(indices, n), axis);
}

array take_along(const array& x, const array& indices, int axis) {
  if (x.ndim() == 0 || indices.ndim() == 0) {
    array line = take_along(mx::reshape(x, {static_cast<int>(x.size())}),
                            mx::reshape(indices, {static_cast<int>(indices.size())}), 0);
    return mx::reshape(line, indices.shape());
  }
  axis = places::axis_of(axis, x, "take_along");
  if (indices.size() == 0) return mx::zeros(indices.shape(), x.dtype());
  require<UsageError>(indices.ndim() == x.ndim() && x.shape(axis) > 0, "[take_along] {} indices into rank {}",
                      indices.size(), x.ndim());
  mx::Shape start(x.ndim(), 0), stop = indices.shape();
  stop[static_cast<size_t>(axis)] = x.shape(axis);
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i)
    require<UsageError>(i == axis || indices.shape(i) <= x.shape(i),
                        "[take_along] {} indices on axis {} of {} elements", indices.shape(i), i, x.shape(i));
  return mx::take_along_axis(mx::slice(x, start, stop), places::inside(indices, x.shape(axis)), axis);
}

array gather_nd(const array& x, const array& indices, int batch_dims) {
  const int k = indices.ndim() ? indices.shape(-1) : 0, rank = static_cast<int>(x.ndim());
  require<UsageError>(
      indices.ndim() > 0 && batch_dims >= 0 && batch_dims < static_cast<int>(indices.ndim()) && batch_dims + k <= rank,
      "[gather_nd] {} indices behind {} batch axes into rank {}", k, batch_dims, rank);
  const size_t b = static_cast<size_t>(batch_dims);
  std::vector<array> at;
  std::vector<int> sizes;
  for (int i = 0; i < batch_dims; ++i) {  // the batch axes index themselves
    require<UsageError>(x.shape(i) == indices.shape(i), "[gather_nd] batch axis {} has {} and {} elements", i,
                        x.shape(i), indices.shape(i));
    mx::Shape line(indices.ndim() - 1, 1);
    line[static_cast<size_t>(i)] = x.shape(i);
    at.push_back(mx::reshape(mx::arange(0, x.shape(i)), line));
    sizes.push_back(x.shape(i));
  }
  for (const array& column : places::columns(indices)) at.push_back(column);
  for (int i = 0; i < k; ++i) sizes.push_back(x.shape(batch_dims + i));
  mx::Shape rest(x.shape().begin() + static_cast<long>(b) + k, x.shape().end());
  mx::Shape rows = joined({static_cast<int>(places::volume(x.shape(), 0, b + static_cast<size_t>(k)))}, rest);
  array where =
      mx::broadcast_to(places::flat(at, sizes), mx::Shape(indices.shape().begin(), indices.shape().end() - 1));
  return take_rows(mx::reshape(x, rows), where, rest);
}

array index(const array& x, const std::vector<array>& indices, const Ints& axes) {
  const places::Indexed layout = places::indexed(x, axes, indices.size(), "index");
  array front = mx::transpose(x, layout.order);
  int rows = 1;
  for (int n : layout.sizes) rows *= n;
  array at = places::flat(mx::broadcast_arrays(indices), layout.sizes);
  array out = take_rows(mx::reshape(front, joined({rows}, layout.rest)), at, layout.rest);
  // (i..., before..., after...) -> (before..., i..., after...)
  std::vector<int> order;
  const int moved = static_cast<int>(at.ndim());
  for (int i = 0; i < layout.place; ++i) order.push_back(moved + i);
  for (int i = 0; i < moved; ++i) order.push_back(i);
  for (int i = moved + layout.place; i < static_cast<int>(out.ndim()); ++i) order.push_back(i);
  return mx::transpose(out, order);
}

namespace {

using infer::Types;

Types take_type(InferContext& c) {
  checks::indices(c, 1);
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  const ir::Shape& in = c.shape(0);
  ir::Shape out(in.begin(), in.begin() + std::min<int64_t>(axis, c.rank(0)));
  out.insert(out.end(), c.shape(1).begin(), c.shape(1).end());
  if (!in.empty()) out.insert(out.end(), in.begin() + axis + 1, in.end());
  return {{c.dtype(0), out}};
}

Types take_along_type(InferContext& c) {
  checks::indices(c, 1);
  if (std::max<int64_t>(c.rank(0), 1) != std::max<int64_t>(c.rank(1), 1))
    c.fail("ranks {} and {}", c.rank(0), c.rank(1));
  c.axis(c.number("axis"), c.rank(0));
  return {{c.dtype(0), c.shape(1)}};
}

Types gather_nd_type(InferContext& c) {
  checks::indices(c, 1);
  if (c.rank(1) == 0 || !c.shape(1).back().is_known()) c.fail("the last axis of the indices must be known");
  const int64_t k = c.shape(1).back().value(), batch = c.number("batch_dims");
  if (batch < 0 || batch >= c.rank(1) || batch + k > c.rank(0)) c.fail("{} indices behind {} batch axes", k, batch);
  ir::Shape out(c.shape(1).begin(), c.shape(1).end() - 1);
  out.insert(out.end(), c.shape(0).begin() + batch + k, c.shape(0).end());
  return {{c.dtype(0), out}};
}

Types index_type(InferContext& c) {
  const ir::Dims& axes = c.integers("axes");
  if (axes.empty() || c.count() != axes.size() + 1) c.fail("{} index arrays for {} axes", c.count() - 1, axes.size());
  std::vector<int64_t> at = c.axes("axes", c.rank(0));
  ir::Shape moved = c.shape(1), out;
  for (size_t i = 1; i < c.count(); ++i) {
    checks::indices(c, i);
    if (i > 1) moved = broadcast(moved, c.shape(i), c);
    if (c.axis(axes[i - 1], c.rank(0)) != at[i - 1]) c.fail("the axes are not in order");
  }
  const bool neighbours = at.back() - at.front() + 1 == static_cast<int64_t>(at.size());
  for (int64_t i = 0; i < c.rank(0); ++i)
    if (!std::binary_search(at.begin(), at.end(), i)) out.push_back(c.shape(0)[static_cast<size_t>(i)]);
  out.insert(out.begin() + (neighbours ? at.front() : 0), moved.begin(), moved.end());
  return {{c.dtype(0), out}};
}

}  // namespace

Rows index_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("take", &take, "x, indices, axis=0", take_type)
          .cpp("mx::take({x}, {indices}, {axis})")
          .python("mx.take({x}, {indices}, axis={axis})"));
  add(row("take_along", &take_along, "x, indices, axis", take_along_type));
  add(row("gather_nd", &gather_nd, "x, indices, batch_dims=0", gather_nd_type));
  add(row("index", &index, "x, indices, axes", index_type));
  return rows;
}

}  // namespace godwit::ops

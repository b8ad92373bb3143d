#include "ops/index.h"

#include <mlx/ops.h>

#include "base/error.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

// MLX reads its gather indices unchecked: an index that leaves the axis would read foreign memory.
array inside(const array& indices, int n) {
  array wide = mx::astype(indices, mx::int64);
  array size(static_cast<int64_t>(n), mx::int64), zero(int64_t{0}, mx::int64);
  array positive = mx::where(mx::less(wide, zero), mx::add(wide, size), wide);
  return mx::astype(mx::minimum(mx::maximum(positive, zero), array(static_cast<int64_t>(std::max(n - 1, 0)), mx::int64)), mx::int32);
}

int axis_of(int axis, const array& x, const char* op) {
  const int rank = std::max<int>(static_cast<int>(x.ndim()), 1);
  require<UsageError>(axis >= -rank && axis < rank, "[{}] axis {} is out of range for rank {}", op, axis, x.ndim());
  return axis < 0 ? axis + rank : axis;
}

}  // namespace

array take(const array& x, const array& indices, int axis) {
  axis = axis_of(axis, x, "take");
  array source = x.ndim() == 0 ? mx::reshape(x, {1}) : x;
  const int n = source.shape(axis);
  require<UsageError>(n > 0 || indices.size() == 0, "[take] {} indices into an empty axis", indices.size());
  if (n == 0 || source.size() == 0 || indices.size() == 0) {
    mx::Shape out(source.shape().begin(), source.shape().begin() + axis);
    out.insert(out.end(), indices.shape().begin(), indices.shape().end());
    out.insert(out.end(), source.shape().begin() + axis + 1, source.shape().end());
    return mx::zeros(out, x.dtype());
  }
  return mx::take(source, inside(indices, n), axis);
}

array take_along(const array& x, const array& indices, int axis) {
  if (x.ndim() == 0 || indices.ndim() == 0) {
    array flat = take_along(mx::reshape(x, {static_cast<int>(x.size())}), mx::reshape(indices, {static_cast<int>(indices.size())}), 0);
    return mx::reshape(flat, indices.shape());
  }
  axis = axis_of(axis, x, "take_along");
  if (indices.size() == 0) return mx::zeros(indices.shape(), x.dtype());
  require<UsageError>(x.shape(axis) > 0, "[take_along] {} indices into an empty axis", indices.size());
  mx::Shape start(x.ndim(), 0), stop = indices.shape();
  stop[static_cast<size_t>(axis)] = x.shape(axis);
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i)
    require<UsageError>(i == axis || indices.shape(i) <= x.shape(i), "[take_along] {} indices on axis {} of {} elements", indices.shape(i), i, x.shape(i));
  return mx::take_along_axis(mx::slice(x, start, stop), inside(indices, x.shape(axis)), axis);
}

namespace {

using infer::Types;

Types take_type(InferContext& c) {
  checks::indices(c, 1);
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  ir::Shape out;
  const ir::Shape& in = c.shape(0);
  out.insert(out.end(), in.begin(), in.begin() + std::min<int64_t>(axis, c.rank(0)));
  out.insert(out.end(), c.shape(1).begin(), c.shape(1).end());
  if (!in.empty()) out.insert(out.end(), in.begin() + axis + 1, in.end());
  return {{c.dtype(0), out}};
}

Types take_along_type(InferContext& c) {
  checks::indices(c, 1);
  if (std::max<int64_t>(c.rank(0), 1) != std::max<int64_t>(c.rank(1), 1)) c.fail("ranks {} and {}", c.rank(0), c.rank(1));
  c.axis(c.number("axis"), c.rank(0));
  return {{c.dtype(0), c.shape(1)}};
}

}  // namespace

Rows index_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("take", &take, "x, indices, axis=0", take_type).cpp("mx::take({x}, {indices}, {axis})").python("mx.take({x}, {indices}, axis={axis})"));
  add(row("take_along", &take_along, "x, indices, axis", take_along_type));
  return rows;
}

}  // namespace godwit::ops

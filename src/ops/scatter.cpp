// The writing side of ops/index.h.
#include <mlx/ops.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/families.h"
#include "ops/index.h"
#include "ops/index_places.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

mx::Shape joined(std::initializer_list<int> a, const mx::Shape& b) {
  mx::Shape out(a);
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

using Scatter = array (*)(const array&, const std::vector<array>&, const array&, const std::vector<int>&,
                          mx::StreamOrDevice);

Scatter scatter_of(const std::string& reduction) {
  if (reduction == "none") return &mx::scatter;
  if (reduction == "add" || reduction == "mean") return &mx::scatter_add;
  if (reduction == "mul") return &mx::scatter_prod;
  if (reduction == "max") return &mx::scatter_max;
  require<UsageError>(reduction == "min", "[scatter] reduction is '{}'", reduction);
  return &mx::scatter_min;
}

bool is_half(const array& x) { return x.dtype() == mx::float16 || x.dtype() == mx::bfloat16; }

// rows (n, rest...), at (m), updates (m, rest...). MLX has no bool sums; its maxima and minima lose NaNs.
array scatter_rows_of(const array& rows, const array& at, const array& updates, const std::string& reduction) {
  if (at.size() == 0 || rows.size() == 0) return rows;
  const mx::Dtype type = rows.dtype();
  if (type == mx::bool_) {
    std::string how = reduction == "add" ? "max" : reduction == "mul" ? "min" : reduction;
    return mx::not_equal(scatter_rows_of(mx::astype(rows, mx::uint8), at, mx::astype(updates, mx::uint8), how),
                         array(0, mx::uint8));
  }
  if (is_half(rows) && reduction != "none")
    return mx::astype(scatter_rows_of(mx::astype(rows, mx::float32), at, mx::astype(updates, mx::float32), reduction),
                      type);
  mx::Shape shape = joined({at.shape(0), 1}, mx::Shape(rows.shape().begin() + 1, rows.shape().end()));
  auto put = [&](const array& into, const array& what, const std::string& how) {
    mx::StreamOrDevice where{};
    if (mx::size_of(into.dtype()) == 8) where = mx::Device(mx::Device::cpu);  // MLX's GPUs scatter up to 4 bytes
    return scatter_of(how)(into, {at}, mx::reshape(what, shape), {0}, where);
  };
  array out = put(rows, updates, reduction);
  if (reduction == "mean") {
    array count = put(mx::ones_like(rows), mx::ones_like(updates), "add");
    return mx::issubdtype(type, mx::inexact) ? mx::divide(out, count) : mx::floor_divide(out, count);
  }
  if ((reduction == "max" || reduction == "min") && mx::issubdtype(type, mx::inexact)) {
    array nans = put(mx::astype(mx::isnan(rows), mx::uint8), mx::astype(mx::isnan(updates), mx::uint8), "max");
    out = mx::where(mx::equal(nans, array(1, mx::uint8)), array(NAN, type), out);
  }
  return out;
}

}  // namespace

array scatter(const array& x, const array& indices, const array& updates, int axis, const std::string& reduction) {
  if (x.ndim() == 0 || indices.ndim() == 0) {
    auto line = [](const array& v) { return mx::reshape(v, {static_cast<int>(v.size())}); };
    return mx::reshape(scatter(line(x), line(indices), line(updates), 0, reduction), x.shape());
  }
  axis = places::axis_of(axis, x, "scatter");
  require<UsageError>(indices.ndim() == x.ndim() && updates.ndim() == x.ndim(), "[scatter] ranks {}, {} and {}",
                      x.ndim(), indices.ndim(), updates.ndim());
  if (indices.size() == 0) return x;
  std::vector<array> at;
  std::vector<int> sizes(x.shape().begin(), x.shape().end());
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i) {
    require<UsageError>(
        (i == axis || indices.shape(i) <= x.shape(i)) && indices.shape(i) <= updates.shape(i) && x.shape(i) > 0,
        "[scatter] axis {} has {} elements, {} indices, {} updates", i, x.shape(i), indices.shape(i), updates.shape(i));
    mx::Shape line(x.ndim(), 1);
    line[static_cast<size_t>(i)] = indices.shape(i);
    at.push_back(i == axis ? indices : mx::reshape(mx::arange(0, indices.shape(i)), line));
  }
  const int count = static_cast<int>(indices.size());
  array flat = mx::reshape(places::flat(at, sizes), {count});
  array part = mx::reshape(mx::slice(updates, mx::Shape(x.ndim(), 0), indices.shape()), {count});
  return mx::reshape(scatter_rows_of(mx::reshape(x, {static_cast<int>(x.size())}), flat, part, reduction), x.shape());
}

array scatter_nd(const array& x, const array& indices, const array& updates, const std::string& reduction) {
  const int k = indices.ndim() ? indices.shape(-1) : 0, rank = static_cast<int>(x.ndim());
  require<UsageError>(indices.ndim() > 0 && k <= rank, "[scatter_nd] {} indices into rank {}", k, rank);
  if (indices.size() == 0 || x.size() == 0) return x;
  mx::Shape rest(x.shape().begin() + k, x.shape().end());
  std::vector<int> sizes(x.shape().begin(), x.shape().begin() + k);
  const int count = static_cast<int>(indices.size()) / k;
  array at = mx::reshape(places::flat(places::columns(indices), sizes), {count});
  const int rows = static_cast<int>(places::volume(x.shape(), 0, static_cast<size_t>(k)));
  array out =
      scatter_rows_of(mx::reshape(x, joined({rows}, rest)), at, mx::reshape(updates, joined({count}, rest)), reduction);
  return mx::reshape(out, x.shape());
}

array index_put(const array& x, const array& values, const std::vector<array>& indices, const Ints& axes,
                bool accumulate) {
  const places::Indexed layout = places::indexed(x, axes, indices.size(), "index_put");
  array at = places::flat(mx::broadcast_arrays(indices), layout.sizes);
  if (at.size() == 0 || x.size() == 0) return x;
  // values broadcast to (before..., i..., after...), then come in the order (i..., before..., after...).
  const int moved = static_cast<int>(at.ndim()), place = layout.place;
  mx::Shape full(layout.rest.begin(), layout.rest.begin() + place);
  full.insert(full.end(), at.shape().begin(), at.shape().end());
  full.insert(full.end(), layout.rest.begin() + place, layout.rest.end());
  std::vector<int> order;
  for (int i = 0; i < moved; ++i) order.push_back(place + i);
  for (int i = 0; i < static_cast<int>(full.size()); ++i)
    if (i < place || i >= place + moved) order.push_back(i);
  array part = mx::transpose(mx::broadcast_to(values, full), order);
  const int count = static_cast<int>(at.size());
  int rows = 1;
  for (int n : layout.sizes) rows *= n;
  array front = mx::transpose(x, layout.order);
  array out = scatter_rows_of(mx::reshape(front, joined({rows}, layout.rest)), mx::reshape(at, {count}),
                              mx::reshape(part, joined({count}, layout.rest)), accumulate ? "add" : "none");
  return mx::transpose(mx::reshape(out, front.shape()), layout.inverse);
}

array masked_scatter(const array& input, const array& mask, const array& source) {
  auto pair = mx::broadcast_arrays({input, mask});
  const array &x = pair[0], &keep = pair[1];
  const int count = static_cast<int>(x.size()), given = static_cast<int>(source.size());
  if (count == 0 || given == 0) return x;
  array line = mx::reshape(keep, {count});
  array order = mx::subtract(mx::cumsum(mx::astype(line, mx::int32), 0), array(1));
  array at = mx::minimum(mx::maximum(order, array(0)), array(given - 1));
  array picked = mx::take(mx::reshape(source, {given}), at, 0);
  return mx::reshape(mx::where(line, picked, mx::reshape(x, {count})), x.shape());
}

namespace {

using infer::Types;

void known_reduction(InferContext& c) {
  const std::string& r = c.text("reduction");
  if (r != "none" && r != "add" && r != "mul" && r != "min" && r != "max" && r != "mean")
    c.fail("reduction is '{}'", r);
}

Types scatter_type(InferContext& c) {
  checks::indices(c, 1);
  if (c.dtype(2) != c.dtype(0)) c.fail("updates are {}, the operand {}", name(c.dtype(2)), name(c.dtype(0)));
  known_reduction(c);
  c.axis(c.number("axis"), c.rank(0));
  for (size_t i : {1, 2})
    if (std::max<int64_t>(c.rank(i), 1) != std::max<int64_t>(c.rank(0), 1))
      c.fail("ranks {} and {}", c.rank(0), c.rank(i));
  return infer::same(c);
}

Types scatter_nd_type(InferContext& c) {
  checks::indices(c, 1);
  if (c.dtype(2) != c.dtype(0)) c.fail("updates are {}, the operand {}", name(c.dtype(2)), name(c.dtype(0)));
  known_reduction(c);
  if (c.rank(1) == 0 || !c.shape(1).back().is_known()) c.fail("the last axis of the indices must be known");
  const int64_t k = c.shape(1).back().value();
  if (k > c.rank(0) || c.rank(2) != c.rank(1) - 1 + c.rank(0) - k)
    c.fail("{} indices, updates of rank {}", k, c.rank(2));
  return infer::same(c);
}

Types index_put_type(InferContext& c) {
  if (c.dtype(1) != c.dtype(0)) c.fail("values are {}, the operand {}", name(c.dtype(1)), name(c.dtype(0)));
  if (c.count() != c.integers("axes").size() + 2)
    c.fail("{} index arrays for {} axes", c.count() - 2, c.integers("axes").size());
  for (size_t i = 2; i < c.count(); ++i) checks::indices(c, i);
  c.axes("axes", c.rank(0));
  return infer::same(c);
}

Types masked_scatter_type(InferContext& c) {
  if (c.dtype(1) != DType::boolean) c.fail("the mask is {}", name(c.dtype(1)));
  if (c.dtype(2) != c.dtype(0)) c.fail("the source is {}, the operand {}", name(c.dtype(2)), name(c.dtype(0)));
  return {{c.dtype(0), broadcast(c.shape(0), c.shape(1), c)}};
}

}  // namespace

Rows scatter_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("scatter", &scatter, "x, indices, updates, axis, reduction=\"none\"", scatter_type));
  add(row("scatter_nd", &scatter_nd, "x, indices, updates, reduction=\"none\"", scatter_nd_type));
  add(row("index_put", &index_put, "x, values, indices, axes, accumulate=false", index_put_type));
  add(row("masked_scatter", &masked_scatter, "x, mask, source", masked_scatter_type));
  return rows;
}

}  // namespace godwit::ops

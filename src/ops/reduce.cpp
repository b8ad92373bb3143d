#include "ops/reduce.h"

#include <mlx/ops.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"
#include "ops/window.h"

namespace godwit::ops {

namespace mx = mlx::core;
using window::total;

namespace {

array like(const array& x, double value) { return mx::array(value, x.dtype()); }

bool is_half(const array& x) { return x.dtype() == mx::float16 || x.dtype() == mx::bfloat16; }
array widen(const array& x) { return is_half(x) ? mx::astype(x, mx::float32) : x; }

// A scalar is reduced as a vector of one element.
template <class F>
array along_axis(const array& x, F f) {
  return x.ndim() == 0 ? mx::reshape(f(mx::reshape(x, {1})), {}) : f(x);
}

std::vector<int> positive(const array& x, const Ints& axes) {
  std::vector<int> out;
  const int rank = static_cast<int>(x.ndim());
  for (int a : axes) {
    if (rank == 0) continue;  // an axis of a scalar
    require<UsageError>(a >= -rank && a < rank, "axis {} is out of range for rank {}", a, rank);
    out.push_back(a < 0 ? a + rank : a);
  }
  return out;
}

// Number of elements that each result is made of.
double count_of(const array& x, const std::vector<int>& axes) {
  double n = 1;
  for (int a : axes) n *= x.shape(a);
  return n;
}

mx::Shape reduced_shape(const array& x, const std::vector<int>& axes, bool keepdims) {
  mx::Shape out;
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i) {
    bool gone = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!gone)
      out.push_back(x.shape(i));
    else if (keepdims)
      out.push_back(1);
  }
  return out;
}

// The largest (or smallest) value of the type: the result over nothing.
array extreme(mx::Dtype type, bool largest) {
  if (type == mx::bool_) return mx::array(largest);
  if (mx::issubdtype(type, mx::inexact)) return mx::array(largest ? INFINITY : -INFINITY, type);
  array smallest(0, type);
  if (mx::issubdtype(type, mx::signedinteger))
    smallest = mx::left_shift(mx::array(1, type), mx::array(8 * type.size() - 1, type));
  return largest ? mx::bitwise_invert(smallest) : smallest;
}

array extremum(const array& x, const Ints& list, bool keepdims, bool largest) {
  const std::vector<int> axes = positive(x, list);
  if (axes.empty()) return x;
  if (count_of(x, axes) == 0) return mx::broadcast_to(extreme(x.dtype(), !largest), reduced_shape(x, axes, keepdims));
  if (x.dtype() == mx::bool_) return largest ? mx::any(x, axes, keepdims) : mx::all(x, axes, keepdims);
  return largest ? mx::max(x, axes, keepdims) : mx::min(x, axes, keepdims);
}

}  // namespace

array sum(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  return axes.empty() ? x : mx::astype(total(widen(x), axes, keepdims), x.dtype());
}

array mean(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  if (axes.empty()) return x;
  array wide = widen(x);
  return mx::astype(mx::divide(total(wide, axes, keepdims), mx::array(count_of(x, axes), wide.dtype())), x.dtype());
}

array product(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  return axes.empty() ? x : mx::astype(mx::prod(widen(x), axes, keepdims), x.dtype());
}

array max(const array& x, const Ints& axes, bool keepdims) { return extremum(x, axes, keepdims, true); }
array min(const array& x, const Ints& axes, bool keepdims) { return extremum(x, axes, keepdims, false); }

array all(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  array truth = mx::not_equal(x, like(x, 0));
  return axes.empty() ? truth : mx::all(truth, axes, keepdims);
}

array any(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  array truth = mx::not_equal(x, like(x, 0));
  return axes.empty() ? truth : mx::any(truth, axes, keepdims);
}

array logsumexp(const array& x, const Ints& list, bool keepdims) {
  const std::vector<int> axes = positive(x, list);
  if (axes.empty()) return x;
  if (count_of(x, axes) == 0) return mx::broadcast_to(like(x, -INFINITY), reduced_shape(x, axes, keepdims));
  array wide = widen(x);
  array top = mx::max(wide, axes, true);
  array shift = mx::where(mx::isfinite(top), top, like(top, 0));
  array rest = mx::log(total(ops::exp(mx::subtract(wide, shift)), axes, true));
  return mx::astype(mx::reshape(mx::add(rest, shift), reduced_shape(x, axes, keepdims)), x.dtype());
}

array variance(const array& x, const Ints& list, bool keepdims, double correction) {
  const std::vector<int> axes = positive(x, list);
  array wide = widen(x);
  const double n = count_of(x, axes);
  array centre = axes.empty() ? wide : mx::divide(total(wide, axes, true), like(wide, n));
  array squares = mx::square(mx::subtract(wide, centre));
  array spread = axes.empty() ? squares : total(squares, axes, keepdims);
  return mx::astype(mx::divide(spread, like(wide, std::max(n - correction, 0.0))), x.dtype());
}

array norm(const array& x, const Ints& list, bool keepdims, double order) {
  const std::vector<int> axes = positive(x, list);
  array size = mx::abs(widen(x));
  mx::Dtype type = mx::issubdtype(x.dtype(), mx::complexfloating) ? mx::float32 : x.dtype();
  auto summed = [&](const array& v) { return axes.empty() ? v : total(v, axes, keepdims); };
  if (order == INFINITY) return mx::astype(extremum(size, list, keepdims, true), type);
  if (order == -INFINITY) return mx::astype(extremum(size, list, keepdims, false), type);
  if (order == 0) return mx::astype(summed(mx::astype(mx::not_equal(size, like(size, 0)), size.dtype())), type);
  if (order == 1) return mx::astype(summed(size), type);
  if (order == 2) return mx::astype(mx::sqrt(summed(mx::square(size))), type);
  return mx::astype(mx::power(summed(mx::power(size, like(size, order))), like(size, 1 / order)), type);
}

namespace {

array searched(const array& input, int axis, bool keepdims, bool last, bool largest) {
  return along_axis(input, [&](const array& in) {
    array x = in.dtype() == mx::bool_ ? mx::astype(in, mx::uint8) : in;
    const int n = x.shape(axis);
    require<UsageError>(n > 0, "[{}] of an empty axis", largest ? "argmax" : "argmin");
    if (last) x = mx::flip(x, axis);
    array at = mx::astype(largest ? mx::argmax(x, axis, keepdims) : mx::argmin(x, axis, keepdims), mx::int64);
    return last ? mx::subtract(mx::array(static_cast<int64_t>(n - 1), mx::int64), at) : at;
  });
}

}  // namespace

array argmax(const array& x, int axis, bool keepdims, bool last) { return searched(x, axis, keepdims, last, true); }
array argmin(const array& x, int axis, bool keepdims, bool last) { return searched(x, axis, keepdims, last, false); }

array cumsum(const array& input, int axis, bool exclusive, bool reverse) {
  return along_axis(input, [&](const array& x) {
    return x.size() == 0 ? x : mx::astype(mx::cumsum(widen(x), axis, reverse, !exclusive), x.dtype());
  });
}

array cumprod(const array& input, int axis, bool exclusive, bool reverse) {
  return along_axis(input, [&](const array& x) {
    return x.size() == 0 ? x : mx::astype(mx::cumprod(widen(x), axis, reverse, !exclusive), x.dtype());
  });
}

namespace {

std::vector<array> running(const array& input, int axis, bool largest) {
  array x = input.ndim() == 0 ? mx::reshape(input, {1}) : input;
  if (x.size() == 0) return {input, mx::zeros(input.shape(), mx::int64)};
  axis = axis < 0 ? axis + static_cast<int>(x.ndim()) : axis;
  array values = largest ? mx::cummax(x, axis, false, true) : mx::cummin(x, axis, false, true);
  // The index is that of the last element so far that equals the running value (or is a NaN, as it is).
  array same = mx::equal(x, values);
  if (mx::issubdtype(x.dtype(), mx::inexact)) same = mx::logical_or(same, mx::isnan(x));
  mx::Shape line(x.ndim(), 1);
  line[static_cast<size_t>(axis)] = x.shape(axis);
  array index = mx::reshape(mx::arange(0, x.shape(axis)), line);
  array latest = mx::cummax(mx::where(same, index, mx::array(0)), axis, false, true);
  return {mx::reshape(values, input.shape()), mx::reshape(mx::astype(latest, mx::int64), input.shape())};
}

}  // namespace

std::vector<array> cummax(const array& x, int axis) { return running(x, axis, true); }
std::vector<array> cummin(const array& x, int axis) { return running(x, axis, false); }

std::vector<array> median(const array& input, int axis, bool keepdims) {
  array x = input.ndim() == 0 ? mx::reshape(input, {1}) : input;
  const int rank = static_cast<int>(x.ndim());
  axis = axis < 0 ? axis + rank : axis;
  require<UsageError>(x.shape(axis) > 0, "[median] of an empty axis");
  array order = mx::astype(mx::argsort(x, axis), mx::int32);
  array middle = mx::take(order, mx::array((x.shape(axis) - 1) / 2), axis);
  array index = mx::expand_dims(middle, axis);
  if (mx::issubdtype(x.dtype(), mx::inexact)) {  // a NaN anywhere is the median, and the first one is named
    array is_nan = mx::isnan(x);
    array first = mx::astype(mx::argmax(mx::astype(is_nan, mx::uint8), axis, true), mx::int32);
    index = mx::where(mx::any(is_nan, axis, true), first, index);
  }
  array value = mx::take_along_axis(x, index, axis);
  index = mx::astype(index, mx::int64);
  if (input.ndim() == 0) return {mx::reshape(value, {}), mx::reshape(index, {})};
  return keepdims ? std::vector<array>{value, index}
                  : std::vector<array>{mx::squeeze(value, axis), mx::squeeze(index, axis)};
}

namespace {

using infer::Types;

Types real_reduce(InferContext& c) {
  checks::floats(c);
  return infer::reduce(c);
}

Types norm_type(InferContext& c) {
  Types types = real_reduce(c);
  if (is_complex(types[0].dtype)) types[0].dtype = DType::f32;
  return types;
}

ir::Shape without(InferContext& c, bool keepdims) {
  ir::Shape out = c.shape(0);
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  if (out.empty()) return out;
  if (keepdims)
    out[static_cast<size_t>(axis)] = 1;
  else
    out.erase(out.begin() + axis);
  return out;
}

Types position(InferContext& c) { return {{DType::i64, without(c, c.flag("keepdims"))}}; }

Types scan(InferContext& c) {
  c.axis(c.number("axis"), c.rank(0));
  return infer::same(c);
}

Types scan_pair(InferContext& c) { return {scan(c)[0], {DType::i64, c.shape(0)}}; }

Types median_type(InferContext& c) {
  ir::Shape out = without(c, c.flag("keepdims"));
  return {{c.dtype(0), out}, {DType::i64, out}};
}

}  // namespace

Rows reduce_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  const char* plain = "x, axes, keepdims=false";
  add(row("sum", &sum, plain, infer::reduce));
  add(row("mean", &mean, plain, real_reduce));
  add(row("product", &product, plain, infer::reduce));
  add(row("max", &max, plain, infer::reduce));
  add(row("min", &min, plain, infer::reduce));
  add(row("all", static_cast<array (*)(const array&, const Ints&, bool)>(&all), plain, infer::reduce_bool));
  add(row("any", &any, plain, infer::reduce_bool));
  add(row("logsumexp", &logsumexp, plain, real_reduce));
  add(row("variance", &variance, "x, axes, keepdims=false, correction=1.0", real_reduce));
  add(row("norm", &norm, "x, axes, keepdims=false, order=2.0", norm_type));
  add(row("argmax", &argmax, "x, axis, keepdims=false, last=false", position));
  add(row("argmin", &argmin, "x, axis, keepdims=false, last=false", position));
  add(row("cumsum", &cumsum, "x, axis, exclusive=false, reverse=false", scan));
  add(row("cumprod", &cumprod, "x, axis, exclusive=false, reverse=false", scan));
  add(row("cummax", &cummax, "x, axis", scan_pair));
  add(row("cummin", &cummin, "x, axis", scan_pair));
  add(row("median", &median, "x, axis, keepdims=false", median_type));
  return rows;
}

}  // namespace godwit::ops

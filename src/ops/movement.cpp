#include "ops/movement.h"

#include <mlx/ops.h>

#include <algorithm>

#include "base/error.h"
#include "ops/families.h"
#include "ops/movement_infer.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

mx::Shape to_shape(const Ints& v) { return {v.begin(), v.end()}; }

int axis_of(int axis, const array& x, const char* op) {
  const int rank = std::max<int>(static_cast<int>(x.ndim()), 1);
  require<UsageError>(axis >= -rank && axis < rank, "[{}] axis {} is out of range for rank {}", op, axis, x.ndim());
  return axis < 0 ? axis + rank : axis;
}

std::string describe_shape(const array& x) {
  return fmt::format("({})", fmt::join(x.shape().begin(), x.shape().end(), ", "));
}

// One axis of a slice with positions inside the axis.
struct Range {
  int start, step, count;
};

Range python_range(int n, int start, int stop, int step) {
  require<UsageError>(step != 0, "[slice] the step is 0");
  const int low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
  auto place = [&](int at) { return std::clamp(at < 0 ? at + n : at, low, high); };
  const int first = place(start), end = place(stop);
  const int64_t gap = step > 0 ? int64_t{end} - first : int64_t{first} - end;
  const int64_t stride = step > 0 ? int64_t{step} : -int64_t{step};
  return {first, step, gap <= 0 ? 0 : static_cast<int>((gap + stride - 1) / stride)};
}

std::vector<Range> ranges(const array& x, const Ints& axes, const Ints& starts, const Ints& stops, const Ints& steps) {
  require<UsageError>(
      axes.size() == starts.size() && axes.size() == stops.size() && (steps.empty() || steps.size() == axes.size()),
      "[slice] axes, starts, stops and steps differ in length");
  std::vector<Range> out;
  for (size_t i = 0; i < x.ndim(); ++i) out.push_back({0, 1, x.shape(static_cast<int>(i))});
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], x, "slice");
    out.at(static_cast<size_t>(axis)) = python_range(x.shape(axis), starts[i], stops[i], steps.empty() ? 1 : steps[i]);
  }
  return out;
}

}  // namespace

array shape(const array& x) {
  std::vector<int64_t> dims(x.shape().begin(), x.shape().end());
  return array(dims.data(), {static_cast<int>(dims.size())}, mx::int64);
}

array reshape(const array& x, const Ints& shape, bool zero_copies) {
  mx::Shape out = to_shape(shape);
  int unknown = -1;
  int64_t known = 1;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && zero_copies) {
      require<UsageError>(i < x.ndim(), "[reshape] dimension {} is copied, the operand is {}", i, describe_shape(x));
      out[i] = x.shape(static_cast<int>(i));
    }
    if (out[i] == -1) {
      require<UsageError>(unknown < 0, "[reshape] two dimensions are -1");
      unknown = static_cast<int>(i);
      continue;
    }
    require<UsageError>(out[i] >= 0 && !__builtin_mul_overflow(known, out[i], &known), "[reshape] {} to ({})",
                        describe_shape(x), fmt::join(shape, ", "));
  }
  const int64_t size = static_cast<int64_t>(x.size());
  bool fits = unknown < 0 ? known == size : known == 0 ? size == 0 : size % known == 0;
  require<UsageError>(fits, "[reshape] {} to ({})", describe_shape(x), fmt::join(shape, ", "));
  if (unknown >= 0) out[static_cast<size_t>(unknown)] = known == 0 ? 0 : static_cast<int>(size / known);
  return mx::reshape(x, out);
}

array broadcast(const array& x, const Ints& shape) {
  mx::Shape out = to_shape(shape);
  const size_t rank = std::max(x.ndim(), out.size());
  out.insert(out.begin(), rank - out.size(), 1);
  for (size_t i = 0; i < x.ndim(); ++i) {
    const int d = x.shape(static_cast<int>(x.ndim() - 1 - i));
    int& to = out[rank - 1 - i];
    if (to == 1 || to == -1) to = d;
    require<UsageError>(d == 1 || d == to, "[broadcast] {} to ({})", describe_shape(x), fmt::join(shape, ", "));
  }
  for (int d : out) require<UsageError>(d >= 0, "[broadcast] {} to ({})", describe_shape(x), fmt::join(shape, ", "));
  return mx::broadcast_to(x, out);
}

array concat(const std::vector<array>& xs, int axis) { return mx::concatenate(xs, axis); }

std::vector<array> split(const array& x, const Ints& sizes, int axis) {
  axis = axis_of(axis, x, "split");
  mx::Shape start(x.ndim(), 0), stop = x.shape();
  std::vector<array> parts;
  int64_t at = 0;
  for (int size : sizes) {
    require<UsageError>(size >= 0 && at + size <= x.shape(axis), "[split] sizes ({}) of {} elements",
                        fmt::join(sizes, ", "), x.shape(axis));
    start[static_cast<size_t>(axis)] = static_cast<int>(at);
    stop[static_cast<size_t>(axis)] = static_cast<int>(at += size);
    parts.push_back(mx::slice(x, start, stop));
  }
  require<UsageError>(at == x.shape(axis), "[split] sizes ({}) of {} elements", fmt::join(sizes, ", "), x.shape(axis));
  return parts;
}

array slice(const array& x, const Ints& axes, const Ints& starts, const Ints& stops, const Ints& steps) {
  mx::Shape start, stop, step;
  const auto all = ranges(x, axes, starts, stops, steps);
  for (size_t i = 0; i < all.size(); ++i) {
    const Range& r = all[i];
    const int n = x.shape(static_cast<int>(i));
    start.push_back(r.count ? r.start : 0);
    step.push_back(r.count ? r.step : 1);
    const int64_t end = r.start + int64_t{r.count} * r.step;
    // Going down, MLX reads a stop of -1 as the last element: one that lies before the first is spelt -n - 1.
    stop.push_back(r.count == 0 ? 0
                   : r.step > 0 ? static_cast<int>(std::min<int64_t>(end, n))
                   : end < 0    ? -n - 1
                                : static_cast<int>(end));
  }
  return mx::slice(x, start, stop, step);
}

array slice_update(const array& x, const array& update, const Ints& axes, const Ints& starts, const Ints& stops,
                   const Ints& steps) {
  mx::Shape start, stop, step, shape;
  std::vector<int> flipped;
  const auto all = ranges(x, axes, starts, stops, steps);
  for (size_t i = 0; i < all.size(); ++i) {
    Range r = all[i];
    if (r.step < 0) {  // the same elements from the other end
      flipped.push_back(static_cast<int>(i));
      r.start += (r.count - 1) * r.step;
      r.step = -r.step;
    }
    if (r.count == 0) return x;
    start.push_back(r.start);
    step.push_back(r.step);
    stop.push_back(r.start + (r.count - 1) * r.step + 1);
    shape.push_back(r.count);
  }
  array part = mx::broadcast_to(update, shape);
  if (!flipped.empty()) part = mx::flip(part, flipped);
  return mx::slice_update(x, part, start, stop, step);
}

namespace {

// Where element i of an axis that was padded without end comes from.
int source(int i, int n, const std::string& mode) {
  if (mode == "edge") return std::clamp(i, 0, n - 1);
  if (mode == "wrap") return (i % n + n) % n;
  if (n == 1) return 0;
  const int period = 2 * (n - 1), at = (i % period + period) % period;
  return at < n ? at : period - at;
}

}  // namespace

array pad(const array& x, const std::optional<array>& value, const Ints& low, const Ints& high,
          const std::string& mode) {
  require<UsageError>(low.size() == x.ndim() && high.size() == x.ndim(), "[pad] {} and {} entries for {}", low.size(),
                      high.size(), describe_shape(x));
  if (mode == "constant") {
    mx::Shape start(x.ndim(), 0), stop = x.shape(), below(x.ndim(), 0), above(x.ndim(), 0);
    std::vector<int> axes;
    for (size_t i = 0; i < low.size(); ++i) {
      require<UsageError>(int64_t{x.shape(static_cast<int>(i))} + low[i] + high[i] >= 0,
                          "[pad] axis {} of {} by {} and {}", i, describe_shape(x), low[i], high[i]);
      axes.push_back(static_cast<int>(i));
      below[i] = std::max(low[i], 0);
      above[i] = std::max(high[i], 0);
      start[i] = std::min(std::max(-low[i], 0), x.shape(static_cast<int>(i)));
      stop[i] = std::max(stop[i] - std::max(-high[i], 0), start[i]);
      // A crop that goes past the other end eats into that end's padding.
      if (int over = std::max(-low[i], 0) - x.shape(static_cast<int>(i)); over > 0) above[i] -= over;
      if (int over = std::max(-high[i], 0) - x.shape(static_cast<int>(i)); over > 0) below[i] -= over;
    }
    array zero(0, x.dtype());
    return mx::pad(mx::slice(x, start, stop), axes, below, above, value ? mx::reshape(*value, {}) : zero);
  }
  array out = x;
  for (size_t i = 0; i < low.size(); ++i) {
    if (low[i] == 0 && high[i] == 0) continue;
    const int n = x.shape(static_cast<int>(i));
    require<UsageError>(n > 0 && int64_t{n} + low[i] + high[i] >= 0, "[pad] axis {} of {} by {} and {}, mode {}", i,
                        describe_shape(x), low[i], high[i], mode);
    std::vector<int> from;
    for (int j = -low[i]; j < n + high[i]; ++j) from.push_back(source(j, n, mode));
    out = mx::take(out, array(from.data(), {static_cast<int>(from.size())}, mx::int32), static_cast<int>(i));
  }
  return out;
}

array roll(const array& x, const Ints& shifts, const Ints& axes) {
  array out = x;
  for (size_t i = 0; i < axes.size(); ++i)
    if (int n = x.shape(axes[i]); n > 0) out = mx::roll(out, shifts.at(i) % n, axes[i]);
  return out;
}

array tile(const array& x, const Ints& repeats) {
  int64_t factor = 1;
  for (int r : repeats)
    require<UsageError>(r >= 0 && !__builtin_mul_overflow(factor, r, &factor), "[tile] repeats ({})",
                        fmt::join(repeats, ", "));
  if (factor > 0) return mx::tile(x, repeats);
  mx::Shape out(std::max(x.ndim(), repeats.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i < x.ndim()) out[out.size() - 1 - i] *= x.shape(static_cast<int>(x.ndim() - 1 - i));
    if (i < repeats.size()) out[out.size() - 1 - i] *= repeats[repeats.size() - 1 - i];
  }
  return mx::zeros(out, x.dtype());
}

array unfold(const array& x, int axis, int size, int step) {
  axis = axis_of(axis, x, "unfold");
  require<UsageError>(size >= 0 && step > 0 && size <= x.shape(axis), "[unfold] windows of {} by {} over {} elements",
                      size, step, x.shape(axis));
  const int count = (x.shape(axis) - size) / step + 1;
  array first = mx::expand_dims(mx::multiply(mx::arange(0, count), array(step)), 1);
  array index = mx::add(first, mx::expand_dims(mx::arange(0, size), 0));
  return mx::moveaxis(mx::take(x, index, axis), axis + 1, -1);
}

array as_strided(const array& x, const Ints& shape, const Ints& strides, int offset) {
  require<UsageError>(shape.size() == strides.size(), "[as_strided] {} dimensions, {} strides", shape.size(),
                      strides.size());
  int64_t low = offset, high = offset;
  bool empty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    require<UsageError>(shape[i] >= 0, "[as_strided] negative dimension {}", shape[i]);
    empty = empty || shape[i] == 0;
    (strides[i] < 0 ? low : high) += int64_t{strides[i]} * std::max(shape[i] - 1, 0);
  }
  if (empty) return mx::zeros(to_shape(shape), x.dtype());
  require<UsageError>(low >= 0 && high < static_cast<int64_t>(x.size()), "[as_strided] elements {} to {} of {}", low,
                      high, x.size());
  return mx::as_strided(x, to_shape(shape), mx::Strides(strides.begin(), strides.end()), static_cast<size_t>(offset));
}

array diagonal(const array& x, int offset, int axis1, int axis2) {
  axis1 = axis_of(axis1, x, "diagonal");
  axis2 = axis_of(axis2, x, "diagonal");
  require<UsageError>(axis1 != axis2 && x.ndim() >= 2, "[diagonal] axes {} and {} of {}", axis1, axis2,
                      describe_shape(x));
  if (offset < x.shape(axis2) && -int64_t{offset} < x.shape(axis1)) return mx::diagonal(x, offset, axis1, axis2);
  mx::Shape out;
  for (int i = 0; i < static_cast<int>(x.ndim()); ++i)
    if (i != axis1 && i != axis2) out.push_back(x.shape(i));
  out.push_back(0);
  return mx::zeros(out, x.dtype());
}

Rows movement_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("shape", &shape, "x", movement::shape));
  add(row("reshape", &reshape, "x, shape, zero_copies=false", movement::reshape));
  add(row(
          "transpose", +[](const array& x, const Ints& axes) { return mx::transpose(x, axes); }, "x, axes",
          movement::transpose)
          .cpp("mx::transpose({x}, {axes})")
          .python("mx.transpose({x}, {axes})"));
  add(row("broadcast", static_cast<array (*)(const array&, const Ints&)>(&broadcast), "x, shape", movement::broadcast));
  add(row(
          "expand_dims", +[](const array& x, const Ints& axes) { return mx::expand_dims(x, axes); }, "x, axes",
          movement::expand_dims)
          .cpp("mx::expand_dims({x}, std::vector<int>{axes})")
          .python("mx.expand_dims({x}, {axes})"));
  add(row(
          "squeeze", +[](const array& x, const Ints& axes) { return mx::squeeze(x, axes); }, "x, axes",
          movement::squeeze)
          .cpp("mx::squeeze({x}, std::vector<int>{axes})")
          .python("mx.squeeze({x}, {axes})"));
  add(row("concat", &concat, "xs, axis=0", movement::concat)
          .cpp("mx::concatenate({xs}, {axis})")
          .python("mx.concatenate({xs}, axis={axis})"));
  add(row("split", &split, "x, sizes, axis", movement::split));
  add(row("slice", &slice, "x, axes, starts, stops, steps=[]", movement::slice));
  add(row("slice_update", &slice_update, "x, update, axes, starts, stops, steps=[]", movement::slice_update));
  add(row("pad", &pad, "x, value?, low, high, mode=\"constant\"", movement::pad));
  add(row(
          "flip", +[](const array& x, const Ints& axes) { return axes.empty() ? x : mx::flip(x, axes); }, "x, axes",
          movement::flip)
          .cpp("mx::flip({x}, std::vector<int>{axes})"));
  add(row("roll", &roll, "x, shifts, axes", movement::roll));
  add(row("tile", &tile, "x, repeats", movement::tile));
  add(row(
          "repeat", +[](const array& x, int count, int axis) { return mx::repeat(x, count, axis); }, "x, count, axis",
          movement::repeat)
          .cpp("mx::repeat({x}, {count}, {axis})")
          .python("mx.repeat({x}, {count}, axis={axis})"));
  add(row("unfold", &unfold, "x, axis, size, step", movement::unfold));
  add(row("as_strided", &as_strided, "x, shape, strides, offset=0", movement::as_strided));
  add(row("diagonal", &diagonal, "x, offset=0, axis1=0, axis2=1", movement::diagonal)
          .cpp("mx::diagonal({x}, {offset}, {axis1}, {axis2})")
          .python("mx.diagonal({x}, {offset}, {axis1}, {axis2})"));
  return rows;
}

}  // namespace godwit::ops

#include "ops/pool.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// The least value of a type: what a pad counts as under a maximum.
array lowest(mx::Dtype dtype) {
  if (mx::issubdtype(dtype, mx::floating)) return mx::astype(array(-std::numeric_limits<float>::infinity()), dtype);
  if (dtype == mx::int8) return mx::astype(array(-128), dtype);
  if (dtype == mx::int16) return mx::astype(array(-32768), dtype);
  if (dtype == mx::int32) return array(std::numeric_limits<int32_t>::min());
  if (dtype == mx::int64) return array(std::numeric_limits<int64_t>::min(), mx::int64);
  return mx::astype(array(0), dtype);
}

struct Plan {
  Ints out, high;  // number of windows, and the pad that the last of them needs
  Ints taps;       // the kernel, without what can only lie behind the input
};

Plan plan(const char* op, const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
          const Ints& dilation, bool ceil_mode) {
  Plan p;
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int in = x.shape(static_cast<int>(2 + i));
    p.out.push_back(pooled_extent(in, low[i], high[i], kernel[i], stride[i], dilation[i], ceil_mode));
    require<UsageError>(p.out[i] > 0, "[{}] a window of {} (dilation {}) does not fit into {} with pads {} and {}", op,
                        kernel[i], dilation[i], in, low[i], high[i]);
    const int within = (in + low[i] - 1) / dilation[i] + 1;
    p.taps.push_back(p.out[i] == 1 ? std::min(kernel[i], within) : kernel[i]);
    p.high.push_back(pooled_reach(p.out[i], p.taps[i], stride[i], dilation[i]) - in - low[i]);
  }
  return p;
}

enum class Fold { sum, max };

// Windows longer than this are reduced as a view instead of tap by tap.
constexpr int longest_unrolled = 16;

array strided(const array& x, int axis, int start, int count, int step) {
  mx::Shape starts(x.ndim(), 0), stops = x.shape(), steps(x.ndim(), 1);
  starts[axis] = start;
  stops[axis] = start + (count - 1) * step + 1;
  steps[axis] = step;
  return mx::slice(x, starts, stops, steps);
}

array folded_axis(const array& x, int axis, int out, int kernel, int stride, int dilation, Fold fold) {
  if (kernel > longest_unrolled) {
    const size_t n = x.ndim() - 2, i = static_cast<size_t>(axis) - 2;
    Ints k(n, 1), s(n, 1), d(n, 1);
    k[i] = kernel;
    s[i] = stride;
    d[i] = dilation;
    // A copy, because MLX's reductions take the strides of a view whose windows overlap for those of a plain array.
    array view = packed(windows(strided(x, axis, 0, pooled_reach(out, kernel, stride, dilation), 1), k, s, d));
    std::vector<int> last;
    for (size_t a = 0; a < n; ++a) last.push_back(static_cast<int>(2 + n + a));
    return fold == Fold::sum ? total(view, last, false) : mx::max(view, last);
  }
  std::optional<array> y;
  for (int k = 0; k < kernel; ++k) {
    array tap = strided(x, axis, k * dilation, out, stride);
    y = !y ? tap : fold == Fold::sum ? mx::add(*y, tap) : mx::maximum(*y, tap);
  }
  return *y;
}

// Folds every window, one axis after the other: the work grows with the sum of the kernel's sides.
array sliding(array y, const Ints& out, const Ints& kernel, const Ints& stride, const Ints& dilation, Fold fold) {
  for (size_t i = 0; i < kernel.size(); ++i)
    y = folded_axis(y, static_cast<int>(2 + i), out[i], kernel[i], stride[i], dilation[i], fold);
  return y;
}

// Divides y (N, C, out...) by a count that is a product of one number per axis.
array divide_by_counts(array y, const std::vector<std::vector<float>>& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    mx::Shape shape(counts.size(), 1);
    shape[i] = static_cast<int>(counts[i].size());
    y = mx::divide(y, mx::astype(array(counts[i].data(), shape, mx::float32), y.dtype()));
  }
  return y;
}

// (N, C, out..., k...) -> values and flat positions; position(axis) gives the input coordinate, (out, k).
std::vector<array> best_of(const array& view, const Ints& out, const Ints& kernel, const Ints& in,
                           const std::function<std::vector<int64_t>(size_t)>& position) {
  const int n = static_cast<int>(out.size());
  mx::Shape flat(view.shape().begin(), view.shape().begin() + 2 + n);
  flat.push_back(volume(view.shape(), 2 + n));
  array rows = mx::reshape(view, flat);
  array best = mx::astype(mx::argmax(rows, -1, true), mx::int64);
  array values = mx::squeeze(mx::take_along_axis(rows, best, -1), -1);
  // Flat input position of every (window, tap), then the one that won.
  mx::Shape table_shape(2 * n, 1);
  array table = mx::zeros(table_shape, mx::int64);
  int64_t step = 1;
  for (int i = n; i-- > 0;) {
    mx::Shape shape(2 * n, 1);
    shape[i] = out[i];
    shape[n + i] = kernel[i];
    array line(position(i).data(), shape, mx::int64);
    table = mx::add(table, mx::multiply(line, array(step, mx::int64)));
    step *= in[i];
  }
  mx::Shape full = flat, tail(flat.begin() + 2, flat.end());
  array places = mx::broadcast_to(mx::reshape(table, tail), full);
  return {values, mx::squeeze(mx::take_along_axis(places, best, -1), -1)};
}

}  // namespace

array max_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
               const Ints& dilation, bool ceil_mode) {
  Plan p = plan("max_pool", x, kernel, stride, low, high, dilation, ceil_mode);
  return sliding(pad_spatial(x, low, p.high, lowest(x.dtype())), p.out, p.taps, stride, dilation, Fold::max);
}

std::vector<array> max_pool_indices(const array& x, const Ints& kernel, const Ints& stride, const Ints& low,
                                    const Ints& high, const Ints& dilation, bool ceil_mode) {
  Plan p = plan("max_pool_indices", x, kernel, stride, low, high, dilation, ceil_mode);
  array view = windows(pad_spatial(x, low, p.high, lowest(x.dtype())), p.taps, stride, dilation);
  Ints in(x.shape().begin() + 2, x.shape().end());
  return best_of(view, p.out, p.taps, in, [&](size_t i) {
    std::vector<int64_t> line;
    // A tap in the pad wins only where the window holds nothing but minus infinity; torch then names its first element.
    for (int o = 0; o < p.out[i]; ++o) {
      int first = o * stride[i] - low[i];
      while (first < 0) first += dilation[i];
      for (int k = 0; k < p.taps[i]; ++k) {
        const int at = o * stride[i] - low[i] + k * dilation[i];
        line.push_back(at >= 0 && at < in[i] ? at : first);
      }
    }
    return line;
  });
}

array avg_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
               const Ints& dilation, bool ceil_mode, bool count_padding, int divisor) {
  Plan p = plan("avg_pool", x, kernel, stride, low, high, dilation, ceil_mode);
  array wide = widen(x);
  array sum = sliding(pad_spatial(wide, low, p.high, array(0.0f)), p.out, p.taps, stride, dilation, Fold::sum);
  if (divisor != 0)
    return mx::astype(mx::divide(sum, mx::astype(array(static_cast<float>(divisor)), sum.dtype())), x.dtype());
  std::vector<std::vector<float>> counts;
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int in = x.shape(static_cast<int>(2 + i));
    const int first = count_padding ? -low[i] : 0, last = count_padding ? in + high[i] : in;
    std::vector<float> line;
    for (int o = 0; o < p.out[i]; ++o) {
      int inside = 0;
      for (int k = 0; k < kernel[i]; ++k) {
        const int at = o * stride[i] - low[i] + k * dilation[i];
        inside += at >= first && at < last;
      }
      line.push_back(static_cast<float>(inside));
    }
    counts.push_back(std::move(line));
  }
  return mx::astype(divide_by_counts(sum, counts), x.dtype());
}

array lp_pool(const array& x, const Ints& kernel, const Ints& stride, const Ints& low, const Ints& high,
              const Ints& dilation, bool ceil_mode, double order) {
  Plan p = plan("lp_pool", x, kernel, stride, low, high, dilation, ceil_mode);
  array wide = mx::abs(widen(x));
  array exponent = mx::astype(array(static_cast<float>(order)), wide.dtype());
  array powers = order == 1.0 ? wide : order == 2.0 ? mx::square(wide) : mx::power(wide, exponent);
  array sum = sliding(pad_spatial(powers, low, p.high, array(0.0f)), p.out, p.taps, stride, dilation, Fold::sum);
  array root = mx::astype(array(static_cast<float>(1.0 / order)), wide.dtype());
  return mx::astype(order == 1.0 ? sum : order == 2.0 ? mx::sqrt(sum) : mx::power(sum, root), x.dtype());
}

namespace {

struct Bins {
  std::vector<int> start, stop;
  int longest = 0;
};

Bins bins(int in, int out) {
  Bins b;
  for (int64_t i = 0; i < out; ++i) {
    b.start.push_back(static_cast<int>(i * in / out));
    b.stop.push_back(static_cast<int>(((i + 1) * in + out - 1) / out));
    b.longest = std::max(b.longest, b.stop.back() - b.start.back());
  }
  return b;
}

// Means of the bins of one axis, which is moved to the end and back for a product with a matrix of shares.
array bin_means(const array& x, int axis, int out) {
  const int in = x.shape(axis);
  if (in == out) return x;
  if (in % out == 0) {
    mx::Shape shape = x.shape();
    shape[axis] = out;
    shape.insert(shape.begin() + axis + 1, in / out);
    array bins = mx::reshape(x, shape);
    return mx::divide(total(bins, {axis + 1}, false), mx::astype(array(static_cast<float>(in / out)), x.dtype()));
  }
  Bins b = bins(in, out);
  std::vector<float> shares(static_cast<size_t>(in) * out, 0.0f);
  for (int o = 0; o < out; ++o)
    for (int i = b.start[o]; i < b.stop[o]; ++i)
      shares[static_cast<size_t>(i) * out + o] = 1.0f / static_cast<float>(b.stop[o] - b.start[o]);
  array matrix = mx::astype(array(shares.data(), {in, out}, mx::float32), x.dtype());
  return mx::moveaxis(mx::matmul(mx::moveaxis(x, axis, -1), matrix), -1, axis);
}

void check_adaptive(const char* op, const array& x, const Ints& size) {
  for (size_t i = 0; i < size.size(); ++i)
    require<UsageError>(size[i] > 0 && x.shape(static_cast<int>(2 + i)) > 0, "[{}] cannot pool {} elements into {}", op,
                        x.shape(static_cast<int>(2 + i)), size[i]);
}

}  // namespace

array adaptive_avg_pool(const array& x, const Ints& size) {
  check_adaptive("adaptive_avg_pool", x, size);
  array y = widen(x);
  for (size_t i = 0; i < size.size(); ++i) y = bin_means(y, static_cast<int>(2 + i), size[i]);
  return mx::astype(y, x.dtype());
}

std::vector<array> adaptive_max_pool(const array& x, const Ints& size) {
  check_adaptive("adaptive_max_pool", x, size);
  const int n = static_cast<int>(size.size());
  Ints in(x.shape().begin() + 2, x.shape().end()), longest;
  std::vector<std::vector<int64_t>> lines(n);
  array view = x;
  std::vector<int> order{0, 1};
  for (int i = 0; i < n; ++i) {
    // Bins are filled up to the longest by repeating their last element, which cannot be the first maximum.
    Bins b = bins(in[i], size[i]);
    longest.push_back(b.longest);
    for (int o = 0; o < size[i]; ++o)
      for (int k = 0; k < b.longest; ++k) lines[i].push_back(std::min(b.start[o] + k, b.stop[o] - 1));
    array index = mx::astype(array(lines[i].data(), {size[i], b.longest}, mx::int64), mx::int32);
    view = mx::take(view, index, 2 + 2 * i);
    order.push_back(2 + 2 * i);
  }
  for (int i = 0; i < n; ++i) order.push_back(3 + 2 * i);
  return best_of(mx::transpose(view, order), size, longest, in, [&](size_t i) { return lines[i]; });
}

namespace {

using Types = infer::Types;

ir::Shape pooled(InferContext& c) {
  const size_t n = spatial_rank(c);
  const ir::Shape& x = c.shape(0);
  const ir::Dims &kernel = per_axis(c, "kernel", n, 1), &stride = per_axis(c, "stride", n, 1);
  const ir::Dims &low = per_axis(c, "low", n, 0), &high = per_axis(c, "high", n, 0);
  const ir::Dims& dilation = per_axis(c, "dilation", n, 1);
  ir::Shape out{x[0], x[1]};
  for (size_t i = 0; i < n; ++i) {
    const ir::Dim &in = x[2 + i], one(1);
    if (!c.flag("ceil_mode")) {
      out.push_back(window::extent(c, in, low[i], high[i], kernel[i], stride[i], dilation[i]));
      continue;
    }
    // The last window may be incomplete, but starts at in + low - 1 at most.
    const ir::Dim room = in + low[i] + high[i] - dilation[i] * (kernel[i] - one) - one;
    out.push_back(min(floordiv(room + stride[i] - one, stride[i]) + one, floordiv(in + low[i] - one, stride[i]) + one));
    if (out.back().is_known() && out.back().value() < 1)
      c.fail("a kernel of {} (dilation {}) does not fit into {} with pads {} and {}", kernel[i].str(),
             dilation[i].str(), in.str(), low[i].str(), high[i].str());
  }
  return out;
}

Types infer_pool(InferContext& c) { return {{c.dtype(0), pooled(c)}}; }

Types infer_pool_indices(InferContext& c) {
  ir::Shape out = pooled(c);
  return {{c.dtype(0), out}, {DType::i64, out}};
}

Types infer_float_pool(InferContext& c) {
  if (!is_float(c.dtype(0))) c.fail("a float input is expected");
  return infer_pool(c);
}

Types infer_lp_pool(InferContext& c) {
  if (!(c.real("order") > 0)) c.fail("order {} is not positive", c.real("order"));
  return infer_float_pool(c);
}

ir::Shape adaptive(InferContext& c) {
  const size_t n = spatial_rank(c);
  const ir::Dims& size = per_axis(c, "size", n, 1);
  ir::Shape out{c.shape(0)[0], c.shape(0)[1]};
  out.insert(out.end(), size.begin(), size.end());
  return out;
}

Types infer_adaptive_avg(InferContext& c) {
  if (!is_float(c.dtype(0))) c.fail("a float input is expected");
  return {{c.dtype(0), adaptive(c)}};
}

Types infer_adaptive_max(InferContext& c) {
  ir::Shape out = adaptive(c);
  return {{c.dtype(0), out}, {DType::i64, out}};
}

}  // namespace

Rows pool_rows() {
  const std::string frame = "x, kernel, stride, low, high, dilation, ceil_mode=false";
  Rows rows;
  rows.push_back(row("max_pool", &max_pool, frame, infer_pool));
  rows.push_back(row("max_pool_indices", &max_pool_indices, frame, infer_pool_indices));
  rows.push_back(row("avg_pool", &avg_pool, frame + ", count_padding=false, divisor=0", infer_float_pool));
  rows.push_back(row("lp_pool", &lp_pool, frame + ", order=2.0", infer_lp_pool));
  rows.push_back(row("adaptive_avg_pool", &adaptive_avg_pool, "x, size", infer_adaptive_avg));
  rows.push_back(row("adaptive_max_pool", &adaptive_max_pool, "x, size", infer_adaptive_max));
  return rows;
}

}  // namespace godwit::ops

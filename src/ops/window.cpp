#include "ops/window.h"

#include <algorithm>
#include <limits>

namespace godwit::ops::window {

bool on_cpu() { return mx::default_device() == mx::Device::cpu; }

mx::Dtype accumulator(mx::Dtype dtype) { return dtype == mx::float16 || dtype == mx::bfloat16 ? mx::float32 : dtype; }

array widen(const array& x) { return mx::astype(x, accumulator(x.dtype())); }

namespace {

constexpr int longest_run = 512;

// Adds runs of neighbours along an axis, which becomes that much shorter.
array shortened(const array& x, int axis) {
  const int size = x.shape(axis);
  int run = longest_run;
  while (run >= 16 && size % run != 0) --run;
  if (run < 16) {  // nearly a prime number: zeros fill up the last run
    run = longest_run;
    return shortened(mx::pad(x, {axis}, mx::Shape{0}, mx::Shape{run - size % run}), axis);
  }
  mx::Shape shape = x.shape();
  shape[axis] = size / run;
  shape.insert(shape.begin() + axis + 1, run);
  return mx::sum(mx::reshape(x, shape), axis + 1);
}

}  // namespace

array total(array x, std::vector<int> axes, bool keepdims) {
  double count = 1;
  for (int a : axes) count *= x.shape(a);
  if (count <= 2 * longest_run || !on_cpu() || !mx::issubdtype(x.dtype(), mx::inexact))
    return mx::sum(x, axes, keepdims);
  std::sort(axes.rbegin(), axes.rend());
  for (int a : axes) {
    while (x.shape(a) > 2 * longest_run) x = shortened(x, a);
    x = mx::sum(x, a, true);
  }
  return keepdims ? x : mx::squeeze(x, axes);
}

array packed(const array& x) { return x.is_tracer() ? mx::multiply(x, array(1, x.dtype())) : mx::contiguous(x); }

array pad_spatial(const array& x, const Ints& low, const Ints& high, const array& value) {
  const int first = static_cast<int>(x.ndim() - low.size());
  mx::Shape starts(x.ndim(), 0), stops = x.shape();
  std::vector<int> axes;
  mx::Shape before, after;
  bool crops = false, pads = false;
  mx::Shape result = x.shape();
  for (size_t i = 0; i < low.size(); ++i) {
    const int axis = first + static_cast<int>(i);
    starts[axis] = std::min(std::max(-low[i], 0), x.shape(axis));
    stops[axis] = std::max(x.shape(axis) - std::max(-high[i], 0), starts[axis]);
    crops = crops || low[i] < 0 || high[i] < 0;
    pads = pads || low[i] > 0 || high[i] > 0;
    axes.push_back(axis);
    before.push_back(std::max(low[i], 0));
    after.push_back(std::max(high[i], 0));
    const int64_t size = int64_t{stops[axis]} - starts[axis] + before.back() + after.back();
    require<UsageError>(size <= std::numeric_limits<int>::max(), "pads {} and {} are too large", low[i], high[i]);
    result[axis] = static_cast<int>(size);
  }
  check_volume(result);
  array y = crops ? mx::slice(x, starts, stops) : x;
  return pads ? mx::pad(y, axes, before, after, mx::astype(value, x.dtype())) : y;
}

array windows(const array& x, const Ints& kernel, const Ints& stride, const Ints& dilation) {
  const size_t n = kernel.size();
  mx::Shape shape{x.shape(0), x.shape(1)};
  mx::Strides steps(2 + 2 * n, 0);
  int64_t step = 1;
  for (size_t i = 0; i < n; ++i) shape.push_back(extent(x.shape(2 + i), 0, 0, kernel[i], stride[i], dilation[i]));
  for (int k : kernel) shape.push_back(k);
  for (size_t i = n; i-- > 0;) {
    steps[2 + i] = step * stride[i];
    steps[2 + n + i] = step * dilation[i];
    step *= x.shape(2 + i);
  }
  steps[1] = step;
  steps[0] = step * x.shape(1);
  check_volume(shape);
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return mx::zeros(shape, x.dtype());
  return mx::as_strided(packed(x), shape, steps, 0);
}

namespace {

constexpr int64_t most = std::numeric_limits<int>::max();

// MLX counts the elements of an axis in 32 bits.
int axis_size(int64_t size) {
  require<UsageError>(size <= most, "an axis of {} elements is too long", size);
  return static_cast<int>(size);
}

}  // namespace

array overlap(const array& x, int step) {
  const int axis = static_cast<int>(x.ndim()) - 2, frames = x.shape(axis), size = x.shape(axis + 1);
  mx::Shape lead(x.shape().begin(), x.shape().begin() + axis);
  auto shaped = [&](std::initializer_list<int> tail) {
    mx::Shape s = lead;
    for (int v : tail) s.push_back(v);
    return s;
  };
  if (frames == 0) return mx::zeros(shaped({0}), x.dtype());
  // A frame is cut into `parts` pieces of one step; piece j of frame p lands on step p + j.
  const int parts = static_cast<int>((int64_t{size} + step - 1) / step);
  const int length = axis_size((int64_t{frames} + parts - 1) * step);
  array pieces =
      mx::reshape(mx::pad(x, {axis + 1}, mx::Shape{0}, mx::Shape{parts * step - size}), shaped({frames, parts, step}));
  std::optional<array> sum;
  for (int j = 0; j < parts; ++j) {
    mx::Shape starts(lead.size() + 3, 0), stops = shaped({frames, j + 1, step});
    starts[axis + 1] = j;
    array piece = mx::squeeze(mx::slice(pieces, starts, stops), axis + 1);
    piece = mx::pad(piece, {axis}, mx::Shape{j}, mx::Shape{parts - 1 - j});
    sum = sum ? mx::add(*sum, piece) : piece;
  }
  array line = mx::reshape(*sum, shaped({length}));
  return mx::slice(line, mx::Shape(lead.size() + 1, 0), shaped({(frames - 1) * step + size}));
}

namespace {

// Puts dilation - 1 zeros between the elements of the last axis.
array spread(const array& x, int dilation) {
  const int size = x.shape(-1);
  if (dilation == 1 || size == 0) return x;
  mx::Shape shape = x.shape();
  shape.back() = axis_size(int64_t{size} * dilation);
  check_volume(shape);
  array y = mx::pad(mx::expand_dims(x, -1), {static_cast<int>(x.ndim())}, mx::Shape{0}, mx::Shape{dilation - 1});
  y = mx::reshape(y, shape);
  mx::Shape stops = shape;
  stops.back() = (size - 1) * dilation + 1;
  return mx::slice(y, mx::Shape(shape.size(), 0), stops);
}

}  // namespace

array unwindow(const array& x, const Ints& stride, const Ints& dilation) {
  const int n = static_cast<int>(stride.size());
  array y = x;
  // (N, C, k1, k2, o1, o2): the last k and the last o become the last axes, then one axis; in front goes what is done.
  for (int i = n - 1; i >= 0; --i) {
    const int k_axis = 2 + i, o_axis = 2 + i + 1 + i;
    // Layout here: N, C, k_0..k_i, o_0..o_i, done...
    std::vector<int> order;
    for (int a = 0; a < static_cast<int>(y.ndim()); ++a)
      if (a != k_axis && a != o_axis) order.push_back(a);
    order.push_back(o_axis);
    order.push_back(k_axis);
    y = overlap(spread(mx::transpose(y, order), dilation[i]), stride[i]);
    // N, C, k_0..k_(i-1), o_0..o_(i-1), done..., new -> the new axis goes in front of those already done.
    y = mx::moveaxis(y, -1, 2 + 2 * i);
  }
  return y;
}

int extent(int in, int low, int high, int kernel, int stride, int dilation) {
  return pooled_extent(in, low, high, kernel, stride, dilation, false);
}

int pooled_reach(int out, int kernel, int stride, int dilation) {
  return axis_size((int64_t{out} - 1) * stride + int64_t{dilation} * (kernel - 1) + 1);
}

int pooled_extent(int in, int low, int high, int kernel, int stride, int dilation, bool ceil_mode) {
  axis_size(int64_t{in} + low + high);
  const int64_t room = static_cast<int64_t>(in) + low + high - static_cast<int64_t>(dilation) * (kernel - 1) - 1;
  if (!ceil_mode) return room < 0 ? 0 : static_cast<int>(room / stride + 1);
  const int64_t padded = room + stride - 1;
  int64_t out = padded < 0 ? 0 : padded / stride + 1;
  if (out > 0 && (out - 1) * stride >= static_cast<int64_t>(in) + low) --out;
  return static_cast<int>(out);
}

void check_volume(const mx::Shape& shape) {
  double n = 1;
  for (int d : shape) n *= d;
  require<UsageError>(n <= 0x1p38, "a tensor of shape ({}) is too large", fmt::join(shape, ", "));
}

int volume(const mx::Shape& shape, size_t first) {
  int64_t n = 1;
  for (size_t i = first; i < shape.size(); ++i) n *= shape[i];
  return static_cast<int>(n);
}

size_t spatial_rank(const InferContext& c) {
  if (c.rank(0) < 3 || c.rank(0) > 5) c.fail("1 to 3 spatial axes are supported, the input is (N, C, spatial...)");
  return static_cast<size_t>(c.rank(0) - 2);
}

const ir::Dims& per_axis(const InferContext& c, std::string_view name, size_t count, int64_t least) {
  const ir::Dims& list = c.integers(name);
  if (list.size() != count) c.fail("{} has {} entries for {} spatial axes", name, list.size(), count);
  for (const ir::Dim& d : list)
    if (d.is_known() && (d.value() < least || d.value() > 1 << 30))
      c.fail("{} {} is out of range", name, ir::str(list));
  return list;
}

bool agree(const ir::Dim& a, const ir::Dim& b) { return !a.is_known() || !b.is_known() || a == b; }

ir::Dim extent(const InferContext& c, const ir::Dim& in, const ir::Dim& low, const ir::Dim& high, const ir::Dim& kernel,
               const ir::Dim& stride, const ir::Dim& dilation) {
  ir::Dim room = in + low + high - dilation * (kernel - ir::Dim(1)) - ir::Dim(1);
  if (room.is_known() && room.value() < 0)
    c.fail("a kernel of {} (dilation {}) does not fit into {} with pads {} and {}", kernel.str(), dilation.str(),
           in.str(), low.str(), high.str());
  return floordiv(room, stride) + ir::Dim(1);
}

}  // namespace godwit::ops::window

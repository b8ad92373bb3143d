#include "ops/conv.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <cmath>

#include "ops/families.h"
#include "ops/product.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

Ints zeros_like(const Ints& list) { return Ints(list.size(), 0); }

// (N, C, spatial...) <-> (N, spatial..., C)
array channels_last(const array& x) { return mx::moveaxis(x, 1, -1); }
array channels_first(const array& x) { return mx::moveaxis(x, -1, 1); }

array add_bias(const array& y, const std::optional<array>& bias) {
  if (!bias) return y;
  mx::Shape shape(y.ndim() - 1, 1);
  shape[0] = bias->shape(0);
  return mx::add(y, mx::reshape(mx::astype(*bias, y.dtype()), shape));
}

// Gathered windows take the kernel's size times the input's memory; above this many elements they are made in parts.
constexpr double most_columns = 1 << 24;

// One matrix product per group over gathered windows. It keeps channels first throughout, so that a 1x1 kernel needs
// no copy at all, and covers what MLX's CPU convolution does slowly (groups, dilation) or not at all (float64).
array conv_by_matmul(const array& x, const array& weight, const Ints& stride, const Ints& dilation, int groups) {
  const int n = static_cast<int>(stride.size()), batch = x.shape(0), in = x.shape(1), out = weight.shape(0);
  Ints kernel(weight.shape().begin() + 2, weight.shape().end());
  array view = windows(x, kernel, stride, dilation);  // N, C, out..., k...
  mx::Shape result{batch, out};
  std::vector<int> order{0, 1};
  for (int i = 0; i < n; ++i) order.push_back(2 + n + i);
  for (int i = 0; i < n; ++i) {
    order.push_back(2 + i);
    result.push_back(view.shape(2 + i));
  }
  const int taps = volume(weight.shape(), 2), places = volume(result, 2);
  array columns = mx::reshape(mx::transpose(view, order), {batch, groups, in / groups * taps, places});
  array matrix = mx::reshape(weight, {1, groups, out / groups, weight.shape(1) * taps});
  return mx::reshape(product(matrix, columns), result);
}

// The same in parts along the first spatial axis. x is padded.
array conv_in_parts(const array& x, const array& weight, const Ints& stride, const Ints& dilation, int groups) {
  const int rows = extent(x.shape(2), 0, 0, weight.shape(2), stride[0], dilation[0]);
  double columns = x.shape(0) * static_cast<double>(x.shape(1));
  for (size_t i = 0; i < stride.size(); ++i)
    columns *= static_cast<double>(weight.shape(2 + i)) *
               extent(x.shape(2 + i), 0, 0, weight.shape(2 + i), stride[i], dilation[i]);
  const bool copies = volume(weight.shape(), 2) > 1;
  const int parts =
      copies ? static_cast<int>(std::clamp(std::ceil(columns / most_columns), 1.0, static_cast<double>(rows))) : 1;
  if (parts == 1) return conv_by_matmul(x, weight, stride, dilation, groups);
  const int each = (rows + parts - 1) / parts, reach = dilation[0] * (weight.shape(2) - 1) + 1;
  std::vector<array> results;
  for (int row = 0; row < rows; row += each) {
    const int count = std::min(each, rows - row);
    mx::Shape starts(x.ndim(), 0), stops = x.shape();
    starts[2] = row * stride[0];
    stops[2] = starts[2] + (count - 1) * stride[0] + reach;
    results.push_back(conv_by_matmul(mx::slice(x, starts, stops), weight, stride, dilation, groups));
  }
  return mx::concatenate(results, 2);
}

// A bank of long filters over one channel, such as the spectrum of raw sound. What is quiet in it is a small difference
// of large sums, and logarithms follow: the sums are kept in float64, which the CPU has.
bool is_filter_bank(const array& weight, int groups) {
  return groups == 1 && weight.shape(1) == 1 && volume(weight.shape(), 2) >= 128;
}

// MLX 0.32.4 on CUDA: where a convolution has few results, what reads them may find other numbers there (seen with up
// to 16 places, 3 channels in and 64 out). A product over gathered windows is small then, and right.
constexpr int few_places = 64;

array conv_float(const array& x, const array& weight, const Ints& stride, const Ints& low, const Ints& high,
                 const Ints& dilation, int groups) {
  if (on_cpu()) {
    const mx::Dtype sums = is_filter_bank(weight, groups) ? mx::float64 : accumulator(x.dtype());
    array padded = pad_spatial(mx::astype(x, sums), low, high, array(0.0f));
    return mx::astype(conv_in_parts(padded, mx::astype(weight, sums), stride, dilation, groups), x.dtype());
  }
  array whole = pad_spatial(x, low, high, array(0.0f));
  int places = x.shape(0);
  for (size_t i = 0; i < stride.size(); ++i)
    places *= extent(whole.shape(2 + static_cast<int>(i)), 0, 0, weight.shape(2 + static_cast<int>(i)), stride[i],
                     dilation[i]);
  if (places < few_places) return conv_by_matmul(whole, weight, stride, dilation, groups);
  array padded = channels_last(whole), kernel = channels_last(weight);
  const Ints none = zeros_like(stride);
  if (groups == 1 || stride.size() < 3)
    return channels_first(
        mx::conv_general(padded, kernel, stride, none, none, dilation, Ints(stride.size(), 1), groups));
  // MLX's three-dimensional convolution has no groups.
  std::vector<array> parts, xs = mx::split(padded, groups, -1), ks = mx::split(kernel, groups, 0);
  for (int g = 0; g < groups; ++g)
    parts.push_back(mx::conv_general(xs[g], ks[g], stride, none, none, dilation, Ints(stride.size(), 1), 1));
  return channels_first(mx::concatenate(parts, -1));
}

void check_operands(const char* op, const array& x, const array& weight, int channels, size_t spatial) {
  require<UsageError>(x.ndim() == spatial + 2 && weight.ndim() == spatial + 2 && x.shape(1) == channels,
                      "[{}] weight {} expects {} channels, input is {}", op, fmt::join(weight.shape(), "x"), channels,
                      fmt::join(x.shape(), "x"));
}

}  // namespace

array conv(const array& x, const array& weight, const std::optional<array>& bias, const Ints& stride, const Ints& low,
           const Ints& high, const Ints& dilation, int groups) {
  check_operands("conv", x, weight, weight.shape(1) * groups, stride.size());
  for (size_t i = 0; i < stride.size(); ++i)
    require<UsageError>(extent(x.shape(2 + i), low[i], high[i], weight.shape(2 + i), stride[i], dilation[i]) > 0,
                        "[conv] a kernel of {} (dilation {}) does not fit into {} with pads {} and {}",
                        weight.shape(2 + i), dilation[i], x.shape(2 + i), low[i], high[i]);
  if (mx::issubdtype(x.dtype(), mx::floating) && x.dtype() != mx::float64)
    return add_bias(conv_float(x, weight, stride, low, high, dilation, groups), bias);
  // Integers: float64 holds every sum of 32-bit products that a kernel of real size can give. It exists on the CPU
  // only.
  mx::StreamContext cpu(mx::Device::cpu);
  array y =
      conv_float(mx::astype(x, mx::float64), mx::astype(weight, mx::float64), stride, low, high, dilation, groups);
  return add_bias(mx::astype(y, x.dtype()), bias);
}

namespace {

array transpose_by_matmul(const array& x, const array& weight, const Ints& stride, const Ints& dilation, int groups) {
  const int batch = x.shape(0), in = x.shape(1), out = weight.shape(1);
  const int taps = volume(weight.shape(), 2), places = volume(x.shape(), 2);
  array matrix = mx::swapaxes(mx::reshape(weight, {1, groups, in / groups, out * taps}), 2, 3);
  array columns = product(matrix, mx::reshape(x, {batch, groups, in / groups, places}));
  mx::Shape shape{batch, groups * out};
  shape.insert(shape.end(), weight.shape().begin() + 2, weight.shape().end());
  shape.insert(shape.end(), x.shape().begin() + 2, x.shape().end());
  return unwindow(mx::reshape(columns, shape), stride, dilation);
}

// The whole result before cropping: (in - 1) * stride + dilation * (k - 1) + 1 along each axis.
array transpose_float(const array& x, const array& weight, const Ints& stride, const Ints& dilation, int groups) {
  if (on_cpu()) return mx::astype(transpose_by_matmul(widen(x), widen(weight), stride, dilation, groups), x.dtype());
  if (groups > 1 && stride.size() == 3) return transpose_by_matmul(x, weight, stride, dilation, groups);
  // MLX wants (O, k..., I / groups); ours is (I, O / groups, k...).
  const int in = x.shape(1), out = weight.shape(1);
  mx::Shape grouped{groups, in / groups, out}, joined{groups * out, in / groups};
  grouped.insert(grouped.end(), weight.shape().begin() + 2, weight.shape().end());
  joined.insert(joined.end(), weight.shape().begin() + 2, weight.shape().end());
  array kernel = channels_last(mx::reshape(mx::swapaxes(mx::reshape(weight, grouped), 1, 2), joined));
  Ints pads;
  for (size_t i = 0; i < stride.size(); ++i) pads.push_back(dilation[i] * (weight.shape(2 + i) - 1));
  return channels_first(
      mx::conv_general(channels_last(x), kernel, Ints(stride.size(), 1), pads, pads, dilation, stride, groups, true));
}

}  // namespace

array conv_transpose(const array& x, const array& weight, const std::optional<array>& bias, const Ints& stride,
                     const Ints& low, const Ints& high, const Ints& output_padding, const Ints& dilation, int groups) {
  check_operands("conv_transpose", x, weight, weight.shape(0), stride.size());
  Ints before, after;
  for (size_t i = 0; i < stride.size(); ++i) {
    before.push_back(-low[i]);
    after.push_back(output_padding[i] - high[i]);
  }
  if (mx::issubdtype(x.dtype(), mx::floating) && x.dtype() != mx::float64) {
    array y = transpose_float(x, weight, stride, dilation, groups);
    return add_bias(pad_spatial(y, before, after, array(0.0f)), bias);
  }
  mx::StreamContext cpu(mx::Device::cpu);
  array y = transpose_float(mx::astype(x, mx::float64), mx::astype(weight, mx::float64), stride, dilation, groups);
  return add_bias(pad_spatial(mx::astype(y, x.dtype()), before, after, array(0.0f)), bias);
}

array fold(const array& x, const Ints& output_size, const Ints& kernel, const Ints& stride, const Ints& low,
           const Ints& high, const Ints& dilation) {
  const size_t n = kernel.size();
  int64_t taps = 1, places = 1;
  require<UsageError>(x.ndim() == 3, "[fold] operand has rank {}, 3 expected", x.ndim());
  // Products stop growing once they cannot fit the operand any more.
  for (int k : kernel) taps = std::min<int64_t>(taps * k, int64_t{x.shape(1)} + 1);
  require<UsageError>(taps > 0 && x.shape(1) % taps == 0, "[fold] {} rows are no multiple of a kernel of {} elements",
                      x.shape(1), taps);
  mx::Shape shape{x.shape(0), static_cast<int>(x.shape(1) / taps)};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  Ints before, after;
  for (size_t i = 0; i < n; ++i) {
    const int count = extent(output_size[i], low[i], high[i], kernel[i], stride[i], dilation[i]);
    const int full = pooled_reach(count, kernel[i], stride[i], dilation[i]);
    shape.push_back(count);
    places = std::min<int64_t>(places * count, int64_t{x.shape(2)} + 1);
    before.push_back(-low[i]);
    after.push_back(output_size[i] + low[i] - full);
  }
  require<UsageError>(places == x.shape(2), "[fold] {} windows give the output size, input has {}", places, x.shape(2));
  array y = unwindow(mx::reshape(widen(x), shape), stride, dilation);
  return mx::astype(pad_spatial(y, before, after, array(0.0f)), x.dtype());
}

namespace {

using Types = infer::Types;

ir::Dim known_groups(const InferContext& c) {
  ir::Dim groups = c.integer("groups");
  if (groups.is_known() && groups.value() < 1) c.fail("groups {} is out of range", groups.str());
  return groups;
}

void check_weight(const InferContext& c, size_t spatial, size_t weight) {
  if (c.rank(weight) != static_cast<int64_t>(spatial + 2))
    c.fail("weight {} and input {} differ in rank", ir::str(c.shape(weight)), ir::str(c.shape(0)));
}

void check_bias(const InferContext& c, size_t bias, const ir::Dim& channels) {
  if (c.has(bias) && (c.rank(bias) != 1 || !agree(c.shape(bias)[0], channels)))
    c.fail("bias {} does not fit {} output channels", ir::str(c.shape(bias)), channels.str());
}

// Output of conv, whose window attributes deform_conv shares.
ir::Shape conv_shape(const InferContext& c, size_t weight) {
  const size_t n = spatial_rank(c);
  check_weight(c, n, weight);
  const ir::Shape &x = c.shape(0), &w = c.shape(weight);
  const ir::Dims &stride = per_axis(c, "stride", n, 1), &dilation = per_axis(c, "dilation", n, 1);
  const ir::Dims &low = per_axis(c, "low", n, -(1 << 30)), &high = per_axis(c, "high", n, -(1 << 30));
  ir::Dim groups = known_groups(c);
  if (!agree(w[1] * groups, x[1]))
    c.fail("weight {} expects {} channels, input is {}", ir::str(w), (w[1] * groups).str(), ir::str(x));
  if (w[0].is_known() && groups.is_known() && w[0].value() % groups.value() != 0)
    c.fail("{} output channels do not fall into {} groups", w[0].str(), groups.str());
  ir::Shape out{x[0], w[0]};
  for (size_t i = 0; i < n; ++i) {
    if (w[2 + i].is(0)) c.fail("the kernel of weight {} is empty", ir::str(w));
    out.push_back(window::extent(c, x[2 + i], low[i], high[i], w[2 + i], stride[i], dilation[i]));
  }
  return out;
}

Types infer_conv(InferContext& c) {
  ir::Shape out = conv_shape(c, 1);
  check_bias(c, 2, out[1]);
  return {{c.dtype(0), out}};
}

Types infer_conv_transpose(InferContext& c) {
  const size_t n = spatial_rank(c);
  check_weight(c, n, 1);
  const ir::Shape &x = c.shape(0), &w = c.shape(1);
  const ir::Dims &stride = per_axis(c, "stride", n, 1), &dilation = per_axis(c, "dilation", n, 1);
  const ir::Dims &low = per_axis(c, "low", n, -(1 << 30)), &high = per_axis(c, "high", n, -(1 << 30));
  const ir::Dims& extra = per_axis(c, "output_padding", n, 0);
  ir::Dim groups = known_groups(c);
  if (!agree(w[0], x[1])) c.fail("weight {} expects {} channels, input is {}", ir::str(w), w[0].str(), ir::str(x));
  if (x[1].is_known() && groups.is_known() && x[1].value() % groups.value() != 0)
    c.fail("{} channels do not fall into {} groups", x[1].str(), groups.str());
  ir::Shape out{x[0], w[1] * groups};
  for (size_t i = 0; i < n; ++i) {
    ir::Dim size = (x[2 + i] - ir::Dim(1)) * stride[i] - low[i] - high[i] + dilation[i] * (w[2 + i] - ir::Dim(1)) +
                   ir::Dim(1) + extra[i];
    if (size.is_known() && size.value() < 0) c.fail("output axis {} would have {} elements", i + 2, size.value());
    out.push_back(size);
  }
  check_bias(c, 2, out[1]);
  return {{c.dtype(0), out}};
}

Types infer_fold(InferContext& c) {
  const ir::Dims& size = c.integers("output_size");
  const size_t n = size.size();
  if (c.rank(0) != 3 || n < 1 || n > 3) c.fail("the input is (N, C * kernel, windows), over 1 to 3 spatial axes");
  const ir::Dims &stride = per_axis(c, "stride", n, 1), &dilation = per_axis(c, "dilation", n, 1);
  const ir::Dims &low = per_axis(c, "low", n, 0), &high = per_axis(c, "high", n, 0);
  const ir::Dims& kernel = per_axis(c, "kernel", n, 1);
  ir::Dim taps = ir::product(kernel), places(1);
  for (size_t i = 0; i < n; ++i)
    places = places * window::extent(c, size[i], low[i], high[i], kernel[i], stride[i], dilation[i]);
  const ir::Shape& x = c.shape(0);
  if (x[1].is_known() && taps.is_known() && x[1].value() % taps.value() != 0)
    c.fail("{} rows are no multiple of a kernel of {} elements", x[1].str(), taps.str());
  if (!agree(places, x[2])) c.fail("output size {} has {} windows", ir::str(size), places.str());
  ir::Shape out{x[0], floordiv(x[1], taps)};
  out.insert(out.end(), size.begin(), size.end());
  return {{c.dtype(0), out}};
}

Types infer_deform_conv(InferContext& c) {
  if (c.rank(0) != 4) c.fail("two spatial axes are supported");
  ir::Shape out = conv_shape(c, 2);
  const ir::Shape &w = c.shape(2), &offset = c.shape(1);
  ir::Dim taps = w[2] * w[3], groups = c.integer("offset_groups");
  if (groups.is_known() && groups.value() < 1) c.fail("offset_groups {} is out of range", groups.str());
  auto fits = [&](const ir::Shape& s, const ir::Dim& channels) {
    return s.size() == 4 && agree(s[0], out[0]) && agree(s[1], channels) && agree(s[2], out[2]) && agree(s[3], out[3]);
  };
  if (!fits(offset, groups * taps * ir::Dim(2)))
    c.fail("offset {} does not fit output {} and {} offset groups", ir::str(offset), ir::str(out), groups.str());
  if (c.has(3) && !fits(c.shape(3), groups * taps))
    c.fail("mask {} does not fit output {} and {} offset groups", ir::str(c.shape(3)), ir::str(out), groups.str());
  check_bias(c, 4, out[1]);
  return {{c.dtype(0), out}};
}

}  // namespace

Rows conv_rows() {
  Rows rows;
  rows.push_back(row("conv", &conv, "x, weight, bias?, stride, low, high, dilation, groups=1", infer_conv));
  rows.push_back(row("conv_transpose", &conv_transpose,
                     "x, weight, bias?, stride, low, high, output_padding, dilation, groups=1", infer_conv_transpose));
  rows.push_back(row("fold", &fold, "x, output_size, kernel, stride, low, high, dilation", infer_fold));
  rows.push_back(row("deform_conv", &deform_conv,
                     "x, offset, weight, mask?, bias?, stride, low, high, dilation, groups=1, offset_groups=1",
                     infer_deform_conv));
  return rows;
}

}  // namespace godwit::ops

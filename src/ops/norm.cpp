#include "ops/norm.h"

#include <mlx/mlx.h>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

array scalar_like(double value, const array& x) { return array(value, x.dtype()); }

std::vector<int> last_axes(const array& x, int count) {
  std::vector<int> axes;
  for (int i = static_cast<int>(x.ndim()) - count; i < static_cast<int>(x.ndim()); ++i) axes.push_back(i);
  return axes;
}

// The mean of what is wide already, with the axes kept.
array mean_of(const array& x, const std::vector<int>& axes) {
  double count = 1;
  for (int a : axes) count *= x.shape(a);
  return mx::divide(total(x, axes, true), scalar_like(count, x));
}

// (x - mean) / sqrt(variance + eps), x wide
array standardized(const array& x, const std::vector<int>& axes, double eps) {
  array centered = mx::subtract(x, mean_of(x, axes));
  array variance = mean_of(mx::square(centered), axes);
  return mx::multiply(centered, mx::rsqrt(mx::add(variance, scalar_like(eps, x))));
}

array scaled(array y, const std::optional<array>& weight, const std::optional<array>& bias) {
  if (weight) y = mx::multiply(y, mx::astype(*weight, y.dtype()));
  if (bias) y = mx::add(y, mx::astype(*bias, y.dtype()));
  return y;
}

// A vector over channels, shaped to broadcast along axis 1 of a tensor of the given rank.
array along_channels(const array& v, size_t rank) {
  mx::Shape shape(rank - 1, 1);
  shape[0] = v.shape(0);
  return mx::reshape(v, shape);
}

std::optional<array> along_channels(const std::optional<array>& v, size_t rank) {
  return v ? std::optional(along_channels(*v, rank)) : std::nullopt;
}

}  // namespace

array layer_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias, int axes_count,
                 double eps) {
  if (!on_cpu() && axes_count == 1) return mx::fast::layer_norm(x, weight, bias, static_cast<float>(eps));
  array y = standardized(widen(x), last_axes(x, axes_count), eps);
  return mx::astype(scaled(y, weight, bias), x.dtype());
}

array rms_norm(const array& x, const std::optional<array>& weight, int axes_count, double eps) {
  if (!on_cpu() && axes_count == 1) return mx::fast::rms_norm(x, weight, static_cast<float>(eps));
  array wide = widen(x);
  array power = mean_of(mx::square(wide), last_axes(x, axes_count));
  array y = mx::multiply(wide, mx::rsqrt(mx::add(power, scalar_like(eps, wide))));
  return mx::astype(scaled(y, weight, std::nullopt), x.dtype());
}

array group_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias, int groups,
                 double eps) {
  require<UsageError>(groups > 0 && x.shape(1) % groups == 0, "[group_norm] {} channels do not fall into {} groups",
                      x.shape(1), groups);
  const int members = volume(x.shape(), 1) / groups;
  array y = standardized(mx::reshape(widen(x), {x.shape(0), groups, members}), {2}, eps);
  y = scaled(mx::reshape(y, x.shape()), along_channels(weight, x.ndim()), along_channels(bias, x.ndim()));
  return mx::astype(y, x.dtype());
}

array batch_norm(const array& x, const std::optional<array>& weight, const std::optional<array>& bias,
                 const array& mean, const array& variance, double eps) {
  array wide = widen(x);
  // One factor and one term per channel. The mean is taken off first: folding it into the term cancels digits.
  array factor = mx::rsqrt(mx::add(mx::astype(variance, wide.dtype()), scalar_like(eps, wide)));
  if (weight) factor = mx::multiply(factor, mx::astype(*weight, wide.dtype()));
  array centered = mx::subtract(wide, along_channels(mx::astype(mean, wide.dtype()), x.ndim()));
  array y = mx::multiply(centered, along_channels(factor, x.ndim()));
  return mx::astype(scaled(y, std::nullopt, along_channels(bias, x.ndim())), x.dtype());
}

array local_response_norm(const array& x, int size, double alpha, double beta, double bias) {
  array wide = widen(x), squares = mx::square(wide);
  const int below = (size - 1) / 2, channels = x.shape(1);
  array padded = mx::pad(squares, {1}, mx::Shape{below}, mx::Shape{size - 1 - below});
  array sum = mx::zeros_like(wide);
  for (int k = 0; k < size; ++k) {
    mx::Shape starts(x.ndim(), 0), stops = x.shape();
    starts[1] = k;
    stops[1] = k + channels;
    sum = mx::add(sum, mx::slice(padded, starts, stops));
  }
  array base = mx::add(scalar_like(bias, wide), mx::multiply(sum, scalar_like(alpha / size, wide)));
  return mx::astype(mx::divide(wide, mx::power(base, scalar_like(beta, wide))), x.dtype());
}

namespace {

using Types = infer::Types;

void check_float(const InferContext& c) {
  if (!is_float(c.dtype(0))) c.fail("a float input is expected");
}

Types infer_trailing(InferContext& c, size_t operands) {
  check_float(c);
  const ir::Shape& x = c.shape(0);
  const int64_t count = c.number("axes_count");
  if (count < 1 || count > c.rank(0)) c.fail("axes_count {} does not fit input {}", count, ir::str(x));
  const ir::Shape tail(x.end() - count, x.end());
  for (size_t i = 1; i < operands; ++i) {
    if (!c.has(i)) continue;
    const ir::Shape& w = c.shape(i);
    bool fits = w.size() == tail.size();
    for (size_t k = 0; fits && k < w.size(); ++k) fits = agree(w[k], tail[k]) || w[k].is(1);
    if (!fits) c.fail("{} {} does not fit the last axes of {}", i == 1 ? "weight" : "bias", ir::str(w), ir::str(x));
  }
  return {c.type(0)};
}

Types infer_layer_norm(InferContext& c) { return infer_trailing(c, 3); }
Types infer_rms_norm(InferContext& c) { return infer_trailing(c, 2); }

void check_channels(const InferContext& c, size_t operands) {
  check_float(c);
  if (c.rank(0) < 2) c.fail("the input has no channel axis");
  for (size_t i = 1; i < operands; ++i)
    if (c.has(i) && (c.rank(i) != 1 || !agree(c.shape(i)[0], c.shape(0)[1])))
      c.fail("operand {} of shape {} does not fit {} channels", i, ir::str(c.shape(i)), c.shape(0)[1].str());
}

Types infer_batch_norm(InferContext& c) {
  check_channels(c, 5);
  return {c.type(0)};
}

Types infer_group_norm(InferContext& c) {
  check_channels(c, 3);
  const ir::Dim groups = c.integer("groups"), &channels = c.shape(0)[1];
  if (groups.is_known() && (groups.value() < 1 || (channels.is_known() && channels.value() % groups.value() != 0)))
    c.fail("{} channels do not fall into {} groups", channels.str(), groups.str());
  return {c.type(0)};
}

Types infer_local_response_norm(InferContext& c) {
  check_channels(c, 1);
  const int64_t size = c.number("size");
  if (size < 1 || size > 1 << 20) c.fail("size {} is out of range", size);
  return {c.type(0)};
}

}  // namespace

Rows norm_rows() {
  Rows rows;
  rows.push_back(row("layer_norm", &layer_norm, "x, weight?, bias?, axes_count=1, eps=1e-5", infer_layer_norm));
  rows.push_back(row("rms_norm", &rms_norm, "x, weight?, axes_count=1, eps=1e-6", infer_rms_norm));
  rows.push_back(row("group_norm", &group_norm, "x, weight?, bias?, groups, eps=1e-5", infer_group_norm));
  rows.push_back(row("batch_norm", &batch_norm, "x, weight?, bias?, mean, variance, eps=1e-5", infer_batch_norm));
  rows.push_back(row("local_response_norm", &local_response_norm, "x, size, alpha=1e-4, beta=0.75, bias=1.0",
                     infer_local_response_norm));
  return rows;
}

}  // namespace godwit::ops

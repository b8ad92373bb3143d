// Deformable convolution: bilinear samples at learned offsets, then one matrix product per group.
#include <mlx/mlx.h>

#include "ops/conv.h"
#include "ops/product.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// Regular sampling positions of one axis, (k, out): out * stride - low + k * dilation.
array positions(int out, int kernel, int stride, int low, int dilation) {
  array places = mx::multiply(mx::arange(out), array(stride)), taps = mx::multiply(mx::arange(kernel), array(dilation));
  array sum = mx::add(mx::expand_dims(taps, 1), mx::expand_dims(places, 0));
  return mx::astype(mx::subtract(sum, array(low)), mx::float32);
}

// planes (N, G, C, H * W) read at integer coordinates y, x (N, G, P), zero outside -> (N, G, C, P)
array read(const array& planes, const array& y, const array& x, int height, int width) {
  auto inside = [](const array& v, int size) {
    return mx::logical_and(mx::greater_equal(v, array(0.0f)), mx::less_equal(v, array(static_cast<float>(size - 1))));
  };
  auto clamped = [](const array& v, int size) {
    // Clamped once more as an integer: an offset that is not a number must not become an address.
    array near = mx::clip(v, array(0.0f), array(static_cast<float>(size - 1)));
    return mx::clip(mx::astype(near, mx::int32), array(0), array(size - 1));
  };
  array valid = mx::logical_and(inside(y, height), inside(x, width));
  array flat = mx::add(mx::multiply(clamped(y, height), array(width)), clamped(x, width));
  mx::Shape shape{planes.shape(0), planes.shape(1), planes.shape(2), flat.shape(2)};
  array taken = mx::take_along_axis(planes, mx::broadcast_to(mx::expand_dims(flat, 2), shape), 3);
  return mx::where(mx::expand_dims(valid, 2), taken, mx::zeros_like(taken));
}

}  // namespace

array deform_conv(const array& x, const array& offset, const array& weight, const std::optional<array>& mask,
                  const std::optional<array>& bias, const Ints& stride, const Ints& low, const Ints& high,
                  const Ints& dilation, int groups, int offset_groups) {
  const int batch = x.shape(0), in = x.shape(1), height = x.shape(2), width = x.shape(3);
  const int out = weight.shape(0), kh = weight.shape(2), kw = weight.shape(3), taps = kh * kw;
  const int oh = extent(height, low[0], high[0], kh, stride[0], dilation[0]);
  const int ow = extent(width, low[1], high[1], kw, stride[1], dilation[1]);
  require<UsageError>(in % offset_groups == 0, "[deform_conv] {} channels do not fall into {} offset groups", in,
                      offset_groups);

  array moves = mx::reshape(mx::astype(offset, mx::float32), {batch, offset_groups, kh, kw, 2, oh, ow});
  auto axis_of = [&](int which) { return mx::squeeze(mx::take(moves, array({which}), 4), 4); };
  array base_y = mx::reshape(positions(oh, kh, stride[0], low[0], dilation[0]), {kh, 1, oh, 1});
  array base_x = mx::reshape(positions(ow, kw, stride[1], low[1], dilation[1]), {1, kw, 1, ow});
  const mx::Shape flat{batch, offset_groups, taps * oh * ow};
  array y = mx::reshape(mx::add(axis_of(0), base_y), flat), z = mx::reshape(mx::add(axis_of(1), base_x), flat);

  array planes = mx::reshape(mx::astype(x, mx::float32), {batch, offset_groups, in / offset_groups, height * width});
  array y0 = mx::floor(y), x0 = mx::floor(z), fy = mx::subtract(y, y0), fx = mx::subtract(z, x0), one(1.0f);
  std::optional<array> samples;
  for (int dy = 0; dy < 2; ++dy)
    for (int dx = 0; dx < 2; ++dx) {
      array share = mx::multiply(dy ? fy : mx::subtract(one, fy), dx ? fx : mx::subtract(one, fx));
      array corner = read(planes, dy ? mx::add(y0, one) : y0, dx ? mx::add(x0, one) : x0, height, width);
      array part = mx::multiply(corner, mx::expand_dims(share, 2));
      samples = samples ? mx::add(*samples, part) : part;
    }
  if (mask) {
    array factor = mx::reshape(mx::astype(*mask, mx::float32), flat);
    samples = mx::multiply(*samples, mx::expand_dims(factor, 2));
  }
  array columns = mx::reshape(*samples, {batch, groups, in / groups * taps, oh * ow});
  array matrix = mx::reshape(mx::astype(weight, mx::float32), {1, groups, out / groups, in / groups * taps});
  array result = mx::reshape(product(matrix, columns), {batch, out, oh, ow});
  if (bias) result = mx::add(result, mx::reshape(mx::astype(*bias, mx::float32), {out, 1, 1}));
  return mx::astype(result, x.dtype());
}

}  // namespace godwit::ops

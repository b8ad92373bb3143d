// Sampling at given places, over two or three spatial axes.
#include <mlx/mlx.h>

#include "ops/resize.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

array number(double v) { return array(static_cast<float>(v)); }

// Folds coordinates back and forth between the edges: pixel centres when the corners align, else pixel borders.
array reflected(const array& x, int size, bool align_corners) {
  const double low = align_corners ? 0 : -0.5, span = align_corners ? size - 1 : size;
  if (span <= 0) return mx::zeros_like(x);
  array from = mx::abs(mx::subtract(x, number(low)));
  array flips = mx::floor(mx::divide(from, number(span)));
  array extra = mx::subtract(from, mx::multiply(flips, number(span)));
  array odd = mx::greater(mx::remainder(flips, number(2)), number(0.5));
  return mx::add(mx::where(odd, mx::subtract(number(span), extra), extra), number(low));
}

array clamped(const array& x, int size) { return mx::clip(x, number(0), number(size - 1)); }

array padded(const array& x, int size, const std::string& padding, bool align_corners) {
  if (padding == "zeros") return x;
  return clamped(padding == "reflection" ? reflected(x, size, align_corners) : x, size);
}

struct Tap {
  array index;  // int32, inside the input
  array valid;  // bool: the sample counts
  array weight;
};

Tap tap_at(const array& x, int size, const array& weight) {
  array valid = mx::logical_and(mx::greater_equal(x, number(0)), mx::less_equal(x, number(size - 1)));
  // Clamped once more as an integer: a coordinate that is not a number must not become an address.
  array index = mx::clip(mx::astype(clamped(x, size), mx::int32), array(0), array(size - 1));
  return {index, valid, weight};
}

array cubic_weight(const array& distance, bool inner) {
  const double a = -0.75;
  const array& x = distance;
  array x2 = mx::square(x), x3 = mx::multiply(x2, x);
  if (inner) return mx::add(mx::subtract(mx::multiply(x3, number(a + 2)), mx::multiply(x2, number(a + 3))), number(1));
  array p = mx::subtract(mx::multiply(x3, number(a)), mx::multiply(x2, number(5 * a)));
  return mx::subtract(mx::add(p, mx::multiply(x, number(8 * a))), number(4 * a));
}

// The taps along one axis at normalized coordinates.
std::vector<Tap> taps_of(const array& coordinate, int size, const std::string& mode, const std::string& padding,
                         bool align_corners) {
  array shifted = mx::add(coordinate, number(1));
  array x = align_corners ? mx::multiply(mx::divide(shifted, number(2)), number(size - 1))
                          : mx::divide(mx::subtract(mx::multiply(shifted, number(size)), number(1)), number(2));
  const array one = number(1);
  if (mode == "nearest") {
    array at = mx::round(padded(x, size, padding, align_corners));
    return {tap_at(at, size, mx::ones_like(x))};
  }
  if (mode == "linear") {
    array at = padded(x, size, padding, align_corners), base = mx::floor(at), part = mx::subtract(at, base);
    return {tap_at(base, size, mx::subtract(one, part)), tap_at(mx::add(base, one), size, part)};
  }
  // Cubic pads each sample rather than the coordinate.
  array base = mx::floor(x), part = mx::subtract(x, base), rest = mx::subtract(one, part);
  const array weights[] = {cubic_weight(mx::add(part, one), false), cubic_weight(part, true), cubic_weight(rest, true),
                           cubic_weight(mx::add(rest, one), false)};
  std::vector<Tap> taps;
  for (int k = 0; k < 4; ++k)
    taps.push_back(tap_at(padded(mx::add(base, number(k - 1)), size, padding, align_corners), size, weights[k]));
  return taps;
}

}  // namespace

array grid_sample(const array& x, const array& grid, const std::string& mode, const std::string& padding,
                  bool align_corners) {
  const int n = static_cast<int>(x.ndim()) - 2, batch = x.shape(0), channels = x.shape(1);
  require<UsageError>(grid.ndim() == x.ndim() && grid.shape(-1) == n && volume(x.shape(), 2) > 0,
                      "[grid_sample] grid {} does not fit input {}", fmt::join(grid.shape(), "x"),
                      fmt::join(x.shape(), "x"));
  mx::Shape result{batch, channels};
  for (int i = 0; i < n; ++i) result.push_back(grid.shape(1 + i));
  const int places = volume(result, 2);
  array flat = mx::reshape(mx::astype(grid, mx::float32), {batch, places, n});
  array planes = mx::reshape(widen(x), {batch, channels, volume(x.shape(), 2)});

  std::vector<std::vector<Tap>> taps;
  for (int i = 0; i < n; ++i) {
    array coordinate = mx::squeeze(mx::slice(flat, mx::Shape{0, 0, n - 1 - i}, mx::Shape{batch, places, n - i}), 2);
    taps.push_back(taps_of(coordinate, x.shape(2 + i), mode, padding, align_corners));
  }
  const size_t each = taps[0].size();
  size_t total = 1;
  for (int i = 0; i < n; ++i) total *= each;
  array sum = mx::zeros({batch, channels, places}, planes.dtype());
  for (size_t combination = 0; combination < total; ++combination) {
    size_t rest = combination;
    array index = mx::zeros({batch, places}, mx::int32), weight = mx::ones({batch, places}, mx::float32);
    for (int i = 0; i < n; ++i) {
      const Tap& tap = taps[i][rest % each];
      rest /= each;
      index = mx::add(mx::multiply(index, array(x.shape(2 + i))), tap.index);
      weight = mx::where(tap.valid, mx::multiply(weight, tap.weight), mx::zeros_like(weight));
    }
    array taken =
        mx::take_along_axis(planes, mx::broadcast_to(mx::expand_dims(index, 1), {batch, channels, places}), 2);
    sum = mx::add(sum, mx::multiply(taken, mx::astype(mx::expand_dims(weight, 1), planes.dtype())));
  }
  return mx::astype(mx::reshape(sum, result), x.dtype());
}

}  // namespace godwit::ops

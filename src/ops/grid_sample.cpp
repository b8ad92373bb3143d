// Sampling at given places, over two or three spatial axes.
#include <mlx/mlx.h>

#include "ops/resize.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// Coordinates and weights are computed in the grid's own type, rounding included: that is what PyTorch does, and in
// half types it moves the places.
array number(double v, const array& like) { return array(static_cast<float>(v), like.dtype()); }

// Folds coordinates back and forth between the edges: pixel centres when the corners align, else pixel borders.
array reflected(const array& x, int size, bool align_corners) {
  const double low = align_corners ? 0 : -0.5, both_ways = 2.0 * (align_corners ? size - 1 : size);
  if (both_ways <= 0) return mx::zeros_like(x);
  const array span = number(both_ways, x), border = number(low, x);
  array from = mx::abs(align_corners ? x : mx::subtract(x, border));
  array extra = mx::subtract(from, mx::multiply(mx::floor(mx::divide(from, span)), span));
  array folded = mx::minimum(extra, mx::subtract(span, extra));
  return align_corners ? folded : mx::add(folded, border);
}

array clamped(const array& x, int size) { return mx::clip(x, number(0, x), number(size - 1, x)); }

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
  array valid = mx::logical_and(mx::greater_equal(x, number(0, x)), mx::less_equal(x, number(size - 1, x)));
  // Clamped once more as an integer: a coordinate that is not a number must not become an address.
  array index = mx::clip(mx::astype(clamped(x, size), mx::int32), array(0), array(size - 1));
  return {index, valid, weight};
}

// The polynomials of cubic convolution, in PyTorch's order of operations.
array cubic_weight(const array& x, bool inner) {
  const double a = -0.75;
  auto c = [&](double v) { return number(v, x); };
  if (inner) {
    array p = mx::subtract(mx::multiply(c(a + 2), x), c(a + 3));
    return mx::add(mx::multiply(mx::multiply(p, x), x), c(1));
  }
  array p = mx::add(mx::multiply(mx::subtract(mx::multiply(c(a), x), c(5 * a)), x), c(8 * a));
  return mx::subtract(mx::multiply(p, x), c(4 * a));
}

// The taps along one axis at normalized coordinates.
std::vector<Tap> taps_of(const array& coordinate, int size, const std::string& mode, const std::string& padding,
                         bool align_corners) {
  const array one = number(1, coordinate);
  array x = mx::multiply(mx::add(coordinate, one), number((align_corners ? size - 1 : size) / 2.0, coordinate));
  if (!align_corners) x = mx::subtract(x, number(0.5, x));
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
                           cubic_weight(mx::subtract(number(2, part), part), false)};
  std::vector<Tap> taps;
  for (int k = 0; k < 4; ++k)
    taps.push_back(tap_at(padded(mx::add(base, number(k - 1, base)), size, padding, align_corners), size, weights[k]));
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
  array flat = mx::reshape(grid, {batch, places, n});
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

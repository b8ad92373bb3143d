#include "ops/resize.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <cmath>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// Index tables are made on the host: a size from a file must not fill the memory.
constexpr int largest_size = 1 << 26;

struct Axis {
  int in = 0, out = 0;
  double scale = 1;  // out / in, or what the source gives
  bool given_scale = false;
  double roi_start = 0, roi_end = 1;

  double width() const { return given_scale ? scale * in : out; }  // may be fractional
};

// Source coordinate of output element i, computed in T.
template <class T>
T source(const Axis& a, const std::string& coordinates, int i) {
  const T x = static_cast<T>(i), half = static_cast<T>(0.5);
  const T step = static_cast<T>(a.given_scale ? 1.0 / a.scale : static_cast<double>(a.in) / a.out);
  if (coordinates == "asymmetric") return x * step;
  if (coordinates == "align_corners")
    return a.width() == 1 ? T(0) : x * (static_cast<T>(a.in - 1) / static_cast<T>(a.width() - 1));
  if (coordinates == "tf_crop_and_resize") {
    const double span = (a.roi_end - a.roi_start) * (a.in - 1);
    const double at = a.width() == 1 ? span / 2 : i * span / (a.width() - 1);
    return static_cast<T>(at + a.roi_start * (a.in - 1));
  }
  if (coordinates == "pytorch_half_pixel" && a.width() == 1) return 0;
  T offset = 0;
  if (coordinates == "half_pixel_symmetric") offset = static_cast<T>(a.in / 2.0 * (1 - a.out / a.width()));
  return offset + (x + half) * step - half;
}

// Ties are exact here: (i + 0.5) * in / out.
double exact_half_pixel(const Axis& a, int i) {
  return a.given_scale ? (i + 0.5) / a.scale - 0.5 : (i + 0.5) * a.in / a.out - 0.5;
}

// torch's nearest-exact: floor((i + 0.5) * step) in float32, here less the half that rounding adds again.
double torch_exact(const Axis& a, int i) {
  const float step = static_cast<float>(a.given_scale ? 1.0 / a.scale : static_cast<double>(a.in) / a.out);
  return std::floor((static_cast<float>(i) + 0.5f) * step) - 0.5;
}

double nearest_of(double x, const std::string& rule) {
  if (rule == "floor") return std::floor(x);
  if (rule == "ceil") return std::ceil(x);
  return rule == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

std::vector<int32_t> nearest_indices(const Axis& a, const std::string& coordinates, const std::string& rule) {
  std::vector<int32_t> indices;
  for (int i = 0; i < a.out; ++i) {
    double x;
    if (coordinates == "asymmetric" && rule == "floor")
      x = source<float>(a, coordinates, i);
    else if (coordinates == "half_pixel" && rule == "round_prefer_ceil")
      x = torch_exact(a, i);
    else
      x = coordinates == "half_pixel" ? exact_half_pixel(a, i) : source<double>(a, coordinates, i);
    indices.push_back(static_cast<int32_t>(std::clamp<double>(nearest_of(x, rule), 0, a.in - 1)));
  }
  return indices;
}

double linear_weight(double x) { return std::max(0.0, 1 - std::abs(x)); }

double cubic_weight(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

double lanczos_weight(double x) {
  auto sinc = [](double v) { return v == 0 ? 1 : std::sin(M_PI * v) / (M_PI * v); };
  return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

ResizeTable interpolation(const Axis& a, const std::string& coordinates, const std::string& mode, double cubic_a,
                          bool antialias, bool exclude_outside) {
  const bool cubic = mode == "cubic", lanczos = mode == "lanczos";
  // A kernel is stretched to cover what one output element covers when it shrinks.
  const double squeeze = antialias ? std::min(a.scale, 1.0) : 1.0;
  const int reach = static_cast<int>(-(std::floor(-(lanczos ? 3 : cubic ? 2 : 1) / squeeze) + 1));
  ResizeTable taps;
  taps.count = 2 + 2 * reach;
  for (int i = 0; i < a.out; ++i) {
    const double x = source<float>(a, coordinates, i), base = std::floor(x);
    std::vector<double> weights;
    double sum = 0;
    for (int k = 0; k < taps.count; ++k) {
      const double at = base - reach + k, distance = (at - x) * squeeze;
      double w = lanczos ? lanczos_weight(distance) : cubic ? cubic_weight(distance, cubic_a) : linear_weight(distance);
      if (exclude_outside && (at < 0 || at > a.in - 1)) w = 0;
      weights.push_back(w);
      sum += w;
      taps.index.push_back(static_cast<int32_t>(std::clamp<double>(at, 0, a.in - 1)));
    }
    const bool normalize = (antialias || exclude_outside) && sum != 0;
    for (double w : weights) taps.weight.push_back(static_cast<float>(normalize ? w / sum : w));
  }
  return taps;
}

// Few taps are gathered and summed, many are one product with an (in, out) matrix.
array apply(const array& x, int axis, const Axis& a, const ResizeTable& taps) {
  if (taps.count <= 4) {
    mx::Shape along(x.ndim() - axis, 1);
    along[0] = a.out;
    std::optional<array> sum;
    for (int k = 0; k < taps.count; ++k) {
      std::vector<int32_t> index;
      std::vector<float> weight;
      for (int i = 0; i < a.out; ++i) {
        index.push_back(taps.index[static_cast<size_t>(i) * taps.count + k]);
        weight.push_back(taps.weight[static_cast<size_t>(i) * taps.count + k]);
      }
      array part = mx::multiply(mx::take(x, array(index.data(), {a.out}, mx::int32), axis),
                                mx::astype(array(weight.data(), along, mx::float32), x.dtype()));
      sum = sum ? mx::add(*sum, part) : part;
    }
    return *sum;
  }
  std::vector<float> matrix(static_cast<size_t>(a.in) * a.out, 0.0f);
  for (int i = 0; i < a.out; ++i)
    for (int k = 0; k < taps.count; ++k) {
      const size_t at = static_cast<size_t>(i) * taps.count + k;
      matrix[static_cast<size_t>(taps.index[at]) * a.out + i] += taps.weight[at];
    }
  array shares = mx::astype(array(matrix.data(), {a.in, a.out}, mx::float32), x.dtype());
  return mx::moveaxis(mx::matmul(mx::moveaxis(x, axis, -1), shares), -1, axis);
}

// true where an output element of this axis lies outside of the input.
array outside(const Axis& a, const std::string& coordinates, size_t trailing) {
  std::vector<uint8_t> flags;
  for (int i = 0; i < a.out; ++i) {
    const double x = source<double>(a, coordinates, i);
    flags.push_back(x < 0 || x > a.in - 1);
  }
  mx::Shape shape(trailing, 1);
  shape[0] = a.out;
  return mx::astype(array(flags.data(), shape, mx::uint8), mx::bool_);
}

Axis axis_of(const array& x, int axis, size_t i, const Ints& size, const Reals& scales, const Reals& roi) {
  Axis a;
  a.in = x.shape(axis);
  a.out = size[i];
  require<UsageError>(a.in > 0 || a.out == 0, "[resize] axis {} is empty", axis);
  require<UsageError>(a.out >= 0 && a.out <= largest_size, "[resize] size {} is out of range", a.out);
  a.given_scale = !scales.empty();
  a.scale = a.given_scale ? scales[i] : static_cast<double>(a.out) / std::max(a.in, 1);
  if (!roi.empty()) {
    a.roi_start = roi[i];
    a.roi_end = roi[size.size() + i];
  }
  return a;
}

}  // namespace

ResizeTable resize_table(int in, int out, const std::string& mode, const std::string& coordinates, double scale,
                         const std::string& nearest, double cubic_a, bool antialias, bool exclude_outside) {
  Axis a;
  a.in = in, a.out = out;
  a.given_scale = scale > 0;
  a.scale = a.given_scale ? scale : static_cast<double>(out) / std::max(in, 1);
  if (mode == "nearest") return {1, nearest_indices(a, coordinates, nearest), {}};
  return interpolation(a, coordinates, mode, cubic_a, antialias, exclude_outside);
}

array resize(const array& x, const Ints& axes, const Ints& size, const std::string& mode,
             const std::string& coordinates, const Reals& scales, const std::string& nearest, double cubic_a,
             bool antialias, bool exclude_outside, const Reals& roi, double extrapolation) {
  const bool gathers = mode == "nearest";
  const bool real = mx::issubdtype(x.dtype(), mx::floating);
  array y = gathers ? x : real ? widen(x) : mx::astype(x, mx::float32);
  std::optional<array> off;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = axes[i] < 0 ? axes[i] + static_cast<int>(x.ndim()) : axes[i];
    const Axis a = axis_of(x, axis, i, size, scales, roi);
    if (a.out == 0) {
      mx::Shape shape = y.shape();
      shape[axis] = 0;
      y = mx::zeros(shape, y.dtype());
      continue;
    }
    if (gathers) {
      std::vector<int32_t> index = nearest_indices(a, coordinates, nearest);
      y = mx::take(y, array(index.data(), {a.out}, mx::int32), axis);
    } else {
      y = apply(y, axis, a, interpolation(a, coordinates, mode, cubic_a, antialias, exclude_outside));
    }
    if (coordinates == "tf_crop_and_resize") {
      array flags = outside(a, coordinates, x.ndim() - static_cast<size_t>(axis));
      off = off ? mx::logical_or(*off, flags) : flags;
    }
  }
  if (off) y = mx::where(*off, mx::astype(array(extrapolation, mx::float32), y.dtype()), y);
  return mx::astype(y, x.dtype());
}

namespace {

using Types = infer::Types;

void one_of(const InferContext& c, const char* what, std::initializer_list<const char*> names) {
  const std::string& text = c.text(what);
  if (std::find(names.begin(), names.end(), text) == names.end()) c.fail("{} '{}' is not known", what, text);
}

Types infer_resize(InferContext& c) {
  one_of(c, "mode", {"nearest", "linear", "cubic", "lanczos"});
  one_of(c, "nearest", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  one_of(c, "coordinates",
         {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric",
          "tf_crop_and_resize"});
  const ir::Dims &axes = c.integers("axes"), &size = c.integers("size");
  c.axes("axes", c.rank(0));  // distinct and in range
  auto reals = [&](const char* name) -> const Reals& {
    return std::get<Reals>(attribute(c.node(), *get("resize").find(name)));
  };
  const Reals &scales = reals("scales"), &roi = reals("roi");
  if (size.size() != axes.size()) c.fail("{} sizes are given for {} axes", size.size(), axes.size());
  if (!scales.empty() && scales.size() != axes.size())
    c.fail("{} scales are given for {} axes", scales.size(), axes.size());
  for (double s : scales)
    if (!(s > 0) || s > 1e6 || s < 1e-6) c.fail("scale {} is out of range", s);
  if (!roi.empty() && roi.size() != 2 * axes.size()) c.fail("roi has {} numbers for {} axes", roi.size(), axes.size());
  if (roi.empty() && c.text("coordinates") == "tf_crop_and_resize") c.fail("tf_crop_and_resize needs a roi");
  ir::Shape out = c.shape(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    if (size[i].is_known() && (size[i].value() < 0 || size[i].value() > largest_size))
      c.fail("size {} is out of range", size[i].value());
    out[static_cast<size_t>(c.axis(axes[i], c.rank(0)))] = size[i];
  }
  return {{c.dtype(0), out}};
}

Types infer_grid_sample(InferContext& c) {
  one_of(c, "mode", {"nearest", "linear", "cubic"});
  one_of(c, "padding", {"zeros", "border", "reflection"});
  const ir::Shape &x = c.shape(0), &grid = c.shape(1);
  if ((x.size() != 4 && x.size() != 5) || grid.size() != x.size()) c.fail("two or three spatial axes are supported");
  if (!agree(x[0], grid[0])) c.fail("the batch sizes differ");
  if (!agree(grid.back(), ir::Dim(static_cast<int64_t>(x.size() - 2))))
    c.fail("the grid has {} coordinates for {} spatial axes", grid.back().str(), x.size() - 2);
  if (!is_float(c.dtype(0)) || !is_float(c.dtype(1))) c.fail("float operands are expected");
  ir::Shape out{x[0], x[1]};
  for (size_t i = 2; i < x.size(); ++i) {
    if (x[i].is(0)) c.fail("the input is empty");
    out.push_back(grid[i - 1]);
  }
  return {{c.dtype(0), out}};
}

}  // namespace

Rows resize_rows() {
  Rows rows;
  rows.push_back(row("resize", &resize,
                     "x, axes, size, mode=\"nearest\", coordinates=\"half_pixel\", scales=reals[], "
                     "nearest=\"round_prefer_floor\", cubic_a=-0.75, antialias=false, exclude_outside=false, "
                     "roi=reals[], extrapolation=0.0",
                     infer_resize));
  rows.push_back(row("grid_sample", &grid_sample, "x, grid, mode=\"linear\", padding=\"zeros\", align_corners=false",
                     infer_grid_sample));
  return rows;
}

}  // namespace godwit::ops

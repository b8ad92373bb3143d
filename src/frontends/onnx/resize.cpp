// Resize, Upsample, GridSample, AffineGrid.
#include <algorithm>
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// Numbers of a float input that must be known now (scales rule the coordinates).
std::vector<double> reals_of(const Call& c, size_t input) {
  const Tensor* t = c.importer.known(c.in(input));
  if (!t)
    c.fail("input {} ({}) must be known at conversion; give its value (--input {}=...)", input, c.node.inputs[input],
           c.node.inputs[input]);
  std::vector<double> out;
  for (int64_t i = 0; i < t->size(); ++i) out.push_back(t->number(i));
  return out;
}

bool is_given(const Call& c, size_t input) {
  return c.has(input) && !(c.in(input)->type.shape && ir::product(c.in(input)->shape()).is(0));
}

ir::Dim scaled(const Call& c, const ir::Dim& d, double scale) {
  if (d.is_known()) return static_cast<int64_t>(std::floor(static_cast<double>(d.value()) * scale));
  // A whole number of times is exact for a symbol, too.
  if (scale == std::floor(scale)) return d * ir::Dim(static_cast<int64_t>(scale));
  if (1 / scale == std::floor(1 / scale)) return floordiv(d, static_cast<int64_t>(1 / scale));
  c.fail("dimension {} is scaled by {}: give the input's shape (--input NAME=SHAPE)", d.str(), scale);
}

struct Plan {
  std::vector<int64_t> axes;
  ir::Dims size;
  std::vector<double> scales, roi;
};

// The same factor for all axes where the aspect ratio is kept.
void keep_aspect(const Call& c, const std::string& policy, Plan& plan) {
  double factor = policy == "not_larger" ? INFINITY : 0;
  for (size_t i = 0; i < plan.axes.size(); ++i) {
    const ir::Dim own = c.size(c.in(0), plan.axes[i]);
    const double f = static_cast<double>(c.known(plan.size[i])) / static_cast<double>(c.known(own));
    factor = policy == "not_larger" ? std::min(factor, f) : std::max(factor, f);
  }
  for (size_t i = 0; i < plan.axes.size(); ++i) {
    const int64_t own = c.known(c.size(c.in(0), plan.axes[i]));
    plan.size[i] = static_cast<int64_t>(std::floor(factor * static_cast<double>(own) + 0.5));
  }
  plan.scales.assign(plan.axes.size(), factor);
}

void drop_unchanged(const Call& c, Plan& plan, bool crops) {
  if (crops) return;
  Plan kept;
  for (size_t i = 0; i < plan.axes.size(); ++i) {
    const bool same = plan.size[i] == c.size(c.in(0), plan.axes[i]);
    if (same && (plan.scales.empty() || plan.scales[i] == 1.0)) continue;
    kept.axes.push_back(plan.axes[i]);
    kept.size.push_back(plan.size[i]);
    if (!plan.scales.empty()) kept.scales.push_back(plan.scales[i]);
  }
  plan = std::move(kept);
}

Values write(Call& c, Plan plan, const std::string& mode, const std::string& coordinates, const std::string& nearest) {
  drop_unchanged(c, plan, coordinates == "tf_crop_and_resize");
  if (plan.axes.empty()) return {c.in(0)};
  return {c.op("resize", {c.in(0)},
               {{"axes", to_dims(plan.axes)},
                {"size", plan.size},
                {"mode", mode},
                {"coordinates", coordinates},
                {"scales", plan.scales},
                {"nearest", nearest},
                {"cubic_a", c.real("cubic_coeff_a", -0.75)},
                {"antialias", c.flag("antialias")},
                {"exclude_outside", c.flag("exclude_outside")},
                {"roi", plan.roi},
                {"extrapolation", c.real("extrapolation_value", 0.0)}})};
}

std::vector<int64_t> every_axis(const Call& c) {
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < c.rank(); ++i) axes.push_back(i);
  return axes;
}

void apply_scales(const Call& c, Plan& plan) {
  if (plan.scales.size() != plan.axes.size()) c.fail("{} scales for {} axes", plan.scales.size(), plan.axes.size());
  for (size_t i = 0; i < plan.axes.size(); ++i) {
    if (!(plan.scales[i] > 0)) c.fail("scale {} is not positive", plan.scales[i]);
    plan.size.push_back(scaled(c, c.size(c.in(0), plan.axes[i]), plan.scales[i]));
  }
}

Values upsample(Call& c) {  // also Resize 10: asymmetric, floor
  Plan plan{every_axis(c), {}, {}, {}};
  if (c.opset >= 9)
    plan.scales = reals_of(c, 1);
  else if (c.has_attribute("scales"))
    plan.scales = c.reals("scales");
  else
    plan.scales = {1, 1, c.real("height_scale", 1), c.real("width_scale", 1)};
  apply_scales(c, plan);
  const std::string mode = c.text("mode", "nearest");
  return write(c, plan, mode == "bilinear" ? "linear" : mode, "asymmetric", "floor");
}

Values resize(Call& c) {
  if (c.opset < 11) return upsample(c);
  Plan plan{c.has_attribute("axes") ? c.integers("axes") : every_axis(c), {}, {}, {}};
  for (int64_t& a : plan.axes) a = c.axis(a, c.rank());
  if (is_given(c, 2)) {
    plan.scales = reals_of(c, 2);
    apply_scales(c, plan);
  } else {
    plan.size = c.dims(3);
    if (plan.size.size() != plan.axes.size()) c.fail("{} sizes for {} axes", plan.size.size(), plan.axes.size());
    const std::string policy = c.text("keep_aspect_ratio_policy", "stretch");
    if (policy != "stretch") keep_aspect(c, policy, plan);
  }
  const std::string coordinates = c.text("coordinate_transformation_mode", "half_pixel");
  if (coordinates == "tf_crop_and_resize") plan.roi = reals_of(c, 1);
  return write(c, plan, c.text("mode", "nearest"), coordinates, c.text("nearest_mode", "round_prefer_floor"));
}

Values grid_sample(Call& c) {
  std::string mode = c.text("mode", "linear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  return {
      c.op("grid_sample", {c.in(0), c.in(1)},
           {{"mode", mode}, {"padding", c.text("padding_mode", "zeros")}, {"align_corners", c.flag("align_corners")}})};
}

// Coordinates of `size` pixels in [-1, 1]: their centres, or the corners included.
Value* pixels(Call& c, const ir::Dim& size, bool corners, DType type) {
  Value* at = c.cast(c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", size}, {"dtype", DType::i64}}), type);
  Value* count = c.cast(c.b.dim(corners ? size - 1 : size), type);
  Value* doubled = add(c, multiply(c, at, 2.0), corners ? 0.0 : 1.0);
  return add(c, divide(c, doubled, count), -1.0);
}

Values affine_grid(Call& c) {
  Value* theta = c.in(0);  // (N, d, d + 1)
  const ir::Dims size = c.dims(1);
  if (size.size() != 4 && size.size() != 5) c.fail("a size of 4 or 5 axes expected, {} are given", size.size());
  const ir::Dims spatial(size.begin() + 2, size.end());
  const auto d = static_cast<int64_t>(spatial.size());
  const bool corners = c.flag("align_corners");
  Values columns;
  for (int64_t i = d; i-- > 0;) {  // x first
    Value* line = along(c, pixels(c, spatial[static_cast<size_t>(i)], corners, theta->dtype()), i, d);
    columns.push_back(expand(c, c.op("broadcast", {line}, {{"shape", spatial}}), {d}));
  }
  ir::Dims ones = spatial;
  ones.push_back(1);
  columns.push_back(full(c, theta->dtype(), 1, ones));
  Value* points = c.b.reshape(c.op("concat", columns, {{"axis", ir::Dim(d)}}), {ir::product(spatial), d + 1});
  Value* grid = c.op("matmul", {points, transpose(c, theta, {0, 2, 1})});
  ir::Dims shape{c.shape(theta, 1)[0]};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  shape.push_back(d);
  return {c.b.reshape(grid, shape)};
}

}  // namespace

Rows resize_rows() {
  return {{"Resize", resize}, {"Upsample", upsample}, {"GridSample", grid_sample}, {"AffineGrid", affine_grid}};
}

}  // namespace godwit::frontends::onnx

// Interpolation and sampling.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

struct Mode {
  const char* mode;
  bool exact = false;  // nearest-exact: pixel centres
  bool antialias = false;
};

std::vector<double> corner_scales(Context& c, const ir::Shape& in, const ir::Dims& out) {
  std::vector<double> scales;
  for (size_t i = 0; i < out.size(); ++i) {
    if (!in[i + 2].is_known() || !out[i].is_known() || in[i + 2].value() < 2 || out[i].value() < 2)
      c.unsupported("aligned corners with antialiasing from {} to {}", in[i + 2].str(), out[i].str());
    scales.push_back(static_cast<double>(out[i].value() - 1) / static_cast<double>(in[i + 2].value() - 1));
  }
  return scales;
}

// upsample_*: sizes or scale factors; where factors are given they rule the coordinates, as in PyTorch.
Translator upsample(size_t n, Mode m) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor(argument_name(c, 0));
    if (x->rank() != static_cast<int64_t>(n) + 2) c.fail("input {} for {} spatial axes", ir::str(x->type), n);
    std::vector<double> scales = c.reals("scale_factors");
    const char* names[3][3] = {{"scales", "", ""}, {"scales_h", "scales_w", ""}, {"scales_d", "scales_h", "scales_w"}};
    for (size_t i = 0; i < n && scales.empty(); ++i)
      if (c.has(names[n - 1][i])) {
        for (size_t j = 0; j < n; ++j) scales.push_back(c.has(names[n - 1][j]) ? c.real(names[n - 1][j]) : 0.0);
        break;
      }
    ir::Dims axes, size = c.has("output_size") ? c.dims("output_size", n) : ir::Dims{};
    if (size.empty() && scales.size() != n) c.fail("neither sizes nor {} scale factors are given", n);
    const bool by_size = !size.empty();
    for (size_t i = 0; i < n; ++i) {
      axes.push_back(static_cast<int64_t>(i) + 2);
      if (by_size) continue;
      const ir::Dim& d = x->shape()[i + 2];
      const int64_t whole = static_cast<int64_t>(scales[i]);
      if (d.is_known())
        size.push_back(static_cast<int64_t>(static_cast<double>(d.value()) * scales[i]));
      else if (static_cast<double>(whole) == scales[i])
        size.push_back(d * ir::Dim(whole));
      else if (const double back = 1 / scales[i]; back == static_cast<double>(static_cast<int64_t>(back)) && back > 0)
        size.push_back(floordiv(d, static_cast<int64_t>(back)));
      else
        c.unsupported("scale {} of a symbolic size", scales[i]);
    }
    for (double s : scales)
      if (!(s > 0)) scales.clear();
    // PyTorch copies where nothing is resized and halves indices where a size doubles, whatever the factors say.
    const bool plain = !m.antialias && !m.exact && std::string_view(m.mode) != "cubic";
    for (size_t i = 0; i < scales.size() && plain; ++i) {
      const ir::Dim& d = x->shape()[i + 2];
      if (size[i] == d)
        scales[i] = 1;
      else if (std::string_view(m.mode) == "nearest" && size[i] == d + d)
        scales[i] = 2;
    }
    const bool align = c.flag("align_corners");
    ir::Attrs attrs = {{"axes", axes}, {"size", size}, {"mode", std::string(m.mode)}};
    const bool nearest = std::string_view(m.mode) == "nearest";
    attrs["coordinates"] = std::string(align ? "align_corners" : nearest && !m.exact ? "asymmetric" : "half_pixel");
    if (nearest) attrs["nearest"] = std::string(m.exact ? "round_prefer_ceil" : "floor");
    if (!scales.empty() && !align) attrs["scales"] = scales;
    if (m.antialias) {
      // PyTorch leaves out what lies outside, and takes half pixels even where the corners give the ratio.
      attrs["antialias"] = true;
      attrs["exclude_outside"] = true;
      if (align) attrs["coordinates"] = std::string("half_pixel");
      if (align) attrs["scales"] = corner_scales(c, x->shape(), size);
    }
    if (std::string_view(m.mode) == "cubic") attrs["cubic_a"] = m.antialias ? -0.5 : -0.75;
    return {c.result(c.op("resize", {x}, std::move(attrs)))};
  };
}

Values grid_sampler(Context& c) {
  const int64_t mode = c.number("interpolation_mode"), padding = c.number("padding_mode");
  static const char* modes[] = {"linear", "nearest", "cubic"};
  static const char* paddings[] = {"zeros", "border", "reflection"};
  if (mode < 0 || mode > 2 || padding < 0 || padding > 2) c.fail("mode {}, padding {}", mode, padding);
  return {c.result(c.op("grid_sample", {c.tensor("input"), c.tensor("grid")},
                        {{"mode", std::string(modes[mode])},
                         {"padding", std::string(paddings[padding])},
                         {"align_corners", c.flag("align_corners")}}))};
}

// Sampling places of an affine map: (N, H, W, 2) from theta (N, 2, 3).
Values affine_grid(Context& c) {
  ir::Value* theta = c.tensor("theta");
  const ir::Dims size = c.dims("size");
  if (size.size() != 4) c.unsupported("grids over {} axes", size.size());
  const bool align = c.flag("align_corners");
  const DType d = theta->dtype();
  // -1 ... 1 over the centres of the first and last pixel, or over their outer edges.
  auto places = [&](const ir::Dim& n) {
    ir::Value* v = c.op("linspace", {c.scalar(d, -1), c.scalar(d, 1)}, {{"count", n}});
    if (align) return n.is(1) ? c.op("multiply", {v, c.scalar(d, 0)}) : v;
    ir::Value* count = c.cast(c.b.dim(n), d);
    return c.op("multiply", {v, c.op("divide", {c.op("subtract", {count, c.scalar(d, 1)}), count})});
  };
  const ir::Dim h = size[2], w = size[3];
  ir::Value* xs = c.op("broadcast", {c.b.reshape(places(w), {1, w})}, {{"shape", ir::Dims{h, w}}});
  ir::Value* ys = c.op("broadcast", {c.b.reshape(places(h), {h, 1})}, {{"shape", ir::Dims{h, w}}});
  ir::Value* ones = c.op("full", {c.scalar(d, 1)}, {{"shape", ir::Dims{h, w}}});
  std::vector<ir::Value*> parts;
  for (ir::Value* v : {xs, ys, ones}) parts.push_back(c.b.reshape(v, {h * w, 1}));
  ir::Value* base = c.op("concat", parts, {{"axis", 1}});
  ir::Value* grid = c.op("matmul", {base, c.op("transpose", {theta}, {{"axes", ir::Dims{0, 2, 1}}})});
  return {c.result(c.b.reshape(grid, {size[0], h, w, 2}))};
}

}  // namespace

Rows resize_rows() {
  return {
      {"upsample_nearest1d", upsample(1, {"nearest"})},
      {"upsample_nearest2d", upsample(2, {"nearest"})},
      {"upsample_nearest3d", upsample(3, {"nearest"})},
      {"_upsample_nearest_exact1d", upsample(1, {"nearest", true})},
      {"_upsample_nearest_exact2d", upsample(2, {"nearest", true})},
      {"_upsample_nearest_exact3d", upsample(3, {"nearest", true})},
      {"upsample_linear1d", upsample(1, {"linear"})},
      {"upsample_bilinear2d", upsample(2, {"linear"})},
      {"upsample_trilinear3d", upsample(3, {"linear"})},
      {"upsample_bicubic2d", upsample(2, {"cubic"})},
      {"_upsample_bilinear2d_aa", upsample(2, {"linear", false, true})},
      {"_upsample_bicubic2d_aa", upsample(2, {"cubic", false, true})},
      {"_upsample_lanczos2d_aa", upsample(2, {"lanczos", false, true})},
      {"grid_sampler", grid_sampler},
      {"grid_sampler_2d", grid_sampler},
      {"grid_sampler_3d", grid_sampler},
      {"affine_grid_generator", affine_grid},
  };
}

}  // namespace godwit::frontends::aten

// Convolutions and pools, channels last in memory; what follows elementwise is done on each block of the result.
#include "kernels/conv.h"

#include <algorithm>
#include <cstring>

#include "executors/cpu_plan/resample.h"
#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

using kernels::Taps;
using kernels::Three;

// Spatial attributes of one to three axes, at the end of three.
Three three(const Ints& v, int64_t fill) {
  Three out{fill, fill, fill};
  std::copy(v.begin(), v.end(), out.begin() + static_cast<int64_t>(3 - v.size()));
  return out;
}

Three spatial(const Ints& shape) { return three(Ints(shape.begin() + 2, shape.end()), 1); }

std::vector<int> channels_last(size_t rank) {
  std::vector<int> axes{0};
  for (size_t i = 2; i < rank; ++i) axes.push_back(static_cast<int>(i));
  axes.push_back(1);
  return axes;
}

struct Geometry {
  kernels::Conv conv{};
  Ref x, bias, zeros, out;
  Layout layout;
};

// Fills in what the run knows only then.
kernels::Conv bound(const Geometry& g, const Run& run) {
  kernels::Conv c = g.conv;
  c.x = run.at<float>(g.x), c.bias = run.at<float>(g.bias), c.zeros = run.at<float>(g.zeros);
  c.y = run.at<float>(g.out);
  return c;
}

Taps window(const Attributes& a, const Three& kernel, const Three& out) {
  Taps t;
  const Three dilation = three(a.ints("dilation"), 1), low = three(a.ints("low"), 0);
  t.in_stride = three(a.ints("stride"), 1);
  t.points = out;
  for (int i = 0; i < 3; ++i) t.base[i] = -low[i];
  for (int64_t d = 0; d < kernel[0]; ++d)
    for (int64_t h = 0; h < kernel[1]; ++h)
      for (int64_t w = 0; w < kernel[2]; ++w) t.offsets.push_back({d * dilation[0], h * dilation[1], w * dilation[2]});
  if (dilation[2] == 1) t.run = kernel[2];
  return t;
}

// weight (F, C / groups, taps) as rows (tap, channel) of a product, for each group; taps in the order given.
template <class T>
Tensor pack_items(const Tensor& weight, int64_t filters, int64_t each, int64_t groups, const std::vector<int64_t>& taps,
                  int64_t all_taps, bool transposed) {
  const auto* from = reinterpret_cast<const T*>(weight.data);
  const auto count = static_cast<int64_t>(taps.size());
  const int64_t per_group = filters / groups, size = kernels::packed_size(count * each, per_group);
  Tensor out = Tensor::zeros(weight.dtype, {size * groups});
  std::vector<T> rows(static_cast<size_t>(count * each * per_group));
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t t = 0; t < count; ++t)
      for (int64_t c = 0; c < each; ++c)
        for (int64_t f = 0; f < per_group; ++f) {
          const int64_t row = transposed ? (g * each + c) * per_group + f : (g * per_group + f) * each + c;
          rows[static_cast<size_t>((t * each + c) * per_group + f)] =
              from[row * all_taps + taps[static_cast<size_t>(t)]];
        }
    kernels::pack(weight.dtype, rows.data(), per_group, 1, count * each, per_group,
                  reinterpret_cast<T*>(out.mutable_data()) + g * size);
  }
  return out;
}

Tensor pack_weight(const Tensor& weight, int64_t filters, int64_t each, int64_t groups,
                   const std::vector<int64_t>& taps, int64_t all_taps, bool transposed) {
  return (weight.dtype == DType::f32 ? pack_items<float> : pack_items<uint16_t>)(weight, filters, each, groups, taps,
                                                                                 all_taps, transposed);
}

Geometry geometry(Lowering& l, const ir::Node& node, int64_t groups) {
  Geometry g;
  const Ints in = l.shape(node.inputs[0]), out = l.shape(node.output());
  g.conv.batch = in[0], g.conv.channels = in[1], g.conv.filters = out[1], g.conv.groups = groups;
  g.conv.in = spatial(in), g.conv.out = spatial(out);
  g.x = l.ordered(node.inputs[0], channels_last(in.size())).ref();
  if (node.inputs.size() > 2 && node.inputs[2]) g.bias = l.row_major(node.inputs[2]).ref();
  g.layout = Layout::ordered(DType::f32, out, channels_last(out.size()));
  return g;
}

const Tensor* constant_weight(Lowering& l, const ir::Node& node, Tensor& held) {
  const Tensor* weight = l.constant(node.inputs[1]);
  if (!weight || !computes_in_float(weight->dtype)) return nullptr;
  held = weight->contiguous();
  return &held;
}

double flops(const Geometry& g, const Taps& t) {
  return 2.0 * static_cast<double>(g.conv.batch * t.points[0] * t.points[1] * t.points[2]) *
         static_cast<double>(g.conv.filters) * static_cast<double>(g.conv.channels / g.conv.groups) *
         static_cast<double>(t.offsets.size());
}

std::vector<Ref> touched(const Geometry& g, Ref weight, const std::optional<Finish>& finish) {
  std::vector<Ref> refs{g.x, weight, g.bias, g.zeros, g.out};
  if (finish) refs.insert(refs.end(), finish->leaves.begin(), finish->leaves.end());
  return refs;
}

kernels::Done finishing(const Finish::Bound& after, int64_t filters) {
  if (!after) return nullptr;
  return [&after, filters](int64_t first, int64_t last, int64_t left, int64_t right) {
    if (left == 0 && right == filters) return after(first * filters, last * filters);
    for (int64_t r = first; r < last; ++r) after(r * filters + left, r * filters + right);
  };
}

bool conv(Lowering& l, const ir::Node& node) {
  Tensor weight;
  if (!computes_in_float(node.output()->dtype()) || !constant_weight(l, node, weight)) return false;
  const Attributes a(node, l.env());
  Geometry g = geometry(l, node, a.integer("groups"));
  const Three kernel = spatial(weight.shape);
  Taps t = window(a, kernel, g.conv.out);
  const bool depthwise = g.conv.groups == g.conv.channels && g.conv.filters == g.conv.channels && g.conv.channels > 1;
  if (g.conv.groups > 1) t.run = 1;
  kernels::prepare(t, g.conv);
  const auto count = static_cast<int64_t>(t.offsets.size());
  const int64_t each = g.conv.channels / g.conv.groups;
  const Ref w = l.packed(node.inputs[1], depthwise ? "depthwise" : "conv", [&] {
    if (!depthwise) {
      std::vector<int64_t> taps;
      for (int64_t i = 0; i < count; ++i) taps.push_back(i);
      return pack_weight(weight, g.conv.filters, each, g.conv.groups, taps, count, false);
    }
    Tensor out = Tensor::zeros(DType::f32, {count, g.conv.channels});
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < g.conv.channels; ++c)
        reinterpret_cast<float*>(out.mutable_data())[i * g.conv.channels + c] =
            static_cast<float>(weight.number(c * count + i));
    return out;
  });
  g.zeros = l.constant_ref(Tensor::zeros(DType::f32, {t.run * g.conv.channels}));
  const DType type = weight.dtype;
  const auto finish = l.finish(node, g.layout);
  g.out = l.result(l.target(node), g.layout).ref();
  const bool pointwise = count == 1 && g.conv.groups == 1 && t.in_stride == Three{1, 1, 1} &&
                         t.base == Three{0, 0, 0} && g.conv.in == g.conv.out;
  const std::string name = depthwise ? "depthwise" : pointwise ? "conv 1x1" : "conv";
  l.emit(
      node, finish ? name + " + elementwise" : name, touched(g, w, finish),
      [=](const Run& run) {
        kernels::Conv c = bound(g, run);
        c.weight = {run.at<std::byte>(w), depthwise ? DType::f32 : type};
        const Finish::Bound after(finish ? &*finish : nullptr, run, c.y);
        const kernels::Done done = finishing(after, c.filters);
        if (pointwise) {
          const int64_t points = c.batch * c.in[0] * c.in[1] * c.in[2];
          return kernels::gemm({points, c.filters, c.channels, c.x, c.channels, c.weight, c.bias, c.y, c.filters},
                               run.pool, done);
        }
        depthwise ? kernels::depthwise_conv(c, t, run.pool, done) : kernels::conv(c, t, run.pool, done);
      },
      flops(g, t));
  return true;
}

// Output o of a transposed convolution reads input i through tap k where i * stride - low + k * dilation == o: the taps
// of an output depend on its phase, o mod stride. Each phase is a convolution of stride 1 with some of the taps.
bool conv_transpose(Lowering& l, const ir::Node& node) {
  Tensor weight;
  if (!computes_in_float(node.output()->dtype()) || !constant_weight(l, node, weight)) return false;
  const Attributes a(node, l.env());
  Geometry g = geometry(l, node, a.integer("groups"));
  const Three kernel = spatial(weight.shape), stride = three(a.ints("stride"), 1), low = three(a.ints("low"), 0);
  const Three dilation = three(a.ints("dilation"), 1);
  const int64_t each = g.conv.channels / g.conv.groups, all = kernel[0] * kernel[1] * kernel[2];
  std::vector<Taps> phases;
  std::vector<Ref> weights;
  for (int64_t phase = 0; phase < stride[0] * stride[1] * stride[2]; ++phase) {
    const Three p{phase / (stride[1] * stride[2]), phase / stride[2] % stride[1], phase % stride[2]};
    Taps t;
    t.out_stride = stride, t.out_base = p;
    for (int i = 0; i < 3; ++i) t.points[i] = std::max<int64_t>(0, (g.conv.out[i] - p[i] + stride[i] - 1) / stride[i]);
    std::vector<std::pair<Three, int64_t>> taps;
    for (int64_t k = 0; k < all; ++k) {
      const Three at{k / (kernel[1] * kernel[2]), k / kernel[2] % kernel[1], k % kernel[2]};
      Three offset;
      bool hits = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t from = p[i] + low[i] - at[i] * dilation[i];
        hits = hits && from % stride[i] == 0;
        offset[i] = from / stride[i];
      }
      if (hits) taps.emplace_back(offset, k);
    }
    if (t.points[0] * t.points[1] * t.points[2] == 0) continue;
    std::sort(taps.begin(), taps.end());
    std::vector<int64_t> order;
    for (const auto& [offset, k] : taps) t.offsets.push_back(offset), order.push_back(k);
    weights.push_back(l.packed(node.inputs[1], "conv_transpose " + std::to_string(phase), [&] {
      return pack_weight(weight, g.conv.filters, each, g.conv.groups, order, all, true);
    }));
    kernels::prepare(t, g.conv);
    phases.push_back(std::move(t));
  }
  g.zeros = l.constant_ref(Tensor::zeros(DType::f32, {g.conv.channels}));
  g.out = l.result(node.output(), g.layout).ref();
  std::vector<Ref> refs = touched(g, {}, std::nullopt);
  refs.insert(refs.end(), weights.begin(), weights.end());
  const DType type = weight.dtype;
  double work = 0;
  for (const Taps& t : phases) work += flops(g, t);
  l.emit(
      node, "conv_transpose", refs,
      [=](const Run& run) {
        kernels::Conv c = bound(g, run);
        for (size_t i = 0; i < phases.size(); ++i) {
          c.weight = {run.at<std::byte>(weights[i]), type};
          kernels::conv(c, phases[i], run.pool);
        }
      },
      work);
  return true;
}

bool pool(Lowering& l, const ir::Node& node, kernels::Pool kind) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Attributes a(node, l.env());
  Geometry g = geometry(l, node, 1);
  const Three kernel = three(a.ints("kernel"), 1);
  const Taps t = window(a, kernel, g.conv.out);
  Tensor scale;
  if (kind == kernels::Pool::sum) {
    // Pads count only where asked for, and never what ceil_mode adds behind them.
    const Three low = three(a.ints("low"), 0), high = three(a.ints("high"), 0), dilation = three(a.ints("dilation"), 1);
    const bool padding = a.flag("count_padding");
    const int64_t divisor = a.integer("divisor");
    scale = Tensor::zeros(DType::f32, {t.points[0], t.points[1], t.points[2]});
    for (int64_t i = 0; i < scale.size(); ++i) {
      const Three q{i / (t.points[1] * t.points[2]), i / t.points[2] % t.points[1], i % t.points[2]};
      int64_t count = 1;
      for (int axis = 0; axis < 3; ++axis) {
        int64_t here = 0;
        for (int64_t k = 0; k < kernel[axis]; ++k) {
          const int64_t at = q[axis] * t.in_stride[axis] - low[axis] + k * dilation[axis];
          here += padding ? at < g.conv.in[axis] + high[axis] : at >= 0 && at < g.conv.in[axis];
        }
        count *= here;
      }
      reinterpret_cast<float*>(scale.mutable_data())[i] = 1.0f / static_cast<float>(divisor ? divisor : count);
    }
  }
  const Ref factors = kind == kernels::Pool::sum ? l.constant_ref(scale) : Ref{};
  g.out = l.result(node.output(), g.layout).ref();
  l.emit(node, kind == kernels::Pool::max ? "max_pool" : "avg_pool", {g.x, factors, g.out},
         [=](const Run& run) { kernels::pool(bound(g, run), t, kind, run.at<float>(factors), run.pool); });
  return true;
}

// Means over uneven windows, axis by axis.
bool uneven_means(Lowering& l, const ir::Node& node) {
  const Ints in = l.shape(node.inputs[0]), out = l.shape(node.output());
  std::vector<AxisPass> passes;
  for (size_t axis = 2; axis < in.size(); ++axis) {
    if (in[axis] == out[axis]) continue;
    ops::ResizeTable table;
    table.count = static_cast<int>((in[axis] + out[axis] - 1) / out[axis]) + 1;
    for (int64_t i = 0; i < out[axis]; ++i) {
      const int64_t start = i * in[axis] / out[axis], stop = ((i + 1) * in[axis] + out[axis] - 1) / out[axis];
      for (int64_t k = start; k < start + table.count; ++k) {
        table.index.push_back(static_cast<int32_t>(std::min(k, stop - 1)));
        table.weight.push_back(k < stop ? 1.0f / static_cast<float>(stop - start) : 0.0f);
      }
    }
    passes.push_back({axis, out[axis], std::move(table)});
  }
  emit_passes(l, node, std::move(passes), "avg_pool");
  return true;
}

// Windows of one size, where the sizes divide; a mean where there is one window.
bool adaptive_avg_pool(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Ints in = l.shape(node.inputs[0]), out = l.shape(node.output());
  for (size_t i = 2; i < in.size(); ++i) {
    if (out[i] == 0) return false;
    if (in[i] % out[i] != 0) return uneven_means(l, node);
  }
  Geometry g = geometry(l, node, 1);
  Taps t;
  int64_t count = 1;
  for (int i = 0; i < 3; ++i) {
    t.in_stride[i] = g.conv.in[i] / g.conv.out[i];
    count *= t.in_stride[i];
  }
  t.points = g.conv.out;
  for (int64_t k = 0; k < count; ++k)
    t.offsets.push_back(
        {k / (t.in_stride[1] * t.in_stride[2]), k / t.in_stride[2] % t.in_stride[1], k % t.in_stride[2]});
  Tensor scale = Tensor::zeros(DType::f32, {t.points[0] * t.points[1] * t.points[2]});
  std::fill_n(reinterpret_cast<float*>(scale.mutable_data()), scale.size(), 1.0f / static_cast<float>(count));
  const Ref factors = l.constant_ref(scale);
  g.out = l.result(node.output(), g.layout).ref();
  l.emit(node, "avg_pool", {g.x, factors, g.out}, [=](const Run& run) {
    kernels::pool(bound(g, run), t, kernels::Pool::sum, run.at<float>(factors), run.pool);
  });
  return true;
}

bool max_pool(Lowering& l, const ir::Node& node) { return pool(l, node, kernels::Pool::max); }
bool avg_pool(Lowering& l, const ir::Node& node) { return pool(l, node, kernels::Pool::sum); }

}  // namespace

Rows conv_rows() {
  return {{"conv", conv},
          {"conv_transpose", conv_transpose},
          {"max_pool", max_pool},
          {"avg_pool", avg_pool},
          {"adaptive_avg_pool", adaptive_avg_pool}};
}

}  // namespace godwit::executors::plan

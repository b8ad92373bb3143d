// Gradients of the core operators: what a joint forward and backward program holds.
#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// The averaging of one axis as a matrix (outputs, inputs).
Tensor window_matrix(int64_t outputs, int64_t inputs,
                     const std::function<std::tuple<int64_t, int64_t, double>(int64_t)>& window) {
  std::vector<float> m(static_cast<size_t>(outputs * inputs), 0.0f);
  for (int64_t o = 0; o < outputs; ++o) {
    auto [first, last, count] = window(o);
    for (int64_t i = std::max<int64_t>(first, 0); i < std::min(last, inputs); ++i)
      m[static_cast<size_t>(o * inputs + i)] = static_cast<float>(1.0 / count);
  }
  return Tensor::of(DType::f32, {outputs, inputs}, m);
}

int64_t known(Context& c, const ir::Dim& d) {
  if (!d.is_known() || d.value() > 100000) c.unsupported("the spatial size must be known and small, it is {}", d.str());
  return d.value();
}

// grad_in = A^T grad B for the averaging matrices of both axes.
Values spread(Context& c, ir::Value* grad, const Tensor& rows, const Tensor& columns) {
  ir::Value* a = c.cast(c.op("transpose", {c.b.constant(rows)}, {{"axes", ir::Dims{1, 0}}}), grad->dtype());
  ir::Value* b = c.cast(c.b.constant(columns), grad->dtype());
  return {c.result(c.op("matmul", {c.op("matmul", {a, grad}), b}))};
}

Values adaptive_avg_pool2d_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_output"), *x = c.tensor("self");
  auto matrix = [&](int64_t from_end) {
    const int64_t n = known(c, x->shape().at(static_cast<size_t>(x->rank() - from_end)));
    const int64_t out = known(c, grad->shape().at(static_cast<size_t>(grad->rank() - from_end)));
    return window_matrix(out, n, [=](int64_t o) {
      const int64_t first = o * n / out, last = ((o + 1) * n + out - 1) / out;
      return std::tuple(first, last, static_cast<double>(last - first));
    });
  };
  return spread(c, grad, matrix(2), matrix(1));
}

Values avg_pool2d_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_output"), *x = c.tensor("self");
  const auto kernel = c.numbers("kernel_size", 2), padding = c.numbers("padding", 2);
  const auto stride = c.dims("stride").empty() ? kernel : c.numbers("stride", 2);
  const bool with_padding = c.flag("count_include_pad");
  const double divisor = c.has("divisor_override") ? c.real("divisor_override") : 0;
  auto matrix = [&](size_t axis) {
    const int64_t n = known(c, x->shape().at(x->shape().size() - 2 + axis)),
                  out = known(c, grad->shape().at(grad->shape().size() - 2 + axis));
    return window_matrix(out, n, [=](int64_t o) {
      int64_t first = o * stride[axis] - padding[axis], last = std::min(first + kernel[axis], n + padding[axis]);
      double count = static_cast<double>(last - first);
      if (!with_padding) count = static_cast<double>(std::min(last, n) - std::max<int64_t>(first, 0));
      if (divisor != 0) count = axis == 0 ? divisor : 1;
      return std::tuple(first, last, count);
    });
  };
  return spread(c, grad, matrix(0), matrix(1));
}

Values max_pool2d_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_output"), *x = c.tensor("self"), *at = c.tensor("indices");
  auto flat = [&](ir::Value* v) {
    ir::Dims shape(v->shape().begin(), v->shape().end() - 2);
    shape.push_back(v->shape()[v->shape().size() - 2] * v->shape().back());
    return c.b.reshape(v, shape);
  };
  ir::Value* zeros = flat(c.op("full", {c.scalar_like(grad, 0)}, {{"shape", x->shape()}}));
  ir::Value* y =
      c.op("scatter", {zeros, flat(at), flat(grad)}, {{"axis", zeros->rank() - 1}, {"reduction", std::string("add")}});
  return {c.result(c.b.reshape(y, x->shape()))};
}

// --- convolution
// ------------------------------------------------------------------------------------------------------
struct ConvFrame {
  ir::Dims stride, padding, dilation;
  int64_t groups;
};

ir::Value* swapped(Context& c, ir::Value* v) {  // axes 0 and 1
  ir::Dims axes = {1, 0};
  for (int64_t i = 2; i < v->rank(); ++i) axes.push_back(i);
  return c.op("transpose", {v}, {{"axes", axes}});
}

ir::Value* channels(Context& c, ir::Value* v, int64_t group, const ir::Dim& count) {
  return c.op("slice", {v},
              {{"axes", ir::Dims{1}},
               {"starts", ir::Dims{count * ir::Dim(group)}},
               {"stops", ir::Dims{count * ir::Dim(group + 1)}}});
}

// Correlates `image` (N, C, ...) with `kernel` (N, O, ...) over batch and space: (O, C/groups, k...). Where a stride
// left trailing pixels unused the result is longer than the kernel and is cut.
ir::Value* weight_gradient(Context& c, ir::Value* image, ir::Value* kernel, const ConvFrame& f,
                           const ir::Shape& weight) {
  std::vector<ir::Value*> parts;
  const ir::Dim in = floordiv(image->shape()[1], f.groups), out = floordiv(kernel->shape()[1], f.groups);
  ir::Dims axes, zeros, size;
  for (size_t i = 2; i < weight.size(); ++i)
    axes.push_back(static_cast<int64_t>(i)), zeros.push_back(0), size.push_back(weight[i]);
  for (int64_t g = 0; g < f.groups; ++g) {
    ir::Value* y = c.op("conv", {swapped(c, channels(c, image, g, in)), swapped(c, channels(c, kernel, g, out))},
                        {{"stride", f.dilation}, {"low", f.padding}, {"high", f.padding}, {"dilation", f.stride}});
    y = c.op("slice", {y}, {{"axes", axes}, {"starts", zeros}, {"stops", size}});
    parts.push_back(swapped(c, y));
  }
  return parts.size() == 1 ? parts[0] : c.op("concat", parts, {{"axis", 0}});
}

ir::Value* input_gradient(Context& c, ir::Value* grad, ir::Value* weight, const ConvFrame& f, const ir::Shape& input) {
  ir::Dims extra;
  for (size_t i = 0; i < f.stride.size(); ++i) {
    const ir::Dim reach = (grad->shape()[i + 2] - ir::Dim(1)) * f.stride[i] - f.padding[i] * ir::Dim(2) +
                          f.dilation[i] * (weight->shape()[i + 2] - ir::Dim(1)) + ir::Dim(1);
    extra.push_back(input[i + 2] - reach);
  }
  return c.op("conv_transpose", {grad, weight},
              {{"stride", f.stride},
               {"low", f.padding},
               {"high", f.padding},
               {"output_padding", extra},
               {"dilation", f.dilation},
               {"groups", f.groups}});
}

Values convolution_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_output"), *x = c.tensor("input"), *weight = c.tensor("weight");
  const size_t n = static_cast<size_t>(weight->rank() - 2);
  const ConvFrame f{c.dims("stride", n), c.dims("padding", n), c.dims("dilation", n), c.number("groups")};
  const std::vector<bool> wanted = c.flags("output_mask");
  const bool transposed = c.flag("transposed");
  Values out(3);
  if (wanted.at(0)) {
    ir::Attrs attrs = {
        {"stride", f.stride}, {"low", f.padding}, {"high", f.padding}, {"dilation", f.dilation}, {"groups", f.groups}};
    out[0] =
        c.result(transposed ? c.op("conv", {grad, weight}, attrs) : input_gradient(c, grad, weight, f, x->shape()));
  }
  if (wanted.at(1))
    out[1] = c.result(transposed ? weight_gradient(c, grad, x, f, weight->shape())
                                 : weight_gradient(c, x, grad, f, weight->shape()));
  if (wanted.at(2)) {
    ir::Dims axes = {0};
    for (int64_t i = 2; i < grad->rank(); ++i) axes.push_back(i);
    out[2] = c.result(c.op("sum", {grad}, {{"axes", axes}}));
  }
  return out;
}

// --- normalisation: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)) over the normalised part
// ------------------------
// The terms nearly cancel where few elements are normalised: in float64, or the result would be float32's rounding.
struct Normalised {
  ir::Value *xhat, *rstd;  // in float64
};

ir::Value* wide(Context& c, ir::Value* v) { return c.cast(v, DType::f64); }

Normalised normalised(Context& c, ir::Value* x, ir::Value* mean, ir::Value* rstd) {
  ir::Value* scale = wide(c, rstd);
  return {c.op("multiply", {c.op("subtract", {wide(c, x), wide(c, mean)}), scale}), scale};
}

ir::Value* normalised_gradient(Context& c, ir::Value* g, const Normalised& n, const ir::Dims& axes) {
  auto mean = [&](ir::Value* v) { return c.op("mean", {v}, {{"axes", axes}, {"keepdims", true}}); };
  ir::Value* centred = c.op("subtract", {g, mean(g)});
  ir::Value* y = c.op("subtract", {centred, c.op("multiply", {n.xhat, mean(c.op("multiply", {g, n.xhat}))})});
  return c.op("multiply", {y, n.rstd});
}

Values layer_norm_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_out"), *x = c.tensor("input"), *mean = c.tensor("mean"), *rstd = c.tensor("rstd");
  const std::vector<bool> wanted = c.flags("output_mask");
  const int64_t count = static_cast<int64_t>(c.get("normalized_shape").items()->size());
  ir::Dims inner, outer;
  for (int64_t i = 0; i < x->rank(); ++i) (i < x->rank() - count ? outer : inner).push_back(i);
  const Normalised n = normalised(c, x, mean, rstd);
  ir::Value* g = wide(c, grad);
  Values out(3);
  if (wanted.at(0)) {
    ir::Value* scaled = c.has("weight") ? c.op("multiply", {g, wide(c, c.tensor("weight"))}) : g;
    out[0] = c.result(c.cast(normalised_gradient(c, scaled, n, inner), x->dtype()));
  }
  auto over_batch = [&](ir::Value* v) { return c.result(c.cast(c.op("sum", {v}, {{"axes", outer}}), x->dtype())); };
  if (wanted.at(1) && c.has("weight")) out[1] = over_batch(c.op("multiply", {g, n.xhat}));
  if (wanted.at(2) && c.has("bias")) out[2] = over_batch(g);
  return out;
}

Values group_norm_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_out"), *x = c.tensor("input");
  const std::vector<bool> wanted = c.flags("output_mask");
  const ir::Dim n = c.integer("N"), channels = c.integer("C"), hxw = c.integer("HxW"), groups = c.integer("group");
  const ir::Dims grouped = {n, groups, floordiv(channels, groups), hxw};
  auto stats = [&](const char* name) { return c.b.reshape(c.tensor(name), {n, groups, 1, 1}); };
  const Normalised part = normalised(c, c.b.reshape(x, grouped), stats("mean"), stats("rstd"));
  ir::Value* g = wide(c, c.b.reshape(grad, grouped));
  Values out(3);
  if (wanted.at(0)) {
    ir::Value* scaled = g;
    if (c.has("weight")) {
      ir::Value* weight = c.b.reshape(c.tensor("weight"), {1, groups, floordiv(channels, groups), 1});
      scaled = c.op("multiply", {g, wide(c, weight)});
    }
    ir::Value* dx = c.cast(normalised_gradient(c, scaled, part, {2, 3}), x->dtype());
    out[0] = c.result(c.b.reshape(dx, x->shape()));
  }
  auto by_channel = [&](ir::Value* v) {
    return c.result(c.b.reshape(c.cast(c.op("sum", {v}, {{"axes", ir::Dims{0, 3}}}), x->dtype()), {channels}));
  };
  if (wanted.at(1)) out[1] = by_channel(c.op("multiply", {g, part.xhat}));
  if (wanted.at(2)) out[2] = by_channel(g);
  return out;
}

// --- embeddings
// -------------------------------------------------------------------------------------------------------
ir::Value* flat(Context& c, ir::Value* v) { return c.b.reshape(v, {ir::product(v->shape())}); }

ir::Value* counted(Context& c, ir::Value* at, const ir::Dim& count, DType dtype) {
  ir::Value* zeros = c.op("full", {c.scalar(dtype, 0)}, {{"shape", ir::Dims{count}}});
  ir::Value* ones = c.op("full", {c.scalar(dtype, 1)}, {{"shape", at->shape()}});
  return c.op("scatter", {zeros, at, ones}, {{"axis", 0}, {"reduction", std::string("add")}});
}

Values embedding_dense_backward(Context& c) {
  ir::Value *grad = c.tensor("grad_output"), *at = flat(c, c.cast(c.tensor("indices"), DType::i64));
  const ir::Dim rows = c.integer("num_weights"), width = grad->shape().back(), count = at->shape()[0];
  ir::Value* g = c.b.reshape(grad, {count, width});
  ir::Value* column = c.b.reshape(at, {count, 1});
  if (c.flag("scale_grad_by_freq")) {
    ir::Value* times = c.op("take", {counted(c, at, rows, g->dtype()), at}, {{"axis", 0}});
    g = c.op("divide", {g, c.b.reshape(times, {count, 1})});
  }
  ir::Value* padding = c.op("equal", {column, c.scalar(DType::i64, c.real("padding_idx"))});
  g = c.op("where", {padding, c.scalar_like(g, 0), g});
  ir::Value* zeros = c.op("full", {c.scalar_like(g, 0)}, {{"shape", ir::Dims{rows, width}}});
  return {c.result(c.op("index_put", {zeros, g, at}, {{"axes", ir::Dims{0}}, {"accumulate", true}}))};
}

// Bags of rows of a table: sum (0), mean (1) or max (2) of the rows that each bag lists.
Values embedding_bag(Context& c) {
  ir::Value *weight = c.tensor("weight"), *at = c.cast(c.tensor("indices"), DType::i64),
            *offsets = c.cast(c.tensor("offsets"), DType::i64);
  const int64_t mode = c.number("mode");
  const bool last = c.flag("include_last_offset");
  const ir::Dim bags = offsets->shape().at(0) - ir::Dim(last ? 1 : 0), count = at->shape().at(0),
                width = weight->shape().back();
  ir::Value* starts =
      last ? c.op("slice", {offsets}, {{"axes", ir::Dims{0}}, {"starts", ir::Dims{0}}, {"stops", ir::Dims{bags}}})
           : offsets;
  ir::Value* places = c.op("arange", {}, {{"start", 0}, {"count", count}, {"dtype", DType::i64}});
  ir::Value* bag =
      c.op("subtract", {c.op("searchsorted", {starts, places}, {{"right", true}}), c.scalar(DType::i64, 1)});
  ir::Value* rows = c.op("take", {weight, at}, {{"axis", 0}});
  if (c.has("per_sample_weights"))
    rows = c.op("multiply", {rows, c.b.reshape(c.tensor("per_sample_weights"), {count, 1})});
  ir::Value* skipped = c.op("equal", {at, c.scalar(DType::i64, c.real("padding_idx"))});
  const double neutral = mode == 2 ? -INFINITY : 0;
  rows = c.op("where", {c.b.reshape(skipped, {count, 1}), c.scalar_like(rows, neutral), rows});
  ir::Value* base = c.op("full", {c.scalar_like(rows, neutral)}, {{"shape", ir::Dims{bags, width}}});
  ir::Value* column = c.op("broadcast", {c.b.reshape(bag, {count, 1})}, {{"shape", ir::Dims{count, width}}});
  ir::Value* y =
      c.op("scatter", {base, column, rows}, {{"axis", 0}, {"reduction", std::string(mode == 2 ? "max" : "add")}});
  ir::Value* zeros = c.op("full", {c.scalar(DType::i64, 0)}, {{"shape", ir::Dims{bags}}});
  ir::Value* used = c.cast(c.op("logical_not", {skipped}), DType::i64);
  ir::Value* sizes = c.op("scatter", {zeros, bag, used}, {{"axis", 0}, {"reduction", std::string("add")}});
  if (mode == 1) {
    ir::Value* divisor = c.op("maximum", {c.cast(sizes, y->dtype()), c.scalar_like(y, 1)});
    y = c.op("divide", {y, c.b.reshape(divisor, {bags, 1})});
  }
  if (mode == 2) y = c.op("where", {c.op("equal", {y, c.scalar_like(y, neutral)}), c.scalar_like(y, 0), y});
  Values out = {c.result(y)};
  if (c.schema.returns.size() == 1) return out;
  if (mode == 0) sizes = zeros;  // sums need no sizes, PyTorch does not count them
  // The other results serve the backward pass; PyTorch leaves some of them empty: the bags where its quick way of
  // summing does not need them.
  const bool is_quick = mode == 0 && c.real("padding_idx") < 0 && weight->dtype() != DType::f64;
  auto is_empty = [&](size_t i) {
    return c.expected(i) ? ir::product(*c.expected(i)->shape).is(0) : i == 1 && is_quick;
  };
  Value nothing = c.result(c.b.constant(Tensor::zeros(DType::i64, {0})));
  out.push_back(is_empty(1) ? nothing : c.result(bag));
  out.push_back(is_empty(2) ? nothing : c.result(sizes));
  if (mode != 2) {
    out.push_back(is_empty(3) ? nothing : c.result(sizes));
    return out;
  }
  // Which row gave the maximum, element by element.
  ir::Value* winner = c.op("equal", {rows, c.op("take", {y, bag}, {{"axis", 0}})});
  ir::Value* source =
      c.op("where", {winner, c.op("broadcast", {c.b.reshape(at, {count, 1})}, {{"shape", ir::Dims{count, width}}}),
                     c.scalar(DType::i64, -1)});
  ir::Value* none = c.op("full", {c.scalar(DType::i64, -1)}, {{"shape", ir::Dims{bags, width}}});
  ir::Value* which = c.op("scatter", {none, column, source}, {{"axis", 0}, {"reduction", std::string("max")}});
  out.push_back(c.result(c.op("maximum", {which, c.scalar(DType::i64, 0)})));
  return out;
}

}  // namespace

Rows backward_rows() {
  return {
      {"_adaptive_avg_pool2d_backward", adaptive_avg_pool2d_backward},
      {"avg_pool2d_backward", avg_pool2d_backward},
      {"max_pool2d_with_indices_backward", max_pool2d_backward},
      {"convolution_backward", convolution_backward},
      {"native_layer_norm_backward", layer_norm_backward},
      {"native_group_norm_backward", group_norm_backward},
      {"embedding_dense_backward", embedding_dense_backward},
      {"_embedding_bag", embedding_bag},
      {"_embedding_bag_forward_only", embedding_bag},
      {"embedding_bag", embedding_bag},
  };
}

}  // namespace godwit::frontends::aten

// Pooling.
#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// Pools over the last n axes of x, which may lack the batch axis.
std::vector<ir::Value*> pooled(Context& c, ir::Value* x, int64_t n, const char* op, ir::Attrs attrs) {
  const bool missing = x->rank() == n + 1;
  if (missing) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  if (x->rank() != n + 2) c.fail("input {} for pooling over {} axes", ir::str(x->type), n);
  auto outputs = c.b.ops(op, {x}, std::move(attrs));
  if (missing)
    for (ir::Value*& y : outputs) y = c.op("squeeze", {y}, {{"axes", ir::Dims{0}}});
  return outputs;
}

ir::Dims stride_or_kernel(Context& c, const ir::Dims& kernel) {
  ir::Dims stride = c.has("stride") ? c.dims("stride") : ir::Dims{};
  if (stride.size() == 1) stride.assign(kernel.size(), ir::Dim(stride[0]));
  return stride.empty() ? kernel : stride;
}

Translator max_pool(int64_t n, bool indices) {
  return [=](Context& c) -> Values {
    const size_t count = static_cast<size_t>(n);
    const ir::Dims kernel = c.dims("kernel_size", count), pad = c.dims("padding", count);
    ir::Attrs attrs = {{"kernel", kernel}, {"stride", stride_or_kernel(c, kernel)}, {"low", pad},
                       {"high", pad},      {"dilation", c.dims("dilation", count)}, {"ceil_mode", c.flag("ceil_mode")}};
    return c.results(pooled(c, c.tensor("self"), n, indices ? "max_pool_indices" : "max_pool", std::move(attrs)));
  };
}

Translator avg_pool(int64_t n) {
  return [=](Context& c) -> Values {
    const size_t count = static_cast<size_t>(n);
    const ir::Dims kernel = c.dims("kernel_size", count), pad = c.dims("padding", count);
    ir::Attrs attrs = {
        {"kernel", kernel}, {"stride", stride_or_kernel(c, kernel)}, {"low", pad},
        {"high", pad},      {"ceil_mode", c.flag("ceil_mode")},      {"count_padding", c.flag("count_include_pad")}};
    attrs["dilation"] = ir::Dims(count, ir::Dim(1));
    if (c.has("divisor_override")) attrs["divisor"] = c.integer("divisor_override");
    ir::Value* x = c.tensor("self");
    if (is_float(x->dtype())) return c.results(pooled(c, x, n, "avg_pool", std::move(attrs)));
    // Integers: the quotient is truncated. It is a multiple of 1/volume, so half of that is a safe margin.
    double volume = 2;
    for (const ir::Dim& k : kernel) volume *= static_cast<double>(k.value());
    ir::Value* mean = pooled(c, c.cast(x, DType::f32), n, "avg_pool", std::move(attrs))[0];
    ir::Value* nudged = c.op("add", {mean, c.op("multiply", {c.op("sign", {mean}), c.scalar(DType::f32, 1 / volume)})});
    return {c.result(c.cast(c.op("trunc", {nudged}), x->dtype()))};
  };
}

// A size of None keeps the input's.
ir::Dims output_size(Context& c, ir::Value* x, int64_t n) {
  ir::Dims size = c.dims("output_size", static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    if (size[static_cast<size_t>(i)].is(-1))
      size[static_cast<size_t>(i)] = x->shape().at(static_cast<size_t>(x->rank() - n + i));
  return size;
}

Translator adaptive(int64_t n, const char* op) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    const ir::Dims size = output_size(c, x, n);
    const bool global = std::all_of(size.begin(), size.end(), [](const ir::Dim& d) { return d.is(1); });
    if (global && std::string_view(op) == "adaptive_avg_pool") {
      ir::Dims axes;
      for (int64_t i = 0; i < n; ++i) axes.push_back(x->rank() - n + i);
      return {c.result(c.op("mean", {x}, {{"axes", axes}, {"keepdims", true}}))};
    }
    return c.results(pooled(c, x, n, op, {{"size", size}}));
  };
}

}  // namespace

Rows pool_rows() {
  return {
      {"max_pool1d", max_pool(1, false)},
      {"max_pool2d", max_pool(2, false)},
      {"max_pool3d", max_pool(3, false)},
      {"max_pool1d_with_indices", max_pool(1, true)},
      {"max_pool2d_with_indices", max_pool(2, true)},
      {"max_pool3d_with_indices", max_pool(3, true)},
      {"avg_pool1d", avg_pool(1)},
      {"avg_pool2d", avg_pool(2)},
      {"avg_pool3d", avg_pool(3)},
      {"adaptive_avg_pool1d", adaptive(1, "adaptive_avg_pool")},
      {"adaptive_avg_pool2d", adaptive(2, "adaptive_avg_pool")},
      {"_adaptive_avg_pool2d", adaptive(2, "adaptive_avg_pool")},
      {"adaptive_avg_pool3d", adaptive(3, "adaptive_avg_pool")},
      {"_adaptive_avg_pool3d", adaptive(3, "adaptive_avg_pool")},
      {"adaptive_max_pool1d", adaptive(1, "adaptive_max_pool")},
      {"adaptive_max_pool2d", adaptive(2, "adaptive_max_pool")},
      {"adaptive_max_pool3d", adaptive(3, "adaptive_max_pool")},
  };
}

}  // namespace godwit::frontends::aten

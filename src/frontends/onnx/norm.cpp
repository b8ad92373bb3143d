// Normalisation.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

std::vector<int64_t> from_axis(int64_t axis, int64_t rank) {
  std::vector<int64_t> out;
  for (int64_t i = axis; i < rank; ++i) out.push_back(i);
  return out;
}

Value* inverse_root(Call& c, Value* variance, double eps) { return c.op("rsqrt", {add(c, variance, eps)}); }

bool fits_tail(const Value* weight, const Value* x, int64_t axis) {
  const ir::Shape tail(x->shape().begin() + axis, x->shape().end());
  return !weight || weight->shape() == tail;
}

Values layer_norm(Call& c) {
  Value *x = c.in(0), *weight = c.in(1), *bias = c.maybe(2);
  const int64_t axis = c.axis(c.integer("axis", -1), x->rank());
  const double eps = c.real("epsilon", 1e-5);
  const auto axes = from_axis(axis, x->rank());
  Value *mean = nullptr, *inverse = nullptr;
  if (c.wants(1) || c.wants(2)) {
    Value* wide = c.cast(x, c.dtype_attribute("stash_type", DType::f32));
    mean = reduce(c, "mean", wide, axes, true);
    Value* variance = c.op("variance", {wide}, {{"axes", to_dims(axes)}, {"keepdims", true}, {"correction", 0.0}});
    inverse = inverse_root(c, variance, eps);
  }
  const bool plain = fits_tail(weight, x, axis) && fits_tail(bias, x, axis);
  Value* y = c.op("layer_norm", {x, plain ? weight : nullptr, plain ? bias : nullptr},
                  {{"axes_count", ir::Dim(x->rank() - axis)}, {"eps", eps}});
  if (!plain) {
    y = multiply(c, y, weight);
    if (bias) y = add(c, y, bias);
  }
  return {y, mean, inverse};
}

Values rms_norm(Call& c) {
  Value *x = c.in(0), *weight = c.in(1);
  const int64_t axis = c.axis(c.integer("axis", -1), x->rank());
  const bool plain = fits_tail(weight, x, axis) && weight->dtype() == x->dtype();
  Value* y = c.op("rms_norm", {x, plain ? weight : nullptr},
                  {{"axes_count", ir::Dim(x->rank() - axis)}, {"eps", c.real("epsilon", 1e-5)}});
  return {plain ? y : multiply(c, c.cast(y, weight->dtype()), weight)};
}

Values instance_norm(Call& c) {
  Value* x = c.in(0);
  return {c.op("group_norm", {x, c.in(1), c.in(2)}, {{"groups", c.shape(x, 2)[1]}, {"eps", c.real("epsilon", 1e-5)}})};
}

Values group_norm(Call& c) {
  Value *x = c.in(0), *weight = c.in(1), *bias = c.in(2);
  const int64_t groups = c.integer("num_groups", 0);
  if (groups <= 0) c.fail("num_groups is {}", groups);
  if (c.opset < 21) {  // one scale and one bias per group
    const ir::Dim share = floordiv(c.shape(x, 2)[1], groups);
    auto spread = [&](Value* v) { return c.op("repeat", {v}, {{"count", share}, {"axis", ir::Dim(0)}}); };
    weight = spread(weight), bias = spread(bias);
  }
  return {c.op("group_norm", {x, weight, bias}, {{"groups", ir::Dim(groups)}, {"eps", c.real("epsilon", 1e-5)}})};
}

Values batch_norm(Call& c) {
  Value *x = c.in(0), *weight = c.in(1), *bias = c.in(2), *mean = c.in(3), *variance = c.in(4);
  const double eps = c.real("epsilon", 1e-5);
  if (!c.flag("spatial", true)) c.fail("statistics per element (spatial=0) are not supported");
  auto normalised = [&](Value* m, Value* v) {
    auto wide = [&](Value* value) { return c.cast(value, x->dtype()); };
    return c.op("batch_norm", {x, wide(weight), wide(bias), wide(m), wide(v)}, {{"eps", eps}});
  };
  if (!c.flag("training_mode")) return {normalised(mean, variance)};
  std::vector<int64_t> axes{0};
  for (int64_t i = 2; i < x->rank(); ++i) axes.push_back(i);
  Value* wide = as_wide(c, x);
  Value* batch_mean = reduce(c, "mean", wide, axes, false);
  Value* batch_variance = c.op("variance", {wide}, {{"axes", to_dims(axes)}, {"correction", 0.0}});
  const double momentum = c.real("momentum", 0.9);
  auto blend = [&](Value* running, Value* now) {
    return add(c, multiply(c, running, momentum), multiply(c, c.cast(now, running->dtype()), 1.0 - momentum));
  };
  return {normalised(batch_mean, batch_variance), blend(mean, batch_mean), blend(variance, batch_variance)};
}

Values lrn(Call& c) {
  return {c.op("local_response_norm", {c.in(0)},
               {{"size", ir::Dim(c.integer("size", 1))},
                {"alpha", c.real("alpha", 1e-4)},
                {"beta", c.real("beta", 0.75)},
                {"bias", c.real("bias", 1.0)}})};
}

Values lp_norm(Call& c) {
  Value* x = c.in(0);
  const std::vector<int64_t> axes{c.axis(c.integer("axis", -1), x->rank())};
  Value* norm = c.op("norm", {as_wide(c, x)},
                     {{"axes", to_dims(axes)}, {"keepdims", true}, {"order", static_cast<double>(c.integer("p", 2))}});
  Value* zero = c.op("equal", {norm, c.scalar(0, norm)});  // a zero vector stays one
  return {divide(c, x, c.cast(c.op("where", {zero, c.scalar(1, norm), norm}), x->dtype()))};
}

Values mean_variance(Call& c) {
  Value* x = c.in(0);
  std::vector<int64_t> axes = c.integers("axes", {0, 2, 3});
  for (int64_t& a : axes) a = c.axis(a, x->rank());
  Value* centred = subtract(c, x, reduce(c, "mean", x, axes, true));
  Value* deviation = c.op("sqrt", {reduce(c, "mean", c.op("square", {centred}), axes, true)});
  return {divide(c, centred, add(c, deviation, 1e-9))};
}

}  // namespace

Rows norm_rows() {
  return {{"LayerNormalization", layer_norm},
          {"RMSNormalization", rms_norm},
          {"SimplifiedLayerNormalization", rms_norm},
          {"InstanceNormalization", instance_norm},
          {"GroupNormalization", group_norm},
          {"BatchNormalization", batch_norm},
          {"LRN", lrn},
          {"LpNormalization", lp_norm},
          {"MeanVarianceNormalization", mean_variance}};
}

}  // namespace godwit::frontends::onnx

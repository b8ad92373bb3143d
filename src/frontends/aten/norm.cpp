// Normalisation.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

ir::Dims all_but(int64_t rank, int64_t kept) {
  ir::Dims axes;
  for (int64_t i = 0; i < rank; ++i)
    if (i != kept) axes.push_back(i);
  return axes;
}

ir::Value* mean_over(Context& c, ir::Value* x, const ir::Dims& axes, bool keep) {
  return c.op("mean", {x}, {{"axes", axes}, {"keepdims", keep}});
}
ir::Value* variance_over(Context& c, ir::Value* x, const ir::Dims& axes, bool keep, double correction = 0.0) {
  return c.op("variance", {x}, {{"axes", axes}, {"keepdims", keep}, {"correction", correction}});
}
ir::Value* inverse_deviation(Context& c, ir::Value* variance, double eps) {
  return c.op("rsqrt", {c.op("add", {variance, c.scalar_like(variance, eps)})});
}

// Parameters may be float32 beside a half input: the result has the input's type.
ir::Value* batch_norm_op(Context& c, ir::Value* x, ir::Value* mean, ir::Value* variance) {
  ir::Value *weight = c.tensor_or_null("weight"), *bias = c.tensor_or_null("bias");
  return c.op("batch_norm", {x, weight, bias, mean, variance}, {{"eps", c.real("eps")}});
}

// running = running * (1 - momentum) + momentum * batch
ir::Value* blended(Context& c, ir::Value* running, ir::Value* batch, double momentum) {
  ir::Value* kept = c.op("multiply", {running, c.scalar_like(running, 1 - momentum)});
  return c.op("add", {kept, c.op("multiply", {c.cast(batch, running->dtype()), c.scalar_like(running, momentum)})});
}

struct BatchStatistics {
  ir::Value *mean, *variance, *running_mean = nullptr, *running_variance = nullptr;
};

BatchStatistics statistics(Context& c, ir::Value* x) {
  const ir::Dims axes = all_but(x->rank(), 1);
  BatchStatistics s{mean_over(c, x, axes, false), variance_over(c, x, axes, false)};
  if (c.has("running_mean")) {
    const double momentum = c.real("momentum");
    s.running_mean = blended(c, c.tensor("running_mean"), s.mean, momentum);
    s.running_variance = blended(c, c.tensor("running_var"), variance_over(c, x, axes, false, 1.0), momentum);
  }
  return s;
}

Values batch_norm(Context& c) {
  ir::Value* x = c.tensor("input");
  if (!c.flag("training")) return {c.result(batch_norm_op(c, x, c.tensor("running_mean"), c.tensor("running_var")))};
  BatchStatistics s = statistics(c, x);
  if (s.running_mean) {  // training writes the running statistics without any mark in the graph
    c.ref("running_mean").write(s.running_mean);
    c.ref("running_var").write(s.running_variance);
  }
  return {c.result(batch_norm_op(c, x, s.mean, s.variance))};
}

// The statistics that only training has: empty, in the type of the parameters.
Value empty(Context& c, size_t i) {
  const DType dtype = c.expected(i) ? c.expected(i)->dtype : c.tensor(c.has("weight") ? "weight" : "input")->dtype();
  return c.result(c.b.constant(Tensor::zeros(dtype, {0})));
}

Values native_batch_norm_eval(Context& c) {
  ir::Value* x = c.tensor("input");
  return {c.result(batch_norm_op(c, x, c.tensor("running_mean"), c.tensor("running_var"))), empty(c, 1), empty(c, 2)};
}

// (output, batch mean, batch inverse deviation) and, for the functional form, the new running statistics.
Values native_batch_norm_legit(Context& c) {
  ir::Value* x = c.tensor("input");
  const bool functional = c.schema.returns.size() == 5;
  if (!c.flag("training")) {
    Values out = {c.result(batch_norm_op(c, x, c.tensor("running_mean"), c.tensor("running_var"))), empty(c, 1),
                  empty(c, 2)};
    if (functional) out.insert(out.end(), {c.ref("running_mean"), c.ref("running_var")});
    return out;
  }
  BatchStatistics s = statistics(c, x);
  Values out = {c.result(batch_norm_op(c, x, s.mean, s.variance)), c.result(s.mean),
                c.result(inverse_deviation(c, s.variance, c.real("eps")))};
  if (functional)
    out.insert(out.end(), {c.result(s.running_mean), c.result(s.running_variance)});
  else if (s.running_mean)
    c.ref("running_mean").write(s.running_mean), c.ref("running_var").write(s.running_variance);
  return out;
}

Values layer_norm(Context& c) {
  const int64_t axes = static_cast<int64_t>(c.get("normalized_shape").items()->size());
  return {c.result(c.op("layer_norm", {c.tensor("input"), c.tensor_or_null("weight"), c.tensor_or_null("bias")},
                        {{"axes_count", axes}, {"eps", c.real("eps")}}))};
}

Values native_layer_norm(Context& c) {
  Values out = layer_norm(c);
  ir::Value* x = c.tensor("input");
  ir::Dims axes;
  const int64_t count = static_cast<int64_t>(c.get("normalized_shape").items()->size());
  for (int64_t i = x->rank() - count; i < x->rank(); ++i) axes.push_back(i);
  // Statistics are kept in float32 for half inputs.
  if (x->dtype() == DType::f16 || x->dtype() == DType::bf16) {
    ir::Value* wide = c.cast(x, DType::f32);
    out.push_back(c.result(c.cast(mean_over(c, wide, axes, true), c.expected(1) ? c.expected(1)->dtype : x->dtype())));
    out.push_back(c.result(c.cast(inverse_deviation(c, variance_over(c, wide, axes, true), c.real("eps")),
                                  c.expected(2) ? c.expected(2)->dtype : x->dtype())));
    return out;
  }
  out.push_back(c.result(mean_over(c, x, axes, true)));
  out.push_back(c.result(inverse_deviation(c, variance_over(c, x, axes, true), c.real("eps"))));
  return out;
}

double epsilon_of(DType dtype) {
  switch (dtype) {
    case DType::f16: return 0.0009765625;
    case DType::bf16: return 0.0078125;
    case DType::f64: return 2.220446049250313e-16;
    default: return 1.1920928955078125e-07;
  }
}

Values rms_norm(Context& c) {
  ir::Value* x = c.tensor("input");
  const int64_t axes = static_cast<int64_t>(c.get("normalized_shape").items()->size());
  return {c.result(c.op("rms_norm", {x, c.tensor_or_null("weight")},
                        {{"axes_count", axes}, {"eps", c.real("eps", epsilon_of(x->dtype()))}}))};
}

Values fused_rms_norm(Context& c) {
  Values out = rms_norm(c);
  ir::Value* x = c.tensor("input");
  const int64_t count = static_cast<int64_t>(c.get("normalized_shape").items()->size());
  ir::Dims axes;
  for (int64_t i = x->rank() - count; i < x->rank(); ++i) axes.push_back(i);
  ir::Value* wide = c.cast(x, x->dtype() == DType::f64 ? DType::f64 : DType::f32);
  ir::Value* r =
      inverse_deviation(c, mean_over(c, c.op("square", {wide}), axes, true), c.real("eps", epsilon_of(x->dtype())));
  out.push_back(c.result(c.expected(1) ? c.cast(r, c.expected(1)->dtype) : r));
  return out;
}

ir::Value* group_norm_of(Context& c, ir::Value* x, const ir::Dim& groups) {
  return c.op("group_norm", {x, c.tensor_or_null("weight"), c.tensor_or_null("bias")},
              {{"groups", groups}, {"eps", c.real("eps")}});
}

Values group_norm(Context& c) { return {c.result(group_norm_of(c, c.tensor("input"), c.integer("num_groups")))}; }

// native_group_norm(input, weight, bias, N, C, HxW, group, eps): result, mean and inverse deviation of each group.
Values native_group_norm(Context& c) {
  ir::Value* x = c.tensor("input");
  const ir::Dim groups = c.integer("group");
  Values out = {c.result(group_norm_of(c, x, groups))};
  ir::Value* flat = c.b.reshape(x, {c.integer("N"), groups, floordiv(c.integer("C"), groups) * c.integer("HxW")});
  out.push_back(c.result(mean_over(c, flat, {2}, false)));
  out.push_back(c.result(inverse_deviation(c, variance_over(c, flat, {2}, false), c.real("eps"))));
  return out;
}

Values instance_norm(Context& c) {
  ir::Value* x = c.tensor("input");
  if (!c.flag("use_input_stats"))
    return {c.result(batch_norm_op(c, x, c.tensor("running_mean"), c.tensor("running_var")))};
  return {c.result(group_norm_of(c, x, x->shape().at(1)))};
}

// weight = v * g / |v|, the norm over all axes but one.
Values weight_norm(Context& c) {
  ir::Value *v = c.tensor("v"), *g = c.tensor("g");
  const int64_t axis = c.number("dim", 0);
  const ir::Dims axes = all_but(v->rank(), axis < 0 && axis != -1 ? axis + v->rank() : axis);
  ir::Value* norm = c.op("norm", {v}, {{"axes", axes}, {"keepdims", true}});
  Values out = {c.result(c.op("multiply", {v, c.op("divide", {g, norm})}))};
  if (c.schema.returns.size() == 2) out.push_back(c.result(norm));
  return out;
}

}  // namespace

Rows norm_rows() {
  return {
      {"batch_norm", batch_norm},
      {"_native_batch_norm_legit_no_training", native_batch_norm_eval},
      {"_native_batch_norm_legit_functional", native_batch_norm_legit},
      {"_native_batch_norm_legit", native_batch_norm_legit},
      {"native_batch_norm", native_batch_norm_legit},
      {"layer_norm", layer_norm},
      {"native_layer_norm", native_layer_norm},
      {"rms_norm", rms_norm},
      {"_fused_rms_norm", fused_rms_norm},
      {"group_norm", group_norm},
      {"native_group_norm", native_group_norm},
      {"instance_norm", instance_norm},
      {"_weight_norm", weight_norm},
      {"_weight_norm_interface", weight_norm},
  };
}

}  // namespace godwit::frontends::aten

// Activation functions.
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

Values relu6(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op("clip", {x, c.scalar_like(x, 0), c.scalar_like(x, 6)}))};
}

Values hardtanh(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op("clip", {x, c.tensor_as("min_val", x->dtype()), c.tensor_as("max_val", x->dtype())}))};
}

// softmax, log_softmax and the forms that decompositions leave; `dtype` casts the input first.
Translator softmax(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (auto to = c.dtype()) x = c.cast(x, *to);
    if (c.flag("half_to_float")) x = c.cast(x, DType::f32);
    const int64_t axis = c.axis("dim", x->rank());
    if (x->rank() == 0) {  // one element
      ir::Value* zero = c.op("subtract", {x, x});
      return {c.result(std::string_view(op) == "softmax" ? c.op("exp", {zero}) : zero)};
    }
    return {c.result(c.op(op, {c.floating(x)}, {{"axis", axis}}))};
  };
}

Values safe_softmax(Context& c) {  // rows of -inf alone give zeros
  ir::Value* x = c.tensor("self");
  if (auto to = c.dtype()) x = c.cast(x, *to);
  const int64_t axis = c.axis("dim", x->rank());
  ir::Value* masked = c.op("equal", {x, c.scalar_like(x, -INFINITY)});
  ir::Value* none = c.op("all", {masked}, {{"axes", ir::Dims{axis}}, {"keepdims", true}});
  return {c.result(c.op("where", {none, c.scalar_like(x, 0), c.op("softmax", {x}, {{"axis", axis}})}))};
}

Values prelu(Context& c) {
  ir::Value *x = c.tensor("self"), *slope = c.tensor("weight");
  // One slope a channel: it lies on axis 1.
  if (slope->rank() == 1 && x->rank() != 1 && !slope->shape()[0].is(1)) {
    ir::Dims shape(static_cast<size_t>(x->rank()), ir::Dim(1));
    shape.at(1) = slope->shape()[0];
    slope = c.b.reshape(slope, shape);
  } else if (x->rank() == 0 && slope->rank() == 1) {
    slope = c.b.reshape(slope, {});
  }
  return {c.result(c.op("prelu", {x, slope}))};
}

Values elu(Context& c) {
  ir::Attrs attrs = {
      {"alpha", c.real("alpha")}, {"scale", c.real("scale", 1.0)}, {"input_scale", c.real("input_scale", 1.0)}};
  return {c.result(c.op("elu", {c.tensor("self")}, attrs))};
}

Values celu(Context& c) {
  const double alpha = c.real("alpha");
  return {c.result(c.op("elu", {c.tensor("self")}, {{"alpha", alpha}, {"input_scale", 1.0 / alpha}}))};
}

Values selu(Context& c) {
  return {c.result(c.op("elu", {c.tensor("self")}, {{"alpha", 1.6732632423543772}, {"scale", 1.0507009873554805}}))};
}

Values threshold(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* above = c.op("greater", {x, c.tensor_as("threshold", x->dtype())});
  return {c.result(c.op("where", {above, x, c.tensor_as("value", x->dtype())}))};
}

// hardshrink keeps what lies outside [-lambd, lambd]; softshrink moves it towards zero as well.
Translator shrink(bool soft) {
  return [soft](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    ir::Value *limit = c.tensor_as("lambd", x->dtype()), *minus = c.op("negative", {limit});
    ir::Value* zero = c.op("multiply", {x, c.scalar_like(x, 0)});  // keeps NaN
    ir::Value *up = x, *down = x;
    if (soft) up = c.op("subtract", {x, limit}), down = c.op("add", {x, limit});
    ir::Value* inner = c.op("where", {c.op("less", {x, minus}), down, zero});
    return {c.result(c.op("where", {c.op("greater", {x, limit}), up, inner}))};
  };
}

Values rrelu(Context& c) {
  if (c.flag("training")) c.unsupported("random slopes (training mode) are not supported");
  return {c.result(c.op("leaky_relu", {c.tensor("self")}, {{"slope", (c.real("lower") + c.real("upper")) / 2}}))};
}

// Dropout does nothing in evaluation.
Values dropout(Context& c) {
  const double p = c.real("p");
  if (!c.flag("train") || p == 0.0) return {c.ref(argument_name(c, 0))};
  c.session.warn("dropout in training mode is random");
  ir::Value* x = c.tensor(argument_name(c, 0));
  ir::Value* noise = c.op("random_uniform", {}, {{"shape", x->shape()}, {"dtype", DType::f32}});
  ir::Value* keep = c.op("greater_equal", {noise, c.scalar(DType::f32, p)});
  ir::Value* scale = c.scalar_like(x, p < 1 ? 1.0 / (1.0 - p) : 0.0);
  return {c.result(c.op("multiply", {c.op("multiply", {x, c.cast(keep, x->dtype())}), scale}))};
}

Values native_dropout(Context& c) {
  ir::Value* x = c.tensor("input");
  if (c.is_none("train") || c.flag("train")) c.unsupported("dropout in training mode gives a random mask");
  // PyTorch's short cut for no elements gives a mask in the input's type.
  const DType mask = ir::product(x->shape()).is(0) ? x->dtype() : DType::boolean;
  ir::Value* ones = c.op("full", {c.scalar(c.expected(1) ? c.expected(1)->dtype : mask, 1)}, {{"shape", x->shape()}});
  return {c.ref("input"), c.result(ones)};
}

}  // namespace

Rows activation_rows() {
  return {
      {"relu", unary("relu")},
      {"relu6", relu6},
      {"hardtanh", hardtanh},
      {"sigmoid", real_unary("sigmoid")},
      {"special_expit", real_unary("sigmoid")},
      {"silu", unary("silu")},
      {"mish", unary("mish")},
      {"log_sigmoid", unary("log_sigmoid")},
      {"log_sigmoid_forward",
       [](Context& c) -> Values {
         ir::Value* x = c.tensor("self");
         return {c.result(c.op("log_sigmoid", {x})), c.result(c.op("copy", {x}))};
       }},
      {"hardswish", unary("hard_swish")},
      {"hardsigmoid", unary("hard_sigmoid", {{"alpha", 1.0 / 6.0}, {"beta", 0.5}})},
      {"leaky_relu",
       [](Context& c) -> Values {
         return {c.result(c.op("leaky_relu", {c.tensor("self")}, {{"slope", c.real("negative_slope")}}))};
       }},
      {"prelu", prelu},
      {"_prelu_kernel",
       [](Context& c) -> Values {
         return {c.result(c.op("prelu", {c.tensor("self"), c.tensor("weight")}))};
       }},
      {"rrelu", rrelu},
      {"elu", elu},
      {"celu", celu},
      {"selu", selu},
      {"gelu",
       [](Context& c) -> Values {
         std::string kind = c.has("approximate") ? c.text("approximate") : "none";
         return {c.result(c.op("gelu", {c.tensor("self")}, {{"approximate", kind}}))};
       }},
      {"softplus",
       [](Context& c) -> Values {
         return {c.result(
             c.op("softplus", {c.tensor("self")}, {{"beta", c.real("beta")}, {"threshold", c.real("threshold")}}))};
       }},
      {"glu",
       [](Context& c) -> Values {
         ir::Value* x = c.tensor("self");
         return {c.result(c.op("glu", {x}, {{"axis", c.axis("dim", x->rank())}}))};
       }},
      {"softmax", softmax("softmax")},
      {"_softmax", softmax("softmax")},
      {"special_softmax", softmax("softmax")},
      {"log_softmax", softmax("log_softmax")},
      {"_log_softmax", softmax("log_softmax")},
      {"special_log_softmax", softmax("log_softmax")},
      {"_safe_softmax", safe_softmax},
      {"threshold", threshold},
      {"hardshrink", shrink(false)},
      {"softshrink", shrink(true)},
      {"dropout", dropout},
      {"feature_dropout", dropout},
      {"alpha_dropout", dropout},
      {"feature_alpha_dropout", dropout},
      {"native_dropout", native_dropout},
  };
}

}  // namespace godwit::frontends::aten

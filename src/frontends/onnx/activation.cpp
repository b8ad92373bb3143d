// Activations, softmax and its kin.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values leaky_relu(Call& c) { return {c.op("leaky_relu", {c.in(0)}, {{"slope", c.real("alpha", 0.01)}})}; }
Values elu(Call& c) { return {c.op("elu", {c.in(0)}, {{"alpha", c.real("alpha", 1.0)}})}; }

Values selu(Call& c) {
  const bool old = c.opset < 6;
  return {c.op("elu", {c.in(0)},
               {{"alpha", c.real("alpha", old ? 1.6732 : 1.67326319217681884765625)},
                {"scale", c.real("gamma", old ? 1.0507 : 1.05070102214813232421875)}})};
}

Values celu(Call& c) {
  const double alpha = c.real("alpha", 1.0);
  return {c.op("elu", {c.in(0)}, {{"alpha", alpha}, {"input_scale", 1.0 / alpha}})};
}

Values hard_sigmoid(Call& c) {
  return {c.op("hard_sigmoid", {c.in(0)}, {{"alpha", c.real("alpha", 0.2)}, {"beta", c.real("beta", 0.5)}})};
}

Values softplus(Call& c) { return {c.op("softplus", {c.in(0)})}; }

Values gelu(Call& c) { return {c.op("gelu", {c.in(0)}, {{"approximate", c.text("approximate", "none")}})}; }

Value* swish_of(Call& c, Value* x, double alpha) {
  return alpha == 1.0 ? c.op("silu", {x}) : multiply(c, x, c.op("sigmoid", {multiply(c, x, alpha)}));
}

Values swish(Call& c) { return {swish_of(c, c.in(0), c.real("alpha", 1.0))}; }

Values swiglu(Call& c) { return {multiply(c, swish_of(c, c.in(0), c.real("alpha", 1.0)), c.in(1))}; }

// Below opset 7 the slope runs along the channels; from then on it broadcasts as NumPy does.
Values prelu(Call& c) {
  Value *x = c.in(0), *slope = c.in(1);
  if (c.opset < 7 && slope->rank() == 1 && x->rank() > 1) slope = along(c, slope, 1, x->rank());
  return {c.op("prelu", {x, slope})};
}

Values thresholded_relu(Call& c) {
  Value* x = c.in(0);
  return {c.op("where", {c.op("greater", {x, c.scalar(c.real("alpha", 1.0), x)}), x, c.scalar(0, x)})};
}

Values shrink(Call& c) {
  Value* x = c.in(0);
  const double lambda = c.real("lambd", 0.5), bias = c.real("bias", 0.0);
  Value* upper = c.op("where", {c.op("greater", {x, c.scalar(lambda, x)}), add(c, x, -bias), c.scalar(0, x)});
  return {c.op("where", {c.op("less", {x, c.scalar(-lambda, x)}), add(c, x, bias), upper})};
}

// Below opset 13 all axes from `axis` on are normalised together.
Values over_axis(Call& c, const std::function<Value*(Value*, int64_t)>& body) {
  Value* x = c.in(0);
  const int64_t axis = c.axis(c.integer("axis", c.opset < 13 ? 1 : -1), x->rank());
  if (c.opset >= 13 || axis == x->rank() - 1) return {body(x, axis)};
  const ir::Shape shape = x->shape();
  const ir::Dims head(shape.begin(), shape.begin() + axis), tail(shape.begin() + axis, shape.end());
  Value* flat = c.b.reshape(x, {ir::product(head), ir::product(tail)});
  return {c.b.reshape(body(flat, 1), shape)};
}

Row softmax_like(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) {
            return over_axis(c, [&](Value* x, int64_t axis) { return c.op(op, {x}, {{"axis", ir::Dim(axis)}}); });
          }};
}

Values hardmax(Call& c) {  // one at the first maximum
  return over_axis(c, [&](Value* x, int64_t axis) {
    Value* at = c.op("argmax", {x}, {{"axis", ir::Dim(axis)}, {"keepdims", true}});
    Value* places = c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", c.size(x, axis)}, {"dtype", DType::i64}});
    return c.cast(c.op("equal", {along(c, places, axis, x->rank()), at}), x->dtype());
  });
}

}  // namespace

Rows activation_rows() {
  return {rename("Relu", "relu"),
          rename("Sigmoid", "sigmoid"),
          rename("Softsign", "softsign"),
          rename("Mish", "mish"),
          rename("HardSwish", "hard_swish"),
          {"LeakyRelu", leaky_relu},
          {"Elu", elu},
          {"Selu", selu},
          {"Celu", celu},
          {"HardSigmoid", hard_sigmoid},
          {"Softplus", softplus},
          {"Gelu", gelu},
          {"Swish", swish},
          {"SwiGLU", swiglu},
          {"PRelu", prelu},
          {"ThresholdedRelu", thresholded_relu},
          {"Shrink", shrink},
          softmax_like("Softmax", "softmax"),
          softmax_like("LogSoftmax", "log_softmax"),
          {"Hardmax", hardmax}};
}

}  // namespace godwit::frontends::onnx

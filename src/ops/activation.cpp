#include "ops/activation.h"

#include <mlx/ops.h>

#include <numbers>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

array like(const array& x, double value) { return mx::array(value, x.dtype()); }

bool is_half(const array& x) { return x.dtype() == mx::float16 || x.dtype() == mx::bfloat16; }

// Functions of several steps are computed in float32 for the half types and rounded once, as the frameworks do.
template <class F>
array in_float(const array& x, F f) {
  return is_half(x) ? mx::astype(f(mx::astype(x, mx::float32)), x.dtype()) : f(x);
}

array logistic(const array& x) {
  if (x.dtype() != mx::float64) return mx::sigmoid(x);
  return mx::reciprocal(
      mx::add(like(x, 1), ops::exp(mx::negative(x))));  // mx::sigmoid of float64 has float32's accuracy
}

// log(1 + e^x) without overflow
array softplus_of(const array& x) {
  array tail = mx::log1p(ops::exp(mx::negative(mx::abs(x))));
  return mx::add(mx::maximum(x, like(x, 0)), tail);
}

}  // namespace

array relu(const array& x) { return mx::maximum(x, like(x, 0)); }
array sigmoid(const array& x) { return logistic(x); }

array silu(const array& input) {
  return in_float(input, [](const array& x) { return mx::multiply(x, logistic(x)); });
}

array mish(const array& input) {
  return in_float(input, [](const array& x) { return mx::multiply(x, mx::tanh(softplus_of(x))); });
}

array softsign(const array& input) {
  return in_float(input, [](const array& x) { return mx::divide(x, mx::add(like(x, 1), mx::abs(x))); });
}

array log_sigmoid(const array& input) {
  return in_float(input, [](const array& x) { return mx::negative(softplus_of(mx::negative(x))); });
}

array hard_swish(const array& input) {
  return in_float(input, [](const array& x) {
    array gate = ops::clip(mx::add(x, like(x, 3)), like(x, 0), like(x, 6));
    return mx::divide(mx::multiply(x, gate), like(x, 6));
  });
}

array leaky_relu(const array& x, double slope) {
  return mx::where(mx::greater(x, like(x, 0)), x, mx::multiply(x, like(x, slope)));
}

array prelu(const array& x, const array& slope) {
  return mx::where(mx::greater(x, like(x, 0)), x, mx::multiply(x, slope));
}

array elu(const array& input, double alpha, double scale, double input_scale) {
  return in_float(input, [&](const array& x) {
    array grown = mx::multiply(like(x, alpha * scale), mx::expm1(mx::multiply(x, like(x, input_scale))));
    return mx::where(mx::greater(x, like(x, 0)), mx::multiply(x, like(x, scale)), grown);
  });
}

array hard_sigmoid(const array& input, double alpha, double beta) {
  return in_float(input, [&](const array& x) {
    return ops::clip(mx::add(mx::multiply(x, like(x, alpha)), like(x, beta)), like(x, 0), like(x, 1));
  });
}

array softplus(const array& input, double beta, double threshold) {
  return in_float(input, [&](const array& x) {
    array scaled = mx::multiply(x, like(x, beta));
    array soft = mx::divide(softplus_of(scaled), like(x, beta));
    return mx::where(mx::greater(scaled, like(x, threshold)), x, soft);
  });
}

array gelu(const array& input, const std::string& approximate) {
  return in_float(input, [&](const array& x) {
    array half = mx::multiply(x, like(x, 0.5)), one = like(x, 1);
    if (approximate == "none")
      return mx::multiply(half, mx::add(one, ops::erf(mx::multiply(x, like(x, 1 / std::numbers::sqrt2)))));
    if (approximate == "sigmoid") return mx::multiply(x, logistic(mx::multiply(x, like(x, 1.702))));
    array cube = mx::multiply(mx::square(x), x);
    array inner = mx::multiply(like(x, std::numbers::sqrt2 * std::numbers::inv_sqrtpi),
                               mx::add(x, mx::multiply(like(x, 0.044715), cube)));
    return mx::multiply(half, mx::add(one, mx::tanh(inner)));
  });
}

array softmax(const array& input, int axis) {
  if (input.size() == 0 || input.ndim() == 0) return input.ndim() == 0 ? mx::ones_like(input) : input;
  if (input.dtype() != mx::float64) return mx::softmax(input, axis, true);
  array grown = ops::exp(mx::subtract(input, mx::max(input, axis, true)));
  return mx::divide(grown, mx::sum(grown, axis, true));
}

array log_softmax(const array& input, int axis) {
  if (input.size() == 0 || input.ndim() == 0) return input.ndim() == 0 ? mx::zeros_like(input) : input;
  return in_float(input, [&](const array& x) {
    array centred = mx::subtract(x, mx::max(x, axis, true));
    return mx::subtract(centred, mx::log(mx::sum(ops::exp(centred), axis, true)));
  });
}

array glu(const array& x, int axis) {
  auto halves = mx::split(x, 2, axis);
  return in_float(halves[0], [&](const array& value) {
    return mx::multiply(value, logistic(mx::astype(halves[1], value.dtype())));
  });
}

namespace {

using infer::Types;

Types real(InferContext& c) {
  checks::floats(c);
  return infer::same(c);
}

Types rectified(InferContext& c) {
  if (is_complex(c.dtype(0)) || c.dtype(0) == DType::boolean) c.fail("operand is {}", name(c.dtype(0)));
  return infer::same(c);
}

Types prelu_type(InferContext& c) {
  checks::one_dtype(c);
  if (c.rank(1) > c.rank(0)) c.fail("the slope has more axes than the operand");
  return {{c.dtype(0), ops::broadcast(c.shape(0), c.shape(1), c)}};
}

Types gelu_type(InferContext& c) {
  const std::string& a = c.text("approximate");
  if (a != "none" && a != "tanh" && a != "sigmoid") c.fail("approximate is '{}', not none, tanh or sigmoid", a);
  return real(c);
}

Types along(InferContext& c) {
  c.axis(c.number("axis"), c.rank(0));
  return real(c);
}

Types glu_type(InferContext& c) {
  checks::floats(c);
  ir::Shape shape = c.shape(0);
  if (shape.empty()) c.fail("a scalar cannot be halved");
  ir::Dim& n = shape[static_cast<size_t>(c.axis(c.number("axis"), c.rank(0)))];
  if (n.is_known() && n.value() % 2 != 0) c.fail("{} elements cannot be halved", n.value());
  n = floordiv(n, 2);
  return {{c.dtype(0), shape}};
}

}  // namespace

Rows activation_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("relu", &relu, "x", rectified).python("nn.relu({x})"));
  add(row("sigmoid", &sigmoid, "x", real).cpp("mx::sigmoid({x})").python("mx.sigmoid({x})"));
  add(row("silu", &silu, "x", real).python("nn.silu({x})"));
  add(row("mish", &mish, "x", real).python("nn.mish({x})"));
  add(row("softsign", &softsign, "x", real).python("nn.softsign({x})"));
  add(row("log_sigmoid", &log_sigmoid, "x", real).python("nn.log_sigmoid({x})"));
  add(row("hard_swish", &hard_swish, "x", real).python("nn.hardswish({x})"));
  add(row("leaky_relu", &leaky_relu, "x, slope=0.01", real).python("nn.leaky_relu({x}, {slope})"));
  add(row("prelu", &prelu, "x, slope", prelu_type).python("nn.prelu({x}, {slope})"));
  add(row("elu", &elu, "x, alpha=1.0, scale=1.0, input_scale=1.0", real));
  add(row("hard_sigmoid", &hard_sigmoid, "x, alpha=0.2, beta=0.5", real));
  add(row("softplus", &softplus, "x, beta=1.0, threshold=20.0", real));
  add(row("gelu", &gelu, "x, approximate=\"none\"", gelu_type));
  add(row("softmax", &softmax, "x, axis=-1", along)
          .cpp("mx::softmax({x}, {axis}, true)")
          .python("mx.softmax({x}, axis={axis}, precise=True)"));
  add(row("log_softmax", &log_softmax, "x, axis=-1", along).python("nn.log_softmax({x}, axis={axis})"));
  add(row("glu", &glu, "x, axis=-1", glu_type).python("nn.glu({x}, axis={axis})"));
  return rows;
}

}  // namespace godwit::ops

// ai.onnx.preview.training: optimizer steps.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// The inputs are rate, step, then the tensors of each kind, one after the other; outputs likewise.
struct Step {
  Value *rate, *count;
  size_t tensors;
};

Step step_of(Call& c, size_t kinds) {
  if (c.count() < 2 + kinds || (c.count() - 2) % kinds != 0) c.fail("{} inputs", c.count());
  return {c.in(0), c.in(1), (c.count() - 2) / kinds};
}

Value* regularised(Call& c, Value* x, Value* gradient) {
  return add(c, multiply(c, x, c.real("norm_coefficient", 0)), gradient);
}

Values adagrad(Call& c) {
  const Step s = step_of(c, 3);
  Values xs, hs;
  for (size_t i = 0; i < s.tensors; ++i) {
    Value *x = c.in(2 + i), *g = regularised(c, x, c.in(2 + s.tensors + i)), *h = c.in(2 + 2 * s.tensors + i);
    Value* rate =
        divide(c, s.rate, add(c, multiply(c, c.cast(s.count, s.rate->dtype()), c.real("decay_factor", 0)), 1.0));
    h = add(c, h, c.op("square", {g}));
    Value* root = add(c, c.op("sqrt", {h}), c.real("epsilon", 0));
    xs.push_back(subtract(c, x, divide(c, multiply(c, rate, g), root)));
    hs.push_back(h);
  }
  xs.insert(xs.end(), hs.begin(), hs.end());
  return xs;
}

Values adam(Call& c) {
  const Step s = step_of(c, 4);
  const double alpha = c.real("alpha", 0.9), beta = c.real("beta", 0.999);
  const DType type = s.rate->dtype();
  Value* t = c.cast(s.count, type);
  auto rest = [&](double base) {  // 1 - base^t
    return subtract(c, c.b.scalar(type, 1), c.op("power", {c.b.scalar(type, base), t}));
  };
  Value* corrected = divide(c, multiply(c, s.rate, c.op("sqrt", {rest(beta)})), rest(alpha));
  Value* rate = c.op("where", {c.op("greater", {t, c.b.scalar(type, 0)}), corrected, s.rate});
  Values xs, vs, hs;
  for (size_t i = 0; i < s.tensors; ++i) {
    auto input = [&](size_t kind) { return c.in(2 + kind * s.tensors + i); };
    Value *x = input(0), *g = regularised(c, x, input(1));
    vs.push_back(add(c, multiply(c, input(2), alpha), multiply(c, g, 1 - alpha)));
    hs.push_back(add(c, multiply(c, input(3), beta), multiply(c, c.op("square", {g}), 1 - beta)));
    Value* root = add(c, c.op("sqrt", {hs.back()}), c.real("epsilon", 0));
    Value* moved = subtract(c, x, multiply(c, rate, divide(c, vs.back(), root)));
    xs.push_back(multiply(c, moved, 1 - c.real("norm_coefficient_post", 0)));
  }
  xs.insert(xs.end(), vs.begin(), vs.end());
  xs.insert(xs.end(), hs.begin(), hs.end());
  return xs;
}

Values momentum(Call& c) {
  const Step s = step_of(c, 3);
  const double alpha = c.real("alpha", 0), beta = c.real("beta", 0);
  const std::string mode = c.text("mode", "standard");
  if (mode != "standard" && mode != "nesterov") c.fail("unknown mode '{}'", mode);
  const DType type = s.rate->dtype();
  Value* is_first = c.op("equal", {s.count, c.b.scalar(s.count->dtype(), 0)});
  Value* factor = c.op("where", {is_first, c.b.scalar(type, 1), c.b.scalar(type, beta)});
  Values xs, vs;
  for (size_t i = 0; i < s.tensors; ++i) {
    auto input = [&](size_t kind) { return c.in(2 + kind * s.tensors + i); };
    Value *x = input(0), *g = regularised(c, x, input(1));
    Value* v = add(c, multiply(c, input(2), alpha), multiply(c, factor, g));
    Value* direction = mode == "standard" ? v : add(c, g, multiply(c, v, alpha));
    xs.push_back(subtract(c, x, multiply(c, s.rate, direction)));
    vs.push_back(v);
  }
  xs.insert(xs.end(), vs.begin(), vs.end());
  return xs;
}

}  // namespace

Rows training_rows() { return {{"Adagrad", adagrad}, {"Adam", adam}, {"Momentum", momentum}}; }

}  // namespace godwit::frontends::onnx

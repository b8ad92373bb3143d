#include "ops/recurrent.h"

#include <mlx/mlx.h>

#include <charconv>
#include <functional>

#include "ops/families.h"
#include "ops/product.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

using Activation = std::function<array(const array&)>;

array scalar_like(double value, const array& x) { return array(value, x.dtype()); }

struct Spelled {
  std::string name;
  Reals values;
};

// "elu:0.5" -> elu, {0.5}
Spelled spelled(const std::string& text) {
  Spelled s;
  size_t start = 0, colon = text.find(':');
  s.name = text.substr(0, colon);
  while (colon != std::string::npos) {
    start = colon + 1;
    colon = text.find(':', start);
    const size_t stop = colon == std::string::npos ? text.size() : colon;
    double value = 0;
    auto [end, error] = std::from_chars(text.data() + start, text.data() + stop, value);
    require<UsageError>(error == std::errc() && end == text.data() + stop, "activation '{}' is not understood", text);
    s.values.push_back(value);
  }
  return s;
}

// Null for a name that is not in the list.
Activation activation(const std::string& text) {
  const Spelled s = spelled(text);
  auto value = [&](size_t i, double fallback) { return i < s.values.size() ? s.values[i] : fallback; };
  if (s.name == "sigmoid") return [](const array& x) { return mx::sigmoid(x); };
  if (s.name == "tanh") return [](const array& x) { return mx::tanh(x); };
  if (s.name == "relu") return [](const array& x) { return mx::maximum(x, scalar_like(0, x)); };
  if (s.name == "softsign") return [](const array& x) { return mx::divide(x, mx::add(mx::abs(x), scalar_like(1, x))); };
  if (s.name == "softplus") return [](const array& x) { return mx::logaddexp(x, scalar_like(0, x)); };
  if (s.name == "affine")
    return [a = value(0, 1.0), b = value(1, 0.0)](const array& x) {
      return mx::add(mx::multiply(x, scalar_like(a, x)), scalar_like(b, x));
    };
  if (s.name == "leaky_relu")
    return [a = value(0, 0.01)](const array& x) {
      return mx::where(mx::less(x, scalar_like(0, x)), mx::multiply(x, scalar_like(a, x)), x);
    };
  if (s.name == "thresholded_relu")
    return [a = value(0, 1.0)](const array& x) {
      return mx::where(mx::greater(x, scalar_like(a, x)), x, mx::zeros_like(x));
    };
  if (s.name == "elu")
    return [a = value(0, 1.0)](const array& x) {
      return mx::where(mx::less(x, scalar_like(0, x)), mx::multiply(mx::expm1(x), scalar_like(a, x)), x);
    };
  if (s.name == "hard_sigmoid")
    return [a = value(0, 0.2), b = value(1, 0.5)](const array& x) {
      array line = mx::add(mx::multiply(x, scalar_like(a, x)), scalar_like(b, x));
      return mx::clip(line, scalar_like(0, x), scalar_like(1, x));
    };
  if (s.name == "scaled_tanh")
    return [a = value(0, 1.0), b = value(1, 1.0)](const array& x) {
      return mx::multiply(mx::tanh(mx::multiply(x, scalar_like(b, x))), scalar_like(a, x));
    };
  return nullptr;
}

Activation known_activation(const char* op, const std::string& text) {
  Activation a = activation(text);
  require<UsageError>(static_cast<bool>(a), "[{}] activation '{}' is not known", op, text);
  return a;
}

Activation clipped(Activation f, double clip) {
  if (clip <= 0) return f;
  return
      [f = std::move(f), clip](const array& x) { return f(mx::clip(x, scalar_like(-clip, x), scalar_like(clip, x))); };
}

// Column `index` of `count` equal parts of the last axis.
array gate(const array& x, int index, int count) {
  const int size = x.shape(-1) / count;
  mx::Shape starts(x.ndim(), 0), stops = x.shape();
  starts.back() = index * size;
  stops.back() = starts.back() + size;
  return mx::slice(x, starts, stops);
}

// x W^T (+ bias) for all steps in one product.
array projected(const array& x, const array& weight, const std::optional<array>& bias) {
  array y = product(x, mx::transpose(weight));
  return bias ? mx::add(y, mx::astype(*bias, y.dtype())) : y;
}

// Runs `step(projected input of one time, states) -> new states` over time; states[0] is the output.
using Step = std::function<std::vector<array>(const array&, const std::vector<array>&)>;
std::vector<array> scan(const array& inputs, std::vector<array> states, const std::optional<array>& lengths,
                        bool reverse, mx::Dtype result, const Step& step) {
  const int times = inputs.shape(0);
  std::vector<array> outputs(times, states[0]);
  std::vector<array> rows = times ? mx::split(inputs, times, 0) : std::vector<array>{};
  for (int i = 0; i < times; ++i) {
    const int t = reverse ? times - 1 - i : i;
    std::vector<array> next = step(mx::squeeze(rows[t], 0), states);
    if (lengths) {
      array alive = mx::expand_dims(mx::greater(mx::astype(*lengths, mx::int32), array(t)), 1);
      outputs[t] = mx::where(alive, next[0], mx::zeros_like(next[0]));
      for (size_t k = 0; k < next.size(); ++k) next[k] = mx::where(alive, next[k], states[k]);
    } else {
      outputs[t] = next[0];
    }
    states = std::move(next);
  }
  array y = times ? mx::stack(outputs, 0) : mx::zeros({0, states[0].shape(0), states[0].shape(1)}, states[0].dtype());
  std::vector<array> all{mx::astype(y, result)};
  for (const array& s : states) all.push_back(mx::astype(s, result));
  return all;
}

}  // namespace

std::vector<array> lstm(const array& x, const array& h, const array& c, const array& w_ih, const array& w_hh,
                        const std::optional<array>& bias, const std::optional<array>& peephole,
                        const std::optional<array>& lengths, bool reverse, const Texts& activations, double clip,
                        bool input_forget) {
  require<UsageError>(activations.size() == 3, "[lstm] three activations are expected, {} are given",
                      activations.size());
  const Activation f = clipped(known_activation("lstm", activations[0]), clip);
  const Activation g = clipped(known_activation("lstm", activations[1]), clip);
  const Activation last = known_activation("lstm", activations[2]);
  const array recurrent = mx::transpose(widen(w_hh));
  std::optional<array> peeps = peephole ? std::optional(widen(*peephole)) : std::nullopt;
  auto peeked = [&](const array& z, const array& cell, int which) {
    return peeps ? mx::add(z, mx::multiply(cell, gate(*peeps, which, 3))) : z;
  };
  auto step = [&](const array& row, const std::vector<array>& s) {
    array z = mx::add(row, mx::matmul(s[0], recurrent));
    array i = f(peeked(gate(z, 0, 4), s[1], 0));
    array forget = input_forget ? mx::subtract(scalar_like(1, i), i) : f(peeked(gate(z, 1, 4), s[1], 2));
    array cell = mx::add(mx::multiply(forget, s[1]), mx::multiply(i, g(gate(z, 2, 4))));
    array o = f(peeked(gate(z, 3, 4), cell, 1));
    return std::vector<array>{mx::multiply(o, last(cell)), cell};
  };
  return scan(projected(widen(x), widen(w_ih), bias), {widen(h), widen(c)}, lengths, reverse, x.dtype(), step);
}

std::vector<array> gru(const array& x, const array& h, const array& w_ih, const array& w_hh,
                       const std::optional<array>& bias_ih, const std::optional<array>& bias_hh,
                       const std::optional<array>& lengths, bool reverse, bool linear_before_reset,
                       const Texts& activations, double clip) {
  require<UsageError>(activations.size() == 2, "[gru] two activations are expected, {} are given", activations.size());
  const Activation f = clipped(known_activation("gru", activations[0]), clip);
  const Activation g = clipped(known_activation("gru", activations[1]), clip);
  const array weight = widen(w_hh), recurrent = mx::transpose(weight);
  const int size = w_hh.shape(1);
  const array gates = mx::slice(recurrent, mx::Shape{0, 0}, mx::Shape{size, 2 * size});
  const array candidate = mx::slice(recurrent, mx::Shape{0, 2 * size}, mx::Shape{size, 3 * size});
  std::optional<array> bias = bias_hh ? std::optional(mx::astype(*bias_hh, weight.dtype())) : std::nullopt;
  auto step = [&](const array& row, const std::vector<array>& s) {
    array z = mx::matmul(s[0], linear_before_reset ? recurrent : gates);
    if (bias) z = mx::add(z, linear_before_reset ? *bias : mx::slice(*bias, mx::Shape{0}, mx::Shape{2 * size}));
    const int parts = linear_before_reset ? 3 : 2;
    array r = f(mx::add(gate(row, 0, 3), gate(z, 0, parts)));
    array update = f(mx::add(gate(row, 1, 3), gate(z, 1, parts)));
    array pull = linear_before_reset ? mx::multiply(r, gate(z, 2, 3)) : mx::matmul(mx::multiply(r, s[0]), candidate);
    if (!linear_before_reset && bias) pull = mx::add(pull, gate(*bias, 2, 3));
    array n = g(mx::add(gate(row, 2, 3), pull));
    array rest = mx::subtract(scalar_like(1, update), update);
    return std::vector<array>{mx::add(mx::multiply(rest, n), mx::multiply(update, s[0]))};
  };
  return scan(projected(widen(x), widen(w_ih), bias_ih), {widen(h)}, lengths, reverse, x.dtype(), step);
}

std::vector<array> rnn(const array& x, const array& h, const array& w_ih, const array& w_hh,
                       const std::optional<array>& bias, const std::optional<array>& lengths, bool reverse,
                       const std::string& activation, double clip) {
  const Activation f = clipped(known_activation("rnn", activation), clip);
  const array recurrent = mx::transpose(widen(w_hh));
  auto step = [&](const array& row, const std::vector<array>& s) {
    return std::vector<array>{f(mx::add(row, mx::matmul(s[0], recurrent)))};
  };
  return scan(projected(widen(x), widen(w_ih), bias), {widen(h)}, lengths, reverse, x.dtype(), step);
}

namespace {

using Types = infer::Types;

void expect(const InferContext& c, size_t i, const char* what, const ir::Shape& wanted) {
  if (!c.has(i)) return;
  const ir::Shape& given = c.shape(i);
  bool fits = given.size() == wanted.size();
  for (size_t k = 0; fits && k < wanted.size(); ++k) fits = agree(given[k], wanted[k]);
  if (!fits) c.fail("{} {} should be {}", what, ir::str(given), ir::str(wanted));
}

void check_activation(const InferContext& c, const std::string& text) {
  bool known = false;
  try {
    known = static_cast<bool>(activation(text));
  } catch (const UsageError&) {
  }
  if (!known) c.fail("activation '{}' is not known", text);
}

// Checks what the three layers share and gives y and `states` states. h is operand 1, w_ih operand `weight`.
Types infer_layer(InferContext& c, size_t states, size_t weight, int gates) {
  if (c.rank(0) != 3 || !is_float(c.dtype(0))) c.fail("the input is (time, batch, size), of floats");
  if (c.rank(1) != 2) c.fail("the state is (batch, size)");
  const ir::Shape& x = c.shape(0);
  const ir::Dim size = c.shape(1)[1], rows = size * ir::Dim(gates);
  for (size_t i = 1; i <= states; ++i) expect(c, i, "state", {x[1], size});
  expect(c, weight, "w_ih", {rows, x[2]});
  expect(c, weight + 1, "w_hh", {rows, size});
  expect(c, weight + 2, "bias", {rows});
  const ir::Type state{c.dtype(0), ir::Shape{x[1], size}};
  Types types{{c.dtype(0), ir::Shape{x[0], x[1], size}}};
  types.insert(types.end(), states, state);
  return types;
}

void check_activations(const InferContext& c, size_t count) {
  const Texts& list = std::get<Texts>(attribute(c.node(), *get(c.node().op).find("activations")));
  if (list.size() != count) c.fail("{} activations are expected, {} are given", count, list.size());
  for (const std::string& text : list) check_activation(c, text);
}

Types infer_lstm(InferContext& c) {
  Types types = infer_layer(c, 2, 3, 4);
  expect(c, 6, "peephole", {c.shape(1)[1] * ir::Dim(3)});
  expect(c, 7, "lengths", {c.shape(0)[1]});
  check_activations(c, 3);
  return types;
}

Types infer_gru(InferContext& c) {
  Types types = infer_layer(c, 1, 2, 3);
  expect(c, 5, "bias", {c.shape(1)[1] * ir::Dim(3)});
  expect(c, 6, "lengths", {c.shape(0)[1]});
  check_activations(c, 2);
  return types;
}

Types infer_rnn(InferContext& c) {
  Types types = infer_layer(c, 1, 2, 1);
  expect(c, 5, "lengths", {c.shape(0)[1]});
  check_activation(c, c.text("activation"));
  return types;
}

}  // namespace

Rows recurrent_rows() {
  Rows rows;
  rows.push_back(row("lstm", &lstm,
                     "x, h, c, w_ih, w_hh, bias?, peephole?, lengths?, reverse=false, "
                     "activations=[\"sigmoid\", \"tanh\", \"tanh\"], clip=0.0, input_forget=false",
                     infer_lstm));
  rows.push_back(row("gru", &gru,
                     "x, h, w_ih, w_hh, bias_ih?, bias_hh?, lengths?, reverse=false, linear_before_reset=true, "
                     "activations=[\"sigmoid\", \"tanh\"], clip=0.0",
                     infer_gru));
  rows.push_back(
      row("rnn", &rnn, "x, h, w_ih, w_hh, bias?, lengths?, reverse=false, activation=\"tanh\", clip=0.0", infer_rnn));
  return rows;
}

}  // namespace godwit::ops

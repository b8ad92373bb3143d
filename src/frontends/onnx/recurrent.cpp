// LSTM, GRU and RNN: one op per direction, time first.
#include <algorithm>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  return s;
}

// What LSTM, GRU and RNN have in common.
struct Layer {
  Value* x;        // (T, B, I)
  Value* lengths;  // (B) or null
  int64_t directions = 1;
  bool only_reverse = false, batch_first = false;
  ir::Dim hidden, batch;
  double clip;
  std::vector<std::string> activations;  // of all directions

  bool reverse(int64_t d) const { return only_reverse || d == 1; }
  std::vector<std::string> activations_of(int64_t d) const {
    const auto n = static_cast<int64_t>(activations.size()) / directions;
    return {activations.begin() + d * n, activations.begin() + (d + 1) * n};
  }
};

// The names as the op table spells them ("elu:0.5"). Those that take parameters consume the lists in turn; where a list
// ends, the op table's defaults hold, which are ONNX's.
std::vector<std::string> spelled_activations(Call& c) {
  struct Row {
    const char *onnx, *ours;
    int parameters;  // 0, 1: alpha, 2: alpha and beta
  };
  static constexpr Row rows[] = {{"sigmoid", "sigmoid", 0},
                                 {"tanh", "tanh", 0},
                                 {"relu", "relu", 0},
                                 {"softsign", "softsign", 0},
                                 {"softplus", "softplus", 0},
                                 {"affine", "affine", 2},
                                 {"leakyrelu", "leaky_relu", 1},
                                 {"elu", "elu", 1},
                                 {"hardsigmoid", "hard_sigmoid", 2},
                                 {"scaledtanh", "scaled_tanh", 2},
                                 {"thresholdedrelu", "thresholded_relu", 1}};
  const std::vector<double> alphas = c.reals("activation_alpha"), betas = c.reals("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<std::string> names;
  for (std::string& given : c.texts("activations")) {
    const std::string name = lower(given);
    const Row* row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return name == r.onnx; });
    if (row == std::end(rows)) c.fail("activation '{}' is not supported", given);
    names.push_back(row->ours);
    if (row->parameters > 0 && alpha < alphas.size()) {
      names.back() += fmt::format(":{}", alphas[alpha++]);
      if (row->parameters > 1 && beta < betas.size()) names.back() += fmt::format(":{}", betas[beta++]);
    }
  }
  return names;
}

Layer layer_of(Call& c, std::vector<std::string> defaults) {
  Layer l{};
  l.batch_first = c.integer("layout", 0) == 1;
  l.x = l.batch_first ? transpose(c, c.in(0), {1, 0, 2}) : c.in(0);
  if (l.x->rank() != 3) c.fail("the input must be (T, B, I)");
  const std::string direction = c.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    c.fail("unknown direction '{}'", direction);
  l.directions = direction == "bidirectional" ? 2 : 1;
  l.only_reverse = direction == "reverse";
  l.lengths = c.has(4) ? c.cast(c.in(4), DType::i64) : nullptr;
  l.batch = c.shape(l.x, 2)[1];
  l.hidden = c.shape(c.in(2), 3)[2];
  l.clip = c.real("clip", 0);
  l.activations = spelled_activations(c);
  if (l.activations.empty())
    for (int64_t d = 0; d < l.directions; ++d)
      l.activations.insert(l.activations.end(), defaults.begin(), defaults.end());
  if (l.activations.size() != defaults.size() * static_cast<size_t>(l.directions))
    c.fail("{} activations are given", l.activations.size());
  return l;
}

// Entry d of axis 0 of an input, without that axis; null where the input is absent.
Value* part(Call& c, size_t input, int64_t d) {
  if (!c.has(input)) return nullptr;
  return c.op("squeeze", {slice(c, c.in(input), 0, d, d + 1)}, {{"axes", ir::Dims{0}}});
}

// An initial state of direction d: (B, H); zeros where absent.
Value* state(Call& c, const Layer& l, size_t input, int64_t d) {
  if (!c.has(input)) return full(c, l.x->dtype(), 0, {l.batch, l.hidden});
  Value* s = l.batch_first ? transpose(c, c.in(input), {1, 0, 2}) : c.in(input);
  return c.op("squeeze", {slice(c, s, 0, d, d + 1)}, {{"axes", ir::Dims{0}}});
}

// The gates of a weight in another order: (G * H, ...) -> the listed G parts.
Value* gates(Call& c, const Layer& l, Value* w, const std::vector<int>& order) {
  if (!w) return nullptr;
  Values parts = split(c, w, ir::Dims(order.size(), l.hidden), 0), moved;
  for (int i : order) moved.push_back(parts[static_cast<size_t>(i)]);
  return c.op("concat", moved, {{"axis", ir::Dim(0)}});
}

struct Halves {
  Value *input, *hidden;
};

// The bias holds those of W and of R, one after the other.
Halves biases(Call& c, const Layer& l, int64_t count, int64_t d) {
  Value* b = part(c, 3, d);
  if (!b) return {nullptr, nullptr};
  Values both = split(c, b, {l.hidden * ir::Dim(count), l.hidden * ir::Dim(count)}, 0);
  return {both[0], both[1]};
}

// Per-direction results to Y (T, D, B, H) and the final states (D, B, H), batch first where asked.
Value* sequence_of(Call& c, const Layer& l, const Values& ys) {
  Values stacked;
  for (Value* y : ys) stacked.push_back(expand(c, y, {1}));
  Value* out = stacked.size() == 1 ? stacked[0] : c.op("concat", stacked, {{"axis", ir::Dim(1)}});
  return l.batch_first ? transpose(c, out, {2, 0, 1, 3}) : out;
}

Value* finals_of(Call& c, const Layer& l, const Values& hs) {
  Values stacked;
  for (Value* h : hs) stacked.push_back(expand(c, h, {0}));
  Value* out = stacked.size() == 1 ? stacked[0] : c.op("concat", stacked, {{"axis", ir::Dim(0)}});
  return l.batch_first ? transpose(c, out, {1, 0, 2}) : out;
}

Values lstm(Call& c) {
  const Layer l = layer_of(c, {"sigmoid", "tanh", "tanh"});
  const std::vector<int> order{0, 2, 3, 1};  // i o f c -> i f g o
  Values ys, hs, cs;
  for (int64_t d = 0; d < l.directions; ++d) {
    const Halves b = biases(c, l, 4, d);
    Value* bias = b.input ? gates(c, l, add(c, b.input, b.hidden), order) : nullptr;
    Values out = c.b.ops("lstm",
                         {l.x, state(c, l, 5, d), state(c, l, 6, d), gates(c, l, part(c, 1, d), order),
                          gates(c, l, part(c, 2, d), order), bias, part(c, 7, d), l.lengths},
                         {{"reverse", l.reverse(d)},
                          {"activations", l.activations_of(d)},
                          {"clip", l.clip},
                          {"input_forget", c.flag("input_forget")}});
    ys.push_back(out[0]), hs.push_back(out[1]), cs.push_back(out[2]);
  }
  return {sequence_of(c, l, ys), finals_of(c, l, hs), finals_of(c, l, cs)};
}

Values gru(Call& c) {
  const Layer l = layer_of(c, {"sigmoid", "tanh"});
  const std::vector<int> order{1, 0, 2};  // z r h -> r z n
  Values ys, hs;
  for (int64_t d = 0; d < l.directions; ++d) {
    const Halves b = biases(c, l, 3, d);
    Values out = c.b.ops("gru",
                         {l.x, state(c, l, 5, d), gates(c, l, part(c, 1, d), order), gates(c, l, part(c, 2, d), order),
                          gates(c, l, b.input, order), gates(c, l, b.hidden, order), l.lengths},
                         {{"reverse", l.reverse(d)},
                          {"linear_before_reset", c.flag("linear_before_reset")},
                          {"activations", l.activations_of(d)},
                          {"clip", l.clip}});
    ys.push_back(out[0]), hs.push_back(out[1]);
  }
  return {sequence_of(c, l, ys), finals_of(c, l, hs)};
}

Values rnn(Call& c) {
  const Layer l = layer_of(c, {"tanh"});
  Values ys, hs;
  for (int64_t d = 0; d < l.directions; ++d) {
    const Halves b = biases(c, l, 1, d);
    Value* bias = b.input ? add(c, b.input, b.hidden) : nullptr;
    Values out = c.b.ops("rnn", {l.x, state(c, l, 5, d), part(c, 1, d), part(c, 2, d), bias, l.lengths},
                         {{"reverse", l.reverse(d)}, {"activation", l.activations_of(d)[0]}, {"clip", l.clip}});
    ys.push_back(out[0]), hs.push_back(out[1]);
  }
  return {sequence_of(c, l, ys), finals_of(c, l, hs)};
}

}  // namespace

Rows recurrent_rows() { return {{"LSTM", lstm}, {"GRU", gru}, {"RNN", rnn}}; }

}  // namespace godwit::frontends::onnx

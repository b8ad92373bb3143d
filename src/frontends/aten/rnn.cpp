// Recurrent layers and cells.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// The weights of one layer in one direction.
struct Weights {
  ir::Value *input, *hidden, *input_bias = nullptr, *hidden_bias = nullptr;
};

// The parameter list: layer by layer, forward then backward, each with or without two biases.
class Stack {
 public:
  explicit Stack(Context& c) : c_(c), params_(c.tensors("params")) {
    layers = c.number("num_layers");
    directions = c.flag("bidirectional") ? 2 : 1;
    biases_ = c.flag("has_biases");
    const size_t each = biases_ ? 4 : 2;
    if (layers < 1 || params_.size() != each * static_cast<size_t>(layers * directions))
      c.unsupported("{} weights for {} layers in {} directions (projections are not supported)", params_.size(), layers,
                    directions);
    batch_first_ = c.flag("batch_first");
    if (c.flag("train") && c.real("dropout") > 0) c.session.warn("dropout between recurrent layers is left out");
  }

  Weights weights(int64_t layer, int64_t direction) const {
    const size_t at = static_cast<size_t>(layer * directions + direction) * (biases_ ? 4 : 2);
    Weights w{params_[at], params_[at + 1]};
    if (biases_) w.input_bias = params_[at + 2], w.hidden_bias = params_[at + 3];
    return w;
  }

  // (T, B, I), whatever the source's order.
  ir::Value* time_first(ir::Value* x) const {
    if (x->rank() != 3) c_.fail("the input is {}, (time, batch, size) is expected", ir::str(x->type));
    return batch_first_ ? c_.op("transpose", {x}, {{"axes", ir::Dims{1, 0, 2}}}) : x;
  }
  ir::Value* source_order(ir::Value* y) const {
    return batch_first_ ? c_.op("transpose", {y}, {{"axes", ir::Dims{1, 0, 2}}}) : y;
  }

  // Row i of a state (layers * directions, B, H).
  ir::Value* state(ir::Value* all, int64_t layer, int64_t direction) const {
    const int64_t i = layer * directions + direction;
    ir::Value* part =
        c_.op("slice", {all}, {{"axes", ir::Dims{0}}, {"starts", ir::Dims{i}}, {"stops", ir::Dims{i + 1}}});
    return c_.op("squeeze", {part}, {{"axes", ir::Dims{0}}});
  }
  ir::Value* stacked(const std::vector<ir::Value*>& rows) const {
    std::vector<ir::Value*> parts;
    for (ir::Value* v : rows) parts.push_back(c_.op("expand_dims", {v}, {{"axes", ir::Dims{0}}}));
    return parts.size() == 1 ? parts[0] : c_.op("concat", parts, {{"axis", 0}});
  }
  ir::Value* both(const std::vector<ir::Value*>& directions_out) const {
    return directions_out.size() == 1 ? directions_out[0] : c_.op("concat", directions_out, {{"axis", 2}});
  }
  ir::Value* summed_bias(const Weights& w) const {
    return w.input_bias ? c_.op("add", {w.input_bias, w.hidden_bias}) : nullptr;
  }

  int64_t layers = 0, directions = 1;

 private:
  Context& c_;
  std::vector<ir::Value*> params_;
  bool biases_ = false, batch_first_ = false;
};

Values lstm(Context& c) {
  if (c.schema.overload == "data") c.unsupported("packed sequences");
  Stack stack(c);
  std::vector<ir::Value*> hx = c.tensors("hx"), hs, cs;
  if (hx.size() != 2) c.fail("{} states are given, hidden and cell are expected", hx.size());
  ir::Value* x = stack.time_first(c.tensor("input"));
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    std::vector<ir::Value*> ys;
    for (int64_t d = 0; d < stack.directions; ++d) {
      const Weights w = stack.weights(layer, d);
      auto out = c.b.ops(
          "lstm",
          {x, stack.state(hx[0], layer, d), stack.state(hx[1], layer, d), w.input, w.hidden, stack.summed_bias(w)},
          {{"reverse", d == 1}});
      ys.push_back(out[0]), hs.push_back(out[1]), cs.push_back(out[2]);
    }
    x = stack.both(ys);
  }
  return {c.result(stack.source_order(x)), c.result(stack.stacked(hs)), c.result(stack.stacked(cs))};
}

// GRU and plain RNN: one state.
template <class Layer>
Values one_state(Context& c, const Layer& layer_op) {
  if (c.schema.overload == "data") c.unsupported("packed sequences");
  Stack stack(c);
  ir::Value *hx = c.tensor("hx"), *x = stack.time_first(c.tensor("input"));
  std::vector<ir::Value*> hs;
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    std::vector<ir::Value*> ys;
    for (int64_t d = 0; d < stack.directions; ++d) {
      const Weights w = stack.weights(layer, d);
      auto out = layer_op(stack, w, x, stack.state(hx, layer, d), d == 1);
      ys.push_back(out[0]), hs.push_back(out[1]);
    }
    x = stack.both(ys);
  }
  return {c.result(stack.source_order(x)), c.result(stack.stacked(hs))};
}

Values gru(Context& c) {
  return one_state(c, [&](const Stack&, const Weights& w, ir::Value* x, ir::Value* h, bool reverse) {
    return c.b.ops("gru", {x, h, w.input, w.hidden, w.input_bias, w.hidden_bias}, {{"reverse", reverse}});
  });
}

Translator rnn(const char* activation) {
  return [activation](Context& c) {
    return one_state(c, [&](const Stack& stack, const Weights& w, ir::Value* x, ir::Value* h, bool reverse) {
      return c.b.ops("rnn", {x, h, w.input, w.hidden, stack.summed_bias(w)},
                     {{"reverse", reverse}, {"activation", std::string(activation)}});
    });
  };
}

ir::Value* one_step(Context& c, ir::Value* x) { return c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}}); }

ir::Value* cell_bias(Context& c) { return c.has("b_ih") ? c.op("add", {c.tensor("b_ih"), c.tensor("b_hh")}) : nullptr; }

Values lstm_cell(Context& c) {
  std::vector<ir::Value*> hx = c.tensors("hx");
  if (hx.size() != 2) c.fail("{} states are given, hidden and cell are expected", hx.size());
  auto out =
      c.b.ops("lstm", {one_step(c, c.tensor("input")), hx[0], hx[1], c.tensor("w_ih"), c.tensor("w_hh"), cell_bias(c)});
  return {c.result(out[1]), c.result(out[2])};
}

Values gru_cell(Context& c) {
  auto out = c.b.ops("gru", {one_step(c, c.tensor("input")), c.tensor("hx"), c.tensor("w_ih"), c.tensor("w_hh"),
                             c.tensor_or_null("b_ih"), c.tensor_or_null("b_hh")});
  return {c.result(out[1])};
}

Translator rnn_cell(const char* activation) {
  return [activation](Context& c) -> Values {
    auto out = c.b.ops(
        "rnn", {one_step(c, c.tensor("input")), c.tensor("hx"), c.tensor("w_ih"), c.tensor("w_hh"), cell_bias(c)},
        {{"activation", std::string(activation)}});
    return {c.result(out[1])};
  };
}

}  // namespace

Rows rnn_rows() {
  return {
      {"lstm", lstm},
      {"gru", gru},
      {"rnn_tanh", rnn("tanh")},
      {"rnn_relu", rnn("relu")},
      {"lstm_cell", lstm_cell},
      {"gru_cell", gru_cell},
      {"rnn_tanh_cell", rnn_cell("tanh")},
      {"rnn_relu_cell", rnn_cell("relu")},
  };
}

}  // namespace godwit::frontends::aten

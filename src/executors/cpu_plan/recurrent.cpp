// LSTM and GRU: all input products at once, then step by step.
#include "kernels/recurrent.h"

#include "executors/cpu_plan/rows.h"
#include "kernels/gemm.h"

namespace godwit::executors::plan {
namespace {

bool given(const ir::Node& node, size_t i) { return i < node.inputs.size() && node.inputs[i]; }

Ref optional_row(Lowering& l, const ir::Node& node, size_t i) {
  return given(node, i) ? l.row_major(node.inputs[i]).ref() : Ref{};
}

// weight (gates * H, K) as the right side of a product; null where it is not a constant.
std::optional<Ref> packed(Lowering& l, const ir::Value* value) {
  const Tensor* weight = l.constant(value);
  if (!weight || !computes_in_float(weight->dtype)) return std::nullopt;
  return l.packed(value, "rows", [weight] {
    const Tensor w = weight->contiguous();
    const int64_t n = w.shape[0], k = w.shape[1];
    Tensor out = Tensor::zeros(w.dtype, {kernels::packed_size(k, n)});
    kernels::pack(w.dtype, w.data, 1, k, k, n, out.mutable_data());
    return out;
  });
}

struct Layer {
  Ref x, h0, c0, w_ih, w_hh, bias, hidden_bias, products, gates, y, h, c;
  DType weight_type;
  int64_t steps, batch, in, hidden, gate_count;
  bool reverse;
};

bool emit(Lowering& l, const ir::Node& node, Layer layer, bool is_lstm) {
  const int64_t rows = layer.steps * layer.batch, columns = layer.gate_count * layer.hidden;
  layer.products = l.scratch(static_cast<size_t>(std::max<int64_t>(rows * columns, 1)) * 4);
  layer.gates = l.scratch(static_cast<size_t>(std::max<int64_t>(layer.batch * columns, 1)) * 4);
  layer.y = l.result(node.outputs[0]).ref();
  layer.h = l.result(node.outputs[1]).ref();
  if (is_lstm) layer.c = l.result(node.outputs[2]).ref();
  const double products = 2.0 * static_cast<double>(rows) * static_cast<double>(columns);
  l.emit(
      node, is_lstm ? "lstm" : "gru",
      {layer.x, layer.h0, layer.c0, layer.w_ih, layer.w_hh, layer.bias, layer.hidden_bias, layer.products, layer.gates,
       layer.y, layer.h, layer.c},
      [layer, rows, columns, is_lstm](const Run& run) {
        float* products = run.at<float>(layer.products);
        const kernels::Packed w_ih(run.at<std::byte>(layer.w_ih), layer.weight_type);
        const kernels::Packed w_hh(run.at<std::byte>(layer.w_hh), layer.weight_type);
        kernels::gemm({rows, columns, layer.in, run.at<float>(layer.x), layer.in, w_ih, run.at<float>(layer.bias),
                       products, columns},
                      run.pool);
        const kernels::Recurrent r{layer.steps,
                                   layer.batch,
                                   layer.hidden,
                                   products,
                                   w_hh,
                                   run.at<float>(layer.hidden_bias),
                                   run.at<float>(layer.h0),
                                   run.at<float>(layer.c0),
                                   run.at<float>(layer.y),
                                   run.at<float>(layer.h),
                                   run.at<float>(layer.c),
                                   run.at<float>(layer.gates),
                                   layer.reverse};
        is_lstm ? kernels::lstm(r, run.pool) : kernels::gru(r, run.pool);
      },
      products * static_cast<double>(layer.in + layer.hidden));
  return true;
}

bool start(Lowering& l, const ir::Node& node, int64_t gates, size_t w, Layer& layer) {
  if (!computes_in_float(node.outputs[0]->dtype())) return false;
  const std::optional<Ref> w_ih = packed(l, node.inputs[w]), w_hh = packed(l, node.inputs[w + 1]);
  if (!w_ih || !w_hh) return false;
  const Ints x = l.shape(node.inputs[0]), h = l.shape(node.inputs[1]);
  layer.steps = x[0], layer.batch = x[1], layer.in = x[2], layer.hidden = h[1], layer.gate_count = gates;
  layer.w_ih = *w_ih, layer.w_hh = *w_hh, layer.weight_type = node.inputs[w]->dtype();
  layer.x = l.row_major(node.inputs[0]).ref(), layer.h0 = l.row_major(node.inputs[1]).ref();
  layer.reverse = Attributes(node, l.env()).flag("reverse");
  return true;
}

bool lstm(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const std::vector<std::string> standard{"sigmoid", "tanh", "tanh"};
  if (given(node, 6) || given(node, 7) || a.texts("activations") != standard || a.real("clip") != 0 ||
      a.flag("input_forget"))
    return false;
  Layer layer{};
  if (!start(l, node, 4, 3, layer)) return false;
  layer.c0 = l.row_major(node.inputs[2]).ref(), layer.bias = optional_row(l, node, 5), layer.hidden_bias = {};
  return emit(l, node, layer, true);
}

bool gru(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const std::vector<std::string> standard{"sigmoid", "tanh"};
  if (given(node, 6) || a.texts("activations") != standard || a.real("clip") != 0 || !a.flag("linear_before_reset"))
    return false;
  Layer layer{};
  if (!start(l, node, 3, 2, layer)) return false;
  layer.c0 = {}, layer.c = {};
  layer.bias = optional_row(l, node, 4), layer.hidden_bias = optional_row(l, node, 5);
  return emit(l, node, layer, false);
}

}  // namespace

Rows recurrent_rows() { return {{"lstm", lstm}, {"gru", gru}}; }

}  // namespace godwit::executors::plan

#include "parity/tolerance.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace godwit::parity {
namespace {

constexpr int kDeep = 100;

bool is_layer(const std::string& op) {
  static const std::set<std::string> layers = {"linear",          "matmul",    "einsum", "conv", "conv_transpose",
                                               "deform_conv",     "attention", "lstm",   "gru",  "rnn",
                                               "quantized_linear"};
  return layers.count(op) > 0;
}

bool is_recurrent(const std::string& op) { return op == "lstm" || op == "gru" || op == "rnn" || op == "loop"; }

// Of a node with quantised weights; 0: it has none.
int64_t bits_of(const ir::Node& node) {
  const bool is_quantized = node.op == "quantized_linear" || node.op == "quantized_take";
  const ir::Attr* bits = is_quantized ? node.find("bits") : nullptr;
  return bits ? std::get<ir::Dim>(*bits).value() : 0;
}

int precision(DType dtype) {
  switch (dtype) {
    case DType::bf16: return 0;
    case DType::f16: return 1;
    case DType::f64: return 3;
    default: return 2;
  }
}

}  // namespace

double scaled_tolerance(DType dtype, bool hard) {
  double epsilons = hard ? 16 : 4;
  if (dtype == DType::f16) return epsilons * 0x1p-10;
  if (dtype == DType::bf16) return epsilons * 0x1p-7;
  return hard ? 1e-4 : 1e-5;
}

double quantized_tolerance(int64_t bits) { return bits >= 8 ? 5e-2 : 3e-1; }

ChosenTolerance tolerance_for(const ir::Graph& graph) {
  DType least = DType::f64;
  bool any_float = false, recurrent = !graph.states.empty();
  int layers = 0;
  int64_t fewest_bits = 0;  // of quantised weights
  auto see = [&](const ir::Value* value) {
    if (!value || !is_float(value->type.dtype)) return;
    if (precision(value->type.dtype) < precision(least)) least = value->type.dtype;
    any_float = true;
  };
  for (const ir::Value* input : graph.inputs) see(input);
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
    for (const ir::Value* output : node.outputs) see(output);
    layers += is_layer(node.op);
    if (const int64_t bits = bits_of(node)) fewest_bits = fewest_bits ? std::min(fewest_bits, bits) : bits;
    recurrent = recurrent || is_recurrent(node.op);
  });
  if (!any_float) least = DType::f32;
  ChosenTolerance chosen;
  chosen.tolerance.scaled = scaled_tolerance(least, recurrent || layers > kDeep);
  chosen.why = fmt::format("{}{}", long_name(least),
                           recurrent        ? ", recurrent"
                           : layers > kDeep ? fmt::format(", {} layers", layers)
                                            : "");
  if (fewest_bits > 0) {
    chosen.tolerance.scaled = std::max(chosen.tolerance.scaled, quantized_tolerance(fewest_bits));
    chosen.why += fmt::format(", weights of {} bits: no parity", fewest_bits);
  }
  return chosen;
}

}  // namespace godwit::parity

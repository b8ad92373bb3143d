// Products with 4- and 8-bit weights, and rows of such weights. The weights have to be constants.
#include "kernels/quantized.h"

#include <fmt/format.h>

#include "executors/cpu_plan/products.h"
#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

// The operands weight, scales, biases from `first` on.
struct Weights {
  kernels::QuantizedShape shape;
  Tensor words, scales, biases;
};

// Not made by this plan: its address says which it is, in every plan.
bool is_lasting(const ir::Value* value) {
  return value->kind == ir::Value::Kind::weight || (value->producer && value->producer->op == "constant");
}

std::optional<Weights> weights_of(Lowering& l, const ir::Node& node, size_t first) {
  for (size_t i = first; i < first + 3; ++i)
    if (!is_lasting(node.inputs[i])) return std::nullopt;
  const Tensor *words = l.constant(node.inputs[first]), *scales = l.constant(node.inputs[first + 1]),
               *biases = l.constant(node.inputs[first + 2]);
  if (!computes_in_float(scales->dtype)) return std::nullopt;
  const Attributes a(node, l.env());
  const int64_t group = a.integer("group_size");
  return Weights{
      {words->shape[0], scales->shape[1] * group, a.integer("bits"), group}, words->contiguous(), *scales, *biases};
}

Tensor pack(const Weights& w) {
  Tensor out = Tensor::zeros(DType::u8, {static_cast<int64_t>(kernels::packed_quantized_size(w.shape))});
  const Tensor scales = as_float(w.scales), biases = as_float(w.biases);
  kernels::pack_quantized(w.shape, reinterpret_cast<const uint32_t*>(w.words.data),
                          reinterpret_cast<const float*>(scales.data), reinterpret_cast<const float*>(biases.data),
                          out.mutable_data(), &ThreadPool::shared());
  return out;
}

bool quantized_linear(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const std::optional<Weights> weights = weights_of(l, node, 1);
  if (!weights) return false;
  const kernels::QuantizedShape& s = weights->shape;
  const Layout layout = Layout::row_major(DType::f32, l.shape(node.output()));
  const int64_t m = product(layout.shape, 0, layout.shape.size() - 1), n = s.n;
  const RowsOperand a = rows_operand(l, node.inputs[0]);
  // One weight may have several pairs of scales and biases.
  const std::string kind =
      fmt::format("quantized {} {} {} {}", s.bits, s.group, fmt::ptr(l.constant(node.inputs[2])->data),
                  fmt::ptr(l.constant(node.inputs[3])->data));
  const Ref weight = l.packed(node.inputs[1], kind, [&] { return pack(*weights); });
  Ref bias;
  if (node.inputs.size() > 4 && node.inputs[4]) bias = l.row_major(node.inputs[4]).ref();
  const Ref scratch = l.scratch(std::max<size_t>(kernels::quantized_scratch(s, m), 1));
  auto finish = l.finish(node, layout);
  const Ref out = l.result(l.target(node), layout).ref();
  std::vector<Ref> touched{a.ref, weight, bias, scratch, out};
  if (finish) touched.insert(touched.end(), finish->leaves.begin(), finish->leaves.end());
  l.emit(
      node, fmt::format("{}-bit gemm{}", s.bits, finish ? " + elementwise" : ""), touched,
      [=](const Run& run) {
        float* c = run.at<float>(out);
        const Finish::Bound after(finish ? &*finish : nullptr, run, c);
        kernels::quantized_gemm({s, m, run.at<float>(a.ref), a.stride, run.at<std::byte>(weight), run.at<float>(bias),
                                 c, n, run.at<std::byte>(scratch)},
                                run.pool, finishing(after, n));
      },
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(s.k));
  return true;
}

bool quantized_take(Lowering& l, const ir::Node& node) {
  const DType index = node.inputs[0]->dtype();
  if (!computes_in_float(node.output()->dtype()) || (index != DType::i64 && index != DType::i32)) return false;
  const std::optional<Weights> weights = weights_of(l, node, 1);
  if (!weights) return false;
  const kernels::QuantizedShape s = weights->shape;
  const Place indices = l.row_major(node.inputs[0]);
  const int64_t count = indices.layout.size();
  if (s.n == 0) return false;
  const Ref words = l.constant_ref(weights->words), scales = l.row_major(node.inputs[2]).ref(),
            biases = l.row_major(node.inputs[3]).ref();
  const Ref out = l.result(node.output()).ref();
  l.emit(node, "quantized take", {indices.ref(), words, scales, biases, out},
         [=, indices = indices.ref()](const Run& run) {
           kernels::quantized_take({s, run.at<uint32_t>(words), run.at<float>(scales), run.at<float>(biases),
                                    run.at<std::byte>(indices), index, count},
                                   run.at<float>(out), run.pool);
         });
  return true;
}

}  // namespace

Rows quantized_rows() { return {{"quantized_linear", quantized_linear}, {"quantized_take", quantized_take}}; }

}  // namespace godwit::executors::plan

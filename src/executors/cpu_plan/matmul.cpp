// Matrix products: linear and matmul, with what follows elementwise done on each block of the result.
#include "executors/cpu_plan/products.h"
#include "executors/cpu_plan/rows.h"
#include "kernels/gemm.h"

namespace godwit::executors::plan {
namespace {

struct RightSide {
  Ref ref;
  DType type;  // of its panels
};

// The last two axes of a value, as (k, n); packed once where it is constant, in its own type.
RightSide packed(Lowering& l, const ir::Node& node, const ir::Value* value, bool transposed) {
  const Tensor* weight = l.constant(value);
  const Place from = weight ? l.stored(value) : l.place(value);
  const Layout& layout = from.layout;
  const size_t k_axis = transposed ? 1 : 0, n_axis = 1 - k_axis;
  const int64_t k = layout.shape[k_axis], n = layout.shape[n_axis];
  const int64_t k_stride = layout.strides[k_axis], n_stride = layout.strides[n_axis];
  const DType type = layout.dtype;
  if (weight) {
    const std::string kind = "gemm " + std::to_string(k_stride) + " " + std::to_string(n_stride);
    return {l.packed(value, kind,
                     [&] {
                       Tensor out = Tensor::zeros(type, {kernels::packed_size(k, n)});
                       kernels::pack(type, weight->data, k_stride, n_stride, k, n, out.mutable_data());
                       return out;
                     }),
            type};
  }
  const Ref out = l.scratch(static_cast<size_t>(kernels::packed_size(k, n)) * 4);
  l.emit(node, "pack", {from.ref(), out}, [=, from = from.ref()](const Run& run) {
    kernels::pack(run.at<float>(from), k_stride, n_stride, k, n, run.at<float>(out), &run.pool);
  });
  return {out, DType::f32};
}

void emit_gemm(Lowering& l, const ir::Node& node, int64_t m, int64_t n, int64_t k, RowsOperand a, RightSide b,
               Ref bias) {
  const Layout layout = Layout::row_major(DType::f32, l.shape(node.output()));
  auto finish = l.finish(node, layout);
  const Ref out = l.result(l.target(node), layout).ref();
  std::vector<Ref> touched{a.ref, b.ref, bias, out};
  if (finish) touched.insert(touched.end(), finish->leaves.begin(), finish->leaves.end());
  l.emit(
      node, finish ? "gemm + elementwise" : "gemm", touched,
      [=](const Run& run) {
        float* c = run.at<float>(out);
        const Finish::Bound after(finish ? &*finish : nullptr, run, c);
        const kernels::Packed panels(run.at<std::byte>(b.ref), b.type);
        kernels::gemm({m, n, k, run.at<float>(a.ref), a.stride, panels, run.at<float>(bias), c, n}, run.pool,
                      finishing(after, n));
      },
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

bool linear(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Ints shape = l.shape(node.output()), weight = l.shape(node.inputs[1]);
  const int64_t n = weight[0], k = weight[1];
  const RowsOperand a = rows_operand(l, node.inputs[0]);
  const RightSide b = packed(l, node, node.inputs[1], true);
  Ref bias;
  if (node.inputs.size() > 2 && node.inputs[2]) bias = l.row_major(node.inputs[2]).ref();
  emit_gemm(l, node, product(shape, 0, shape.size() - 1), n, k, a, b, bias);
  return true;
}

bool matmul(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Ints shape = l.shape(node.output()), left = l.shape(node.inputs[0]), right = l.shape(node.inputs[1]);
  if (right.size() == 2 && !left.empty()) {
    const int64_t k = right[0], n = right[1];
    const RowsOperand rows = rows_operand(l, node.inputs[0]);
    emit_gemm(l, node, product(left, 0, left.size() - 1), n, k, rows, packed(l, node, node.inputs[1], false), {});
    return true;
  }
  if (left.size() < 2 || right.size() < 2) return false;
  Place a = l.place(node.inputs[0]);
  const Place b = l.place(node.inputs[1]);
  if (a.layout.strides.back() != 1 && a.layout.shape.back() != 1) a = l.row_major(node.inputs[0]);
  emit_products(l, node, a, b, shape, l.result(node.output()).ref());
  return true;
}

}  // namespace

void emit_products(Lowering& l, const ir::Node& node, const Place& a, const Place& b, const Ints& shape, Ref out) {
  const size_t rank = shape.size();
  const int64_t m = shape[rank - 2], n = shape[rank - 1], k = a.layout.shape.back();
  Ints lead(shape.begin(), shape.end() - 2);
  auto steps = [&](const Layout& from) {
    Ints strides(lead.size(), 0);
    const size_t skip = rank - from.shape.size();
    for (size_t i = skip; i < lead.size(); ++i)
      if (from.shape[i - skip] != 1) strides[i] = from.strides[i - skip];
    return strides;
  };
  const Ints a_steps = steps(a.layout), b_steps = steps(b.layout);
  const int64_t batches = product(lead, 0, lead.size()), size = kernels::packed_size(k, n);
  const int64_t a_row = a.layout.strides[a.layout.strides.size() - 2];
  const int64_t bk = b.layout.strides[b.layout.strides.size() - 2], bn = b.layout.strides.back();
  const Ref scratch = l.scratch(static_cast<size_t>(std::max<int64_t>(size * batches, 1)) * 4);
  l.emit(
      node, "batched gemm", {a.ref(), b.ref(), scratch, out},
      [=, a = a.ref(), b = b.ref()](const Run& run) {
        auto one = [&](int64_t batch, ThreadPool& pool) {
          int64_t at = 0, bt = 0, rest = batch;
          for (size_t i = lead.size(); i-- > 0; rest /= lead[i])
            at += rest % lead[i] * a_steps[i], bt += rest % lead[i] * b_steps[i];
          float* p = run.at<float>(scratch) + batch * size;
          kernels::pack(run.at<float>(b) + bt, bk, bn, k, n, p, &pool);
          kernels::gemm({m, n, k, run.at<float>(a) + at, a_row, p, nullptr, run.at<float>(out) + batch * m * n, n},
                        pool);
        };
        if (batches < run.pool.threads()) {
          for (int64_t i = 0; i < batches; ++i) one(i, run.pool);
          return;
        }
        run.pool.parallel_for(batches, 1, [&](int64_t first, int64_t last) {
          static thread_local ThreadPool alone(1);
          for (int64_t i = first; i < last; ++i) one(i, alone);
        });
      },
      2.0 * static_cast<double>(batches) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

Rows matmul_rows() { return {{"linear", linear}, {"matmul", matmul}}; }

}  // namespace godwit::executors::plan

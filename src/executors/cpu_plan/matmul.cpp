// Matrix products: linear and matmul, with what follows elementwise done on each block of the result.
#include "executors/cpu_plan/products.h"
#include "executors/cpu_plan/rows.h"
#include "kernels/gemm.h"

namespace godwit::executors::plan {
namespace {

// (k, n) with any strides, packed once where it is constant.
Ref packed(Lowering& l, const ir::Node& node, const ir::Value* value, int64_t k, int64_t n, int64_t k_stride,
           int64_t n_stride) {
  if (const Tensor* weight = l.constant(value))
    return l.packed(value, "gemm " + std::to_string(k_stride) + " " + std::to_string(n_stride), [&] {
      Tensor out = Tensor::zeros(DType::f32, {kernels::packed_size(k, n)});
      kernels::pack(reinterpret_cast<const float*>(weight->data), k_stride, n_stride, k, n,
                    reinterpret_cast<float*>(out.mutable_data()));
      return out;
    });
  const Ref out = l.scratch(static_cast<size_t>(kernels::packed_size(k, n)) * 4);
  const Ref from = l.place(value).ref();
  l.emit(node, "pack", {from, out}, [=](const Run& run) {
    kernels::pack(run.at<float>(from), k_stride, n_stride, k, n, run.at<float>(out), &run.pool);
  });
  return out;
}

void emit_gemm(Lowering& l, const ir::Node& node, int64_t m, int64_t n, int64_t k, RowsOperand a, Ref b, Ref bias) {
  const Layout layout = Layout::row_major(DType::f32, l.shape(node.output()));
  auto finish = l.finish(node, layout);
  const Ref out = l.result(l.target(node), layout).ref();
  std::vector<Ref> touched{a.ref, b, bias, out};
  if (finish) touched.insert(touched.end(), finish->leaves.begin(), finish->leaves.end());
  l.emit(
      node, finish ? "gemm + elementwise" : "gemm", touched,
      [=](const Run& run) {
        float* c = run.at<float>(out);
        const Finish::Bound after(finish ? &*finish : nullptr, run, c);
        kernels::gemm({m, n, k, run.at<float>(a.ref), a.stride, run.at<float>(b), run.at<float>(bias), c, n}, run.pool,
                      finishing(after, n));
      },
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

bool linear(Lowering& l, const ir::Node& node) {
  if (node.output()->dtype() != DType::f32) return false;
  const Place& weight = l.place(node.inputs[1]);
  const int64_t n = weight.layout.shape[0], k = weight.layout.shape[1];
  const int64_t n_stride = weight.layout.strides[0], k_stride = weight.layout.strides[1];
  const Ints shape = l.shape(node.output());
  const RowsOperand a = rows_operand(l, node.inputs[0]);
  const Ref b = packed(l, node, node.inputs[1], k, n, k_stride, n_stride);
  Ref bias;
  if (node.inputs.size() > 2 && node.inputs[2]) bias = l.row_major(node.inputs[2]).ref();
  emit_gemm(l, node, product(shape, 0, shape.size() - 1), n, k, a, b, bias);
  return true;
}

bool matmul(Lowering& l, const ir::Node& node) {
  if (node.output()->dtype() != DType::f32) return false;
  Place a = l.place(node.inputs[0]), b = l.place(node.inputs[1]);
  Ints shape = l.shape(node.output());
  if (b.layout.rank() == 2 && a.layout.rank() >= 1) {
    const int64_t k = b.layout.shape[0], n = b.layout.shape[1];
    const RowsOperand rows = rows_operand(l, node.inputs[0]);
    const Ref packed_b = packed(l, node, node.inputs[1], k, n, b.layout.strides[0], b.layout.strides[1]);
    emit_gemm(l, node, k == 0 ? product(shape, 0, shape.size()) / std::max<int64_t>(n, 1) : a.layout.size() / k, n, k,
              rows, packed_b, {});
    return true;
  }
  if (a.layout.rank() < 2 || b.layout.rank() < 2) return false;
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

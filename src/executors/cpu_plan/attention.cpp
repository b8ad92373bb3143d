// Attention, reading queries, keys and values where they lie.
#include "kernels/attention.h"

#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

// (B, H, S, D) with the depth contiguous.
Place heads(Lowering& l, const ir::Value* value) {
  const Place& p = l.place(value);
  return p.layout.strides[3] == 1 || p.layout.shape[3] == 1 ? p : l.row_major(value);
}

std::array<int64_t, 3> outer(const Layout& layout) { return {layout.strides[0], layout.strides[1], layout.strides[2]}; }

bool attention(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  for (size_t i = 0; i < 3; ++i)
    if (!computes_in_float(node.inputs[i]->dtype()) || l.shape(node.inputs[i]).size() != 4) return false;
  const Attributes attributes(node, l.env());
  const Place q = heads(l, node.inputs[0]), k = heads(l, node.inputs[1]), v = heads(l, node.inputs[2]);
  kernels::Attention a{};
  a.batch = q.layout.shape[0], a.heads = q.layout.shape[1], a.queries = q.layout.shape[2], a.depth = q.layout.shape[3];
  a.kv_heads = k.layout.shape[1], a.keys = k.layout.shape[2], a.value_depth = v.layout.shape[3];
  if (k.layout.shape[0] != a.batch || v.layout.shape[0] != a.batch || a.keys == 0) return false;
  a.q_stride = outer(q.layout), a.k_stride = outer(k.layout), a.v_stride = outer(v.layout);
  a.scale = static_cast<float>(attributes.real("scale")), a.causal = attributes.flag("causal");
  Ref mask;
  if (node.inputs.size() > 3 && node.inputs[3]) {
    Place m = l.place(node.inputs[3]);
    a.mask_dtype = m.layout.dtype;
    if (a.mask_dtype != DType::f32 && a.mask_dtype != DType::boolean) return false;
    const size_t rank = m.layout.shape.size();
    for (size_t i = 0; i < rank; ++i)
      if (m.layout.shape[i] != 1) a.mask_stride[4 - rank + i] = m.layout.strides[i];
    mask = m.ref();
  }
  // Heads are joined again by what follows: rows of (B, S, H, D) make that a view.
  const Layout layout = Layout::ordered(DType::f32, l.shape(node.output()), {0, 2, 1, 3});
  a.out_stride = outer(layout);
  const Ref out = l.result(node.output(), layout).ref();
  l.emit(
      node, "attention", {q.ref(), k.ref(), v.ref(), mask, out},
      [a, q = q.ref(), k = k.ref(), v = v.ref(), mask, out](const Run& run) {
        kernels::Attention call = a;
        call.q = run.at<float>(q), call.k = run.at<float>(k), call.v = run.at<float>(v);
        call.mask = run.at<std::byte>(mask), call.out = run.at<float>(out);
        kernels::attention(call, run.pool);
      },
      2.0 * static_cast<double>(a.batch * a.heads * a.queries) *
          static_cast<double>(a.keys * (a.depth + a.value_depth)));
  return true;
}

}  // namespace

Rows attention_rows() { return {{"attention", attention}}; }

}  // namespace godwit::executors::plan

// Sorts, positions of extremes, running sums.
#include "kernels/order.h"

#include "executors/cpu_plan/rows.h"
#include "kernels/scan.h"

namespace godwit::executors::plan {
namespace {

// Lines of the operand, each contiguous; a scalar is a line of one element.
struct Lines {
  Ref ref;
  DType dtype;             // half types are float32 here
  std::vector<int> order;  // axes in memory, that of the lines last
  int64_t count, n;
};

Lines lines_of(Lowering& l, const ir::Node& node) {
  const Ints shape = l.shape(node.inputs[0]);
  const Place& x = l.place(node.inputs[0]);
  if (shape.empty()) return {x.ref(), x.layout.dtype, {}, 1, 1};
  const int64_t axis = positive(Attributes(node, l.env()).integer("axis"), static_cast<int64_t>(shape.size()));
  Lines lines;
  lines.dtype = x.layout.dtype;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i)
    if (i != axis) lines.order.push_back(i);
  lines.order.push_back(static_cast<int>(axis));
  lines.ref = l.ordered(node.inputs[0], lines.order).ref();
  lines.n = shape[static_cast<size_t>(axis)];
  lines.count = product(shape, 0, shape.size()) / lines.n;
  return lines;
}

// The first k of each line, values and indices.
bool emit_sort(Lowering& l, const ir::Node& node, bool descending, bool has_k) {
  if (!kernels::has_order(computed_as(node.inputs[0]->dtype()))) return false;
  const Lines x = lines_of(l, node);
  const int64_t k = has_k && !x.order.empty() ? Attributes(node, l.env()).integer("k") : x.n;
  if (k < 1 || k > x.n) return false;
  Ref out[2];
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ir::Value* v = node.outputs[i];
    out[i] = l.result(v, Layout::ordered(computed_as(v->dtype()), l.shape(v), x.order)).ref();
  }
  const kernels::Sort sort{x.dtype, x.count, x.n, k, descending};
  l.emit(node, "sort", {x.ref, out[0], out[1]}, [=, from = x.ref, values = out[0], indices = out[1]](const Run& run) {
    sort.run(run.at<std::byte>(from), run.at<std::byte>(values), run.at<int64_t>(indices), run.pool);
  });
  return true;
}

bool sort(Lowering& l, const ir::Node& node) {
  return emit_sort(l, node, Attributes(node, l.env()).flag("descending"), false);
}
bool topk(Lowering& l, const ir::Node& node) {
  return emit_sort(l, node, Attributes(node, l.env()).flag("largest"), true);
}

bool extreme(Lowering& l, const ir::Node& node, bool largest) {
  if (!kernels::has_order(computed_as(node.inputs[0]->dtype()))) return false;
  const Attributes a(node, l.env());
  const Lines x = lines_of(l, node);
  const kernels::ArgExtreme kernel{x.dtype, x.count, x.n, largest, a.flag("last")};
  const Ref out = l.result(node.output()).ref();  // the other axes in their order
  l.emit(node, largest ? "argmax" : "argmin", {x.ref, out},
         [=, from = x.ref](const Run& run) { kernel.run(run.at<std::byte>(from), run.at<int64_t>(out), run.pool); });
  return true;
}
bool argmax(Lowering& l, const ir::Node& node) { return extreme(l, node, true); }
bool argmin(Lowering& l, const ir::Node& node) { return extreme(l, node, false); }

bool searchsorted(Lowering& l, const ir::Node& node) {
  const DType dtype = computed_as(node.inputs[0]->dtype());
  if (!kernels::has_order(dtype) || node.inputs[1]->dtype() != node.inputs[0]->dtype()) return false;
  const Ints sequence = l.shape(node.inputs[0]), values = l.shape(node.inputs[1]);
  const bool shared = sequence.size() == 1;
  const int64_t all = product(values, 0, values.size()), m = shared ? all : values.back();
  if (!shared && !std::equal(sequence.begin(), sequence.end() - 1, values.begin())) return false;
  const kernels::SearchSorted kernel{dtype, all / m, sequence.back(), m, Attributes(node, l.env()).flag("right"),
                                     shared};
  const Ref from = l.row_major(node.inputs[0]).ref(), what = l.row_major(node.inputs[1]).ref();
  const Ref out = l.result(node.output()).ref();
  l.emit(node, "searchsorted", {from, what, out}, [=](const Run& run) {
    kernel.run(run.at<std::byte>(from), run.at<std::byte>(what), run.at<int64_t>(out), run.pool);
  });
  return true;
}

bool scan(Lowering& l, const ir::Node& node, bool is_product) {
  const DType dtype = computed_as(node.output()->dtype());
  if (!kernels::has_scan(dtype) || node.inputs[0]->dtype() != node.output()->dtype()) return false;
  const Attributes a(node, l.env());
  const Ints shape = l.shape(node.output());
  const auto axis = static_cast<size_t>(positive(a.integer("axis"), static_cast<int64_t>(shape.size())));
  const bool is_scalar = shape.empty();
  const kernels::Scan kernel{dtype,
                             is_scalar ? 1 : product(shape, 0, axis),
                             is_scalar ? 1 : shape[axis],
                             is_scalar ? 1 : product(shape, axis + 1, shape.size()),
                             is_product,
                             a.flag("exclusive"),
                             a.flag("reverse")};
  const Ref x = l.row_major(node.inputs[0]).ref(), out = l.result(node.output()).ref();
  l.emit(node, "scan", {x, out},
         [=](const Run& run) { kernel.run(run.at<std::byte>(x), run.at<std::byte>(out), run.pool); });
  return true;
}
bool cumsum(Lowering& l, const ir::Node& node) { return scan(l, node, false); }
bool cumprod(Lowering& l, const ir::Node& node) { return scan(l, node, true); }

}  // namespace

Rows order_rows() {
  return {{"sort", sort},
          {"topk", topk},
          {"argmax", argmax},
          {"argmin", argmin},
          {"cumsum", cumsum},
          {"cumprod", cumprod},
          {"searchsorted", searchsorted}};
}

}  // namespace godwit::executors::plan

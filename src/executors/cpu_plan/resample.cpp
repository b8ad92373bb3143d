// Resampling: regular (resize) and at given places (grid_sample).
#include "executors/cpu_plan/resample.h"

#include <algorithm>

#include "executors/cpu_plan/rows.h"
#include "kernels/grid_sample.h"
#include "kernels/resample.h"

namespace godwit::executors::plan {
namespace {

bool changes_nothing(const ops::ResizeTable& table, int64_t in, int64_t out) {
  if (in != out) return false;
  for (size_t i = 0; i < table.index.size(); ++i) {
    const bool own = table.index[i] == static_cast<int32_t>(i / static_cast<size_t>(table.count));
    if (!own && (table.weight.empty() || table.weight[i] != 0)) return false;
  }
  return true;
}

bool resize(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const DType dtype = node.output()->dtype();
  const bool gathers = a.text("mode") == "nearest";
  const Ints shape = l.shape(node.inputs[0]), axes = a.ints("axes"), size = a.ints("size");
  if (a.text("coordinates") == "tf_crop_and_resize" || !(gathers ? item_size(dtype) <= 8 : computes_in_float(dtype)))
    return false;
  const std::vector<double> scales = a.reals("scales");
  std::vector<AxisPass> passes;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(positive(axes[i], static_cast<int64_t>(shape.size())));
    if (size[i] < 1 || size[i] > INT32_MAX || shape[axis] > INT32_MAX) return false;
    ops::ResizeTable table = ops::resize_table(static_cast<int>(shape[axis]), static_cast<int>(size[i]), a.text("mode"),
                                               a.text("coordinates"), scales.empty() ? 0 : scales[i], a.text("nearest"),
                                               a.real("cubic_a"), a.flag("antialias"), a.flag("exclude_outside"));
    if (!changes_nothing(table, shape[axis], size[i])) passes.push_back({axis, size[i], std::move(table)});
  }
  emit_passes(l, node, std::move(passes), gathers ? "resize nearest" : "resize");
  return true;
}

// Channels last: each sample is a weighted sum of whole pixels. Half types keep the row of MLX: where a sample lies is
// rounded to them in the original.
bool grid_sample(Lowering& l, const ir::Node& node) {
  for (const ir::Value* v : {node.inputs[0], node.inputs[1], node.output()})
    if (v->dtype() != DType::f32) return false;
  const Attributes a(node, l.env());
  const Ints x_shape = l.shape(node.inputs[0]), shape = l.shape(node.output());
  using Grid = kernels::GridSample;
  Grid g;
  g.batch = shape[0], g.channels = shape[1], g.places = product(shape, 2, shape.size());
  g.spatial.assign(x_shape.begin() + 2, x_shape.end());
  const std::string &mode = a.text("mode"), &padding = a.text("padding");
  g.mode = mode == "nearest" ? Grid::Mode::nearest : mode == "linear" ? Grid::Mode::linear : Grid::Mode::cubic;
  g.padding = padding == "zeros"    ? Grid::Padding::zeros
              : padding == "border" ? Grid::Padding::border
                                    : Grid::Padding::reflection;
  g.align_corners = a.flag("align_corners");
  std::vector<int> order{0};
  for (int i = 2; i < static_cast<int>(shape.size()); ++i) order.push_back(i);
  order.push_back(1);
  const Ref x = l.ordered(node.inputs[0], order).ref(), grid = l.row_major(node.inputs[1]).ref();
  const Ref out = l.result(node.output(), Layout::ordered(DType::f32, shape, order)).ref();
  l.emit(node, "grid_sample", {x, grid, out},
         [=](const Run& run) { g.run(run.at<float>(x), run.at<float>(grid), run.at<float>(out), run.pool); });
  return true;
}

}  // namespace

void emit_passes(Lowering& l, const ir::Node& node, std::vector<AxisPass> passes, const char* name) {
  Place at = l.place(node.inputs[0]);
  if (passes.empty()) return l.alias(node.output(), at);
  std::vector<int> order;
  if (!at.layout.is_dense(&order)) {
    at = l.row_major(node, at);
    at.layout.is_dense(&order);
  }
  Ints shape = at.layout.shape;
  // What shrinks comes first: the passes behind have less to do.
  std::stable_sort(passes.begin(), passes.end(),
                   [&](const AxisPass& p, const AxisPass& q) { return p.out * shape[q.axis] < q.out * shape[p.axis]; });
  for (size_t i = 0; i < passes.size(); ++i) {
    AxisPass& pass = passes[i];
    int64_t outer = 1, inner = 1;
    bool behind = false;
    for (int axis : order) {
      if (static_cast<size_t>(axis) == pass.axis)
        behind = true;
      else
        (behind ? inner : outer) *= shape[static_cast<size_t>(axis)];
    }
    const int64_t in = shape[pass.axis];
    shape[pass.axis] = pass.out;
    const Layout layout = Layout::ordered(at.layout.dtype, shape, order);
    const Ref to = i + 1 == passes.size() ? l.result(node.output(), layout).ref() : l.scratch(layout.nbytes());
    kernels::Resample kernel(outer, in, inner, pass.out, pass.table.count, std::move(pass.table.index),
                             std::move(pass.table.weight), item_size(layout.dtype));
    l.emit(node, name, {at.ref(), to}, [=, from = at.ref()](const Run& run) {
      kernel.run(run.at<std::byte>(from), run.at<std::byte>(to), run.pool);
    });
    at = {to.buffer, layout};
  }
}

Rows resample_rows() { return {{"resize", resize}, {"grid_sample", grid_sample}}; }

}  // namespace godwit::executors::plan

// Writes to places that indices name: the operand is copied, then the updates go into the copy.
#include "kernels/scatter.h"

#include <algorithm>

#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

using kernels::Scatter;

bool is_index(const ir::Value* v) { return v->dtype() == DType::i64 || v->dtype() == DType::i32; }

std::optional<Scatter::Reduction> reduction_of(const std::string& name) {
  using R = Scatter::Reduction;
  if (name == "none") return R::none;
  if (name == "add") return R::add;
  if (name == "mul") return R::multiply;
  if (name == "min") return R::minimum;
  if (name == "max") return R::maximum;
  return std::nullopt;
}

void emit_scatter(Lowering& l, const ir::Node& node, Scatter scatter, const Place& updates,
                  const std::vector<Place>& indices) {
  const Place out = l.result(node.output());
  l.copy(node, l.place(node.inputs[0]), out);
  std::vector<Ref> refs, touched{updates.ref(), out.ref()};
  for (const Place& p : indices) refs.push_back(p.ref());
  touched.insert(touched.end(), refs.begin(), refs.end());
  l.emit(node, "scatter", touched,
         [scatter = std::move(scatter), refs, updates = updates.ref(), out = out.ref()](const Run& run) {
           const std::byte* at[8];
           for (size_t i = 0; i < refs.size(); ++i) at[i] = run.at<std::byte>(refs[i]);
           scatter.run(run.at<std::byte>(updates), at, run.at<std::byte>(out));
         });
}

// Strides of a value that is broadcast to `shape`.
Ints broadcast_strides(const Layout& layout, const Ints& shape) {
  Ints strides(shape.size(), 0);
  const size_t skip = shape.size() - layout.shape.size();
  for (size_t i = 0; i < layout.shape.size(); ++i)
    if (layout.shape[i] != 1) strides[skip + i] = layout.strides[i];
  return strides;
}

// As torch.scatter: updates beyond the indices' shape are left out.
bool scatter(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const auto reduction = reduction_of(a.text("reduction"));
  const DType dtype = computed_as(node.output()->dtype());
  const Ints shape = l.shape(node.output());
  const Place indices = l.place(node.inputs[1]), updates = l.place(node.inputs[2]);
  const Ints& count = indices.layout.shape;
  if (!reduction || !Scatter::has(dtype, *reduction) || !is_index(node.inputs[1]) || shape.empty() ||
      count.size() != shape.size() || updates.layout.shape.size() != shape.size())
    return false;
  const auto axis = static_cast<size_t>(positive(a.integer("axis"), static_cast<int64_t>(shape.size())));
  for (size_t i = 0; i < shape.size(); ++i)
    if ((i != axis && count[i] > shape[i]) || count[i] > updates.layout.shape[i]) return false;  // MLX's row refuses it
  Scatter s{dtype, *reduction, count, row_major_strides(shape), updates.layout.strides, {}};
  s.picks.push_back({indices.layout.dtype, indices.layout.strides, s.strides[axis], shape[axis]});
  s.strides[axis] = 0;
  emit_scatter(l, node, std::move(s), updates, {indices});
  return true;
}

// indices (..., k) name places along the first k axes; each takes a slice of the updates.
bool scatter_nd(Lowering& l, const ir::Node& node) {
  const auto reduction = reduction_of(Attributes(node, l.env()).text("reduction"));
  const DType dtype = computed_as(node.output()->dtype());
  const Ints shape = l.shape(node.output()), strides = row_major_strides(shape);
  const Place indices = l.place(node.inputs[1]), updates = l.place(node.inputs[2]);
  const auto k = static_cast<size_t>(indices.layout.shape.back());
  if (!reduction || !Scatter::has(dtype, *reduction) || !is_index(node.inputs[1]) || k > 8) return false;
  const size_t lead = indices.layout.shape.size() - 1;
  Scatter s{dtype, *reduction, updates.layout.shape, Ints(lead, 0), updates.layout.strides, {}};
  s.strides.insert(s.strides.end(), strides.begin() + static_cast<int64_t>(k), strides.end());
  if (s.shape.size() != s.strides.size()) return false;
  std::vector<Place> columns;
  for (size_t i = 0; i < k; ++i) {
    Ints steps(s.shape.size(), 0);
    std::copy(indices.layout.strides.begin(), indices.layout.strides.end() - 1, steps.begin());
    s.picks.push_back({indices.layout.dtype, std::move(steps), strides[i], shape[i]});
    columns.push_back(indices);
    columns.back().layout.offset += static_cast<int64_t>(i) * indices.layout.strides.back();
  }
  emit_scatter(l, node, std::move(s), updates, columns);
  return true;
}

// x[:, i, :, j] = values, where the axes of the indices stand as in a read.
bool index_put(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const auto reduction = a.flag("accumulate") ? Scatter::Reduction::add : Scatter::Reduction::none;
  const DType dtype = computed_as(node.output()->dtype());
  const Ints shape = l.shape(node.output()), strides = row_major_strides(shape);
  std::vector<size_t> axes;
  for (int64_t axis : a.ints("axes"))
    axes.push_back(static_cast<size_t>(positive(axis, static_cast<int64_t>(shape.size()))));
  if (!Scatter::has(dtype, reduction) || axes.empty() || axes.size() > 8) return false;
  bool neighbours = true;
  for (size_t i = 1; i < axes.size(); ++i) neighbours = neighbours && axes[i] == axes[i - 1] + 1;
  // The indices together have the shape that they broadcast to.
  Ints wide;
  for (size_t i = 0; i < axes.size(); ++i) {
    const ir::Value* v = node.inputs[i + 2];
    if (!is_index(v)) return false;
    const Ints s = l.shape(v);
    if (s.size() > wide.size()) wide.insert(wide.begin(), s.size() - wide.size(), 1);
    for (size_t d = 0; d < s.size(); ++d) {
      int64_t& size = wide[wide.size() - s.size() + d];
      if (size != 1 && s[d] != 1 && size != s[d]) return false;
      size = std::max(size, s[d]);
    }
  }
  const size_t front = neighbours ? axes[0] : 0;
  Scatter s{dtype, reduction, {}, {}, {}, {}};
  for (size_t i = 0; i < shape.size(); ++i)
    if (std::find(axes.begin(), axes.end(), i) == axes.end())
      s.shape.push_back(shape[i]), s.strides.push_back(strides[i]);
  s.shape.insert(s.shape.begin() + static_cast<int64_t>(front), wide.begin(), wide.end());
  s.strides.insert(s.strides.begin() + static_cast<int64_t>(front), wide.size(), 0);
  std::vector<Place> indices;
  for (size_t i = 0; i < axes.size(); ++i) {
    indices.push_back(l.place(node.inputs[i + 2]));
    const Ints steps = broadcast_strides(indices.back().layout, wide);
    Ints all(s.shape.size(), 0);
    std::copy(steps.begin(), steps.end(), all.begin() + static_cast<int64_t>(front));
    s.picks.push_back({indices.back().layout.dtype, std::move(all), strides[axes[i]], shape[axes[i]]});
  }
  const Place values = l.place(node.inputs[1]);
  if (values.layout.shape.size() > s.shape.size()) return false;
  for (size_t i = 0; i < values.layout.shape.size(); ++i) {
    const int64_t size = values.layout.shape[i];
    if (size != 1 && size != s.shape[s.shape.size() - values.layout.shape.size() + i]) return false;
  }
  s.update_strides = broadcast_strides(values.layout, s.shape);
  emit_scatter(l, node, std::move(s), values, indices);
  return true;
}

}  // namespace

Rows scatter_rows() { return {{"scatter", scatter}, {"scatter_nd", scatter_nd}, {"index_put", index_put}}; }

}  // namespace godwit::executors::plan

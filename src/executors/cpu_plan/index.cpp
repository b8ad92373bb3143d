// Gathers and pads.
#include <algorithm>
#include <cstring>

#include "executors/cpu_plan/rows.h"
#include "kernels/gather.h"

namespace godwit::executors::plan {
namespace {

bool is_index(const ir::Value* v) { return v->dtype() == DType::i64 || v->dtype() == DType::i32; }

void emit_gather(Lowering& l, const ir::Node& node, kernels::Gather gather, const Place& x,
                 const std::vector<Place>& indices) {
  gather.shape = l.shape(node.output());
  gather.item = item_size(x.layout.dtype);
  const Ref out = l.moved(node.output(), Layout::row_major(x.layout.dtype, gather.shape)).ref();
  std::vector<Ref> refs, touched{x.ref(), out};
  for (const Place& p : indices) refs.push_back(p.ref());
  touched.insert(touched.end(), refs.begin(), refs.end());
  l.emit(node, "gather", touched, [gather = std::move(gather), refs, x = x.ref(), out](const Run& run) {
    const std::byte* at[8];
    for (size_t i = 0; i < refs.size(); ++i) at[i] = run.at<std::byte>(refs[i]);
    gather.run(run.at<std::byte>(x), at, run.at<std::byte>(out), run.pool);
  });
}

// x (a..., n, b...), indices (i...) -> (a..., i..., b...)
bool take(Lowering& l, const ir::Node& node) {
  if (!is_index(node.inputs[1])) return false;
  const Place x = l.stored(node.inputs[0]), indices = l.place(node.inputs[1]);
  const auto axis = static_cast<size_t>(positive(Attributes(node, l.env()).integer("axis"), x.layout.rank()));
  const size_t count = indices.layout.shape.size();
  if (x.layout.shape.empty() || x.layout.shape[axis] == 0) return false;
  kernels::Gather g;
  g.strides = x.layout.strides;
  g.strides.erase(g.strides.begin() + static_cast<int64_t>(axis));
  g.strides.insert(g.strides.begin() + static_cast<int64_t>(axis), count, 0);
  kernels::Gather::Pick pick{indices.layout.dtype, Ints(g.strides.size(), 0), x.layout.strides[axis],
                             x.layout.shape[axis]};
  std::copy(indices.layout.strides.begin(), indices.layout.strides.end(),
            pick.strides.begin() + static_cast<int64_t>(axis));
  g.picks.push_back(std::move(pick));
  emit_gather(l, node, std::move(g), x, {indices});
  return true;
}

// As torch.gather.
bool take_along(Lowering& l, const ir::Node& node) {
  if (!is_index(node.inputs[1])) return false;
  const Place x = l.stored(node.inputs[0]), indices = l.place(node.inputs[1]);
  const auto axis = static_cast<size_t>(positive(Attributes(node, l.env()).integer("axis"), x.layout.rank()));
  if (x.layout.shape.empty() || x.layout.shape[axis] == 0) return false;
  kernels::Gather g;
  g.strides = x.layout.strides;
  g.strides[axis] = 0;
  // Along other axes an operand of one element is not repeated by the op: shapes there are those of the indices.
  g.picks.push_back({indices.layout.dtype, indices.layout.strides, x.layout.strides[axis], x.layout.shape[axis]});
  emit_gather(l, node, std::move(g), x, {indices});
  return true;
}

// x[:, i, :, j]: the indices broadcast; their axes stand where the picked ones were if those are neighbours, else
// first.
bool index(Lowering& l, const ir::Node& node) {
  const Place x = l.stored(node.inputs[0]);
  const Ints given = Attributes(node, l.env()).ints("axes");
  const size_t rank = x.layout.shape.size(), out_rank = l.shape(node.output()).size();
  if (given.size() > 8) return false;
  std::vector<size_t> axes;
  for (int64_t a : given) axes.push_back(static_cast<size_t>(positive(a, x.layout.rank())));
  bool neighbours = true;
  for (size_t i = 1; i < axes.size(); ++i) neighbours = neighbours && axes[i] == axes[i - 1] + 1;
  const size_t wide = out_rank - (rank - axes.size()), front = neighbours ? axes[0] : 0;
  kernels::Gather g;
  for (size_t a = 0; a < rank; ++a)
    if (std::find(axes.begin(), axes.end(), a) == axes.end()) g.strides.push_back(x.layout.strides[a]);
  g.strides.insert(g.strides.begin() + static_cast<int64_t>(front), wide, 0);
  std::vector<Place> indices;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (!is_index(node.inputs[i + 1]) || x.layout.shape[axes[i]] == 0) return false;
    const Place p = l.place(node.inputs[i + 1]);
    kernels::Gather::Pick pick{p.layout.dtype, Ints(out_rank, 0), x.layout.strides[axes[i]], x.layout.shape[axes[i]]};
    const size_t skip = wide - p.layout.shape.size();
    for (size_t k = 0; k < p.layout.shape.size(); ++k)
      if (p.layout.shape[k] != 1) pick.strides[front + skip + k] = p.layout.strides[k];
    g.picks.push_back(std::move(pick));
    indices.push_back(p);
  }
  emit_gather(l, node, std::move(g), x, indices);
  return true;
}

// Constant pads: the value everywhere, then the operand into its place. Negative pads crop. Reflections and repetitions
// copy slices, outermost axis last, so that corners come right.
bool pad(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const std::string& mode = a.text("mode");
  const Ints low = a.ints("low"), high = a.ints("high");
  Place x = l.stored(node.inputs[0]);
  const Ints shape = x.layout.shape;
  if (x.layout.size() == 0 || l.shape(node.output()).empty()) return false;
  const bool is_constant = mode == "constant";
  for (size_t i = 0; i < low.size(); ++i) {
    if (!is_constant && (low[i] < 0 || high[i] < 0 || mode == "wrap")) return false;
    if (mode == "reflect" && (low[i] >= shape[i] || high[i] >= shape[i])) return false;
  }
  const Place out = l.moved(node.output(), Layout::row_major(x.layout.dtype, l.shape(node.output())));
  if (is_constant) {
    const size_t item = item_size(out.layout.dtype);
    Ref value;
    if (node.inputs.size() > 1 && node.inputs[1]) {
      const Place one{l.scratch(item).buffer, Layout::row_major(out.layout.dtype, {})};
      l.copy(node, l.stored(node.inputs[1]), one);
      value = one.ref();
    }
    const auto count = static_cast<size_t>(out.layout.size());
    l.emit(node, "fill", {value, out.ref()}, [=, to = out.ref()](const Run& run) {
      std::byte* p = run.at<std::byte>(to);
      if (value.buffer < 0) {
        std::memset(p, 0, count * item);
        return;
      }
      for (size_t i = 0; i < count; ++i) std::memcpy(p + i * item, run.at<std::byte>(value), item);
    });
  }
  Place inside = out;
  for (size_t i = 0; i < low.size(); ++i) {
    const int64_t skip = std::max<int64_t>(0, -low[i]), cut = std::max<int64_t>(0, -high[i]);
    x.layout.offset += skip * x.layout.strides[i];
    x.layout.shape[i] = std::max<int64_t>(0, shape[i] - skip - cut);
    inside.layout.offset += std::max<int64_t>(0, low[i]) * out.layout.strides[i];
  }
  inside.layout.shape = x.layout.shape;
  if (inside.layout.size() > 0) l.copy(node, x, inside);
  if (is_constant) return true;
  // Borders from what is there already: one axis after the other, over what the axes before have filled.
  for (size_t i = 0; i < low.size(); ++i) {
    const bool reflects = mode == "reflect";
    const int64_t stride = out.layout.strides[i];
    auto border = [&](int64_t count, int64_t to, int64_t from, int64_t step) {
      if (count == 0) return;
      Place target = inside, source = inside;
      target.layout.shape[i] = source.layout.shape[i] = count;
      target.layout.offset += to * stride, source.layout.offset += from * stride;
      source.layout.strides[i] = step * stride;
      l.copy(node, source, target);
    };
    border(low[i], -low[i], reflects ? low[i] : 0, reflects ? -1 : 0);
    border(high[i], shape[i], reflects ? shape[i] - 2 : shape[i] - 1, reflects ? -1 : 0);
    inside.layout.offset -= low[i] * stride;
    inside.layout.shape[i] += low[i] + high[i];
  }
  return true;
}

}  // namespace

Rows index_rows() { return {{"take", take}, {"take_along", take_along}, {"index", index}, {"pad", pad}}; }

}  // namespace godwit::executors::plan

// Views where strides can express the result, copies where they cannot.
#include <algorithm>

#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

bool reshape(Lowering& l, const ir::Node& node) {
  const Place from = l.stored(node.inputs[0]);
  Place to{from.buffer, {}};
  if (!reshaped(from.layout, l.shape(node.output()), to.layout)) {
    to = l.row_major(node, from);
    const Layout whole = to.layout;
    reshaped(whole, l.shape(node.output()), to.layout);
  }
  l.alias(node.output(), to);
  return true;
}

bool transpose(Lowering& l, const ir::Node& node) {
  Place p = l.stored(node.inputs[0]);
  const Layout from = p.layout;
  const Ints axes = Attributes(node, l.env()).ints("axes");
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto a = static_cast<size_t>(positive(axes[i], from.rank()));
    p.layout.shape[i] = from.shape[a], p.layout.strides[i] = from.strides[a];
  }
  l.alias(node.output(), p);
  return true;
}

bool broadcast(Lowering& l, const ir::Node& node) {
  Place p = l.stored(node.inputs[0]);
  const Layout from = p.layout;
  p.layout.shape = l.shape(node.output());
  p.layout.strides.assign(p.layout.shape.size(), 0);
  const size_t lead = p.layout.shape.size() - from.shape.size();
  for (size_t i = 0; i < from.shape.size(); ++i)
    if (from.shape[i] == p.layout.shape[lead + i]) p.layout.strides[lead + i] = from.strides[i];
  l.alias(node.output(), p);
  return true;
}

struct Span {
  int64_t start, step;
};

// Python's rules: negatives count from the end, then everything is clamped.
Span clamped(int64_t start, int64_t step, int64_t size) {
  if (start < 0) start += size;
  return {step > 0 ? std::clamp<int64_t>(start, 0, size) : std::clamp<int64_t>(start, -1, size - 1), step};
}

void narrow(Layout& layout, const Ints& axes, const Ints& starts, const Ints& steps, const Ints& shape) {
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto a = static_cast<size_t>(positive(axes[i], layout.rank()));
    const Span span = clamped(starts[i], steps.empty() ? 1 : steps[i], layout.shape[a]);
    if (shape[a] > 0) layout.offset += span.start * layout.strides[a];
    layout.strides[a] *= span.step;
  }
  layout.shape = shape;
}

bool slice(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  Place p = l.stored(node.inputs[0]);
  narrow(p.layout, a.ints("axes"), a.ints("starts"), a.ints("steps"), l.shape(node.output()));
  l.alias(node.output(), p);
  return true;
}

bool split(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const Place whole = l.stored(node.inputs[0]);
  const auto axis = static_cast<size_t>(positive(a.integer("axis"), whole.layout.rank()));
  int64_t start = 0;
  for (const ir::Value* out : node.outputs) {
    Place p = whole;
    p.layout.offset += start * p.layout.strides[axis];
    p.layout.shape = l.shape(out);
    start += p.layout.shape[axis];
    l.alias(out, p);
  }
  return true;
}

bool flip(Lowering& l, const ir::Node& node) {
  Place p = l.stored(node.inputs[0]);
  for (int64_t axis : Attributes(node, l.env()).ints("axes")) {
    const auto a = static_cast<size_t>(positive(axis, p.layout.rank()));
    if (p.layout.shape[a] > 0) p.layout.offset += (p.layout.shape[a] - 1) * p.layout.strides[a];
    p.layout.strides[a] = -p.layout.strides[a];
  }
  l.alias(node.output(), p);
  return true;
}

bool unfold(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  Place p = l.stored(node.inputs[0]);
  const auto axis = static_cast<size_t>(positive(a.integer("axis"), p.layout.rank()));
  const int64_t stride = p.layout.strides[axis];
  p.layout.strides[axis] = stride * a.integer("step");
  p.layout.strides.push_back(stride);
  p.layout.shape = l.shape(node.output());
  l.alias(node.output(), p);
  return true;
}

bool diagonal(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  Place p = l.stored(node.inputs[0]);
  const auto x = static_cast<size_t>(positive(a.integer("axis1"), p.layout.rank()));
  const auto y = static_cast<size_t>(positive(a.integer("axis2"), p.layout.rank()));
  const int64_t offset = a.integer("offset");
  const int64_t both = p.layout.strides[x] + p.layout.strides[y];
  if (l.shape(node.output()).back() > 0)
    p.layout.offset += offset >= 0 ? offset * p.layout.strides[y] : -offset * p.layout.strides[x];
  Ints strides;
  for (size_t i = 0; i < p.layout.strides.size(); ++i)
    if (i != x && i != y) strides.push_back(p.layout.strides[i]);
  strides.push_back(both);
  p.layout.strides = std::move(strides);
  p.layout.shape = l.shape(node.output());
  l.alias(node.output(), p);
  return true;
}

// What parts of a half type lie as once they are together: as they are, unless one is float32 already.
DType common_type(Lowering& l, const std::vector<ir::Value*>& parts) {
  DType type = l.stored(parts[0]).layout.dtype;
  for (const ir::Value* part : parts)
    if (kernels::is_half(type)) type = l.stored(part).layout.dtype;
  return type;
}

// Parts are copied into a result whose memory has the order of the first part.
bool concat(Lowering& l, const ir::Node& node) {
  Layout whole = Layout::row_major(common_type(l, node.inputs), l.shape(node.output()));
  std::vector<int> axes;
  const Layout& first = l.stored(node.inputs[0]).layout;
  if (first.size() > 0 && first.is_dense(&axes)) whole = Layout::ordered(whole.dtype, whole.shape, axes);
  const Place out = l.moved(node.output(), whole);
  const auto axis = static_cast<size_t>(positive(Attributes(node, l.env()).integer("axis"), whole.rank()));
  int64_t start = 0;
  for (const ir::Value* part : node.inputs) {
    const Place from = l.stored(part);
    Place to = out;
    to.layout.offset = start * whole.strides[axis];
    to.layout.shape = from.layout.shape;
    start += from.layout.shape[axis];
    if (from.layout.size() > 0) l.copy(node, from, to);
  }
  return true;
}

// Two parts along each axis, copied to where they go.
bool roll(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const Ints axes = a.ints("axes"), shifts = a.ints("shifts");
  Place at = l.stored(node.inputs[0]);
  if (axes.empty()) return l.alias(node.output(), at), true;
  std::vector<int> order;
  Layout layout = Layout::row_major(at.layout.dtype, at.layout.shape);
  if (at.layout.is_dense(&order)) layout = Layout::ordered(layout.dtype, layout.shape, order);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(positive(axes[i], layout.rank()));
    const int64_t n = layout.shape[axis], shift = (shifts.at(i) % n + n) % n;
    Place to = i + 1 == axes.size() ? l.moved(node.output(), layout) : Place{l.scratch(layout.nbytes()).buffer, layout};
    auto part = [&](int64_t from, int64_t into, int64_t count) {
      if (count == 0) return;
      Place source = at, target = to;
      source.layout.shape[axis] = target.layout.shape[axis] = count;
      source.layout.offset += from * at.layout.strides[axis], target.layout.offset += into * layout.strides[axis];
      l.copy(node, source, target);
    };
    part(0, shift, n - shift);
    part(n - shift, 0, shift);
    at = to;
  }
  return true;
}

// The operand under an axis of repeats in front of each of its own (or behind it), copied once.
bool repeated(Lowering& l, const ir::Node& node, const Place& x, const Ints& before, const Ints& behind) {
  Place view{x.buffer, {x.layout.dtype, {}, {}, x.layout.offset}};
  for (size_t i = 0; i < before.size(); ++i) {
    const size_t lead = before.size() - x.layout.shape.size();
    view.layout.shape.push_back(before[i]), view.layout.strides.push_back(0);
    view.layout.shape.push_back(i < lead ? 1 : x.layout.shape[i - lead]);
    view.layout.strides.push_back(i < lead ? 0 : x.layout.strides[i - lead]);
    view.layout.shape.push_back(behind[i]), view.layout.strides.push_back(0);
  }
  if (view.layout.size() == 0) return false;
  Place out = l.moved(node.output(), Layout::row_major(x.layout.dtype, l.shape(node.output())));
  out.layout = Layout::row_major(view.layout.dtype, view.layout.shape);
  l.copy(node, view, out);
  return true;
}

bool tile(Lowering& l, const ir::Node& node) {
  const Place x = l.stored(node.inputs[0]);
  Ints repeats = Attributes(node, l.env()).ints("repeats");
  const size_t rank = std::max(repeats.size(), x.layout.shape.size());
  repeats.insert(repeats.begin(), rank - repeats.size(), 1);
  return repeated(l, node, x, repeats, Ints(rank, 1));
}

bool repeat(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const Place x = l.stored(node.inputs[0]);
  if (x.layout.shape.empty()) return false;
  Ints behind(x.layout.shape.size(), 1);
  behind[static_cast<size_t>(positive(a.integer("axis"), x.layout.rank()))] = a.integer("count");
  return repeated(l, node, x, Ints(behind.size(), 1), behind);
}

bool slice_update(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const Place base = l.stored(node.inputs[0]);
  // The update tells how large the part is, unless it is broadcast; then a row of MLX decides.
  const Place update = l.stored(node.inputs[1]);
  if (update.layout.rank() != base.layout.rank()) return false;
  Ints shape = base.layout.shape;
  const Ints axes = a.ints("axes"), starts = a.ints("starts"), stops = a.ints("stops"), steps = a.ints("steps");
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(positive(axes[i], base.layout.rank()));
    const int64_t step = steps.empty() ? 1 : steps[i], size = shape[axis];
    if (step < 1) return false;
    const int64_t from = clamped(starts[i], 1, size).start, to = clamped(stops[i], 1, size).start;
    shape[axis] = std::max<int64_t>(0, (to - from + step - 1) / step);
  }
  Place source = update;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (source.layout.shape[i] == shape[i]) continue;
    if (source.layout.shape[i] != 1) return false;
    source.layout.shape[i] = shape[i], source.layout.strides[i] = 0;
  }
  const Place out = l.moved(node.output(), Layout::row_major(common_type(l, node.inputs), base.layout.shape));
  l.copy(node, base, out);
  Place hole = out;
  narrow(hole.layout, axes, starts, steps, shape);
  if (hole.layout.size() > 0) l.copy(node, source, hole);
  return true;
}

}  // namespace

Rows movement_rows() {
  return {{"reshape", reshape},     {"expand_dims", reshape}, {"squeeze", reshape}, {"transpose", transpose},
          {"broadcast", broadcast}, {"slice", slice},         {"split", split},     {"flip", flip},
          {"unfold", unfold},       {"diagonal", diagonal},   {"concat", concat},   {"slice_update", slice_update},
          {"roll", roll},           {"tile", tile},           {"repeat", repeat}};
}

}  // namespace godwit::executors::plan

// Shapes: reshape, transpose, slices, concatenation.
#include <algorithm>
#include <limits>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// `axes` as an attribute before opset 13, as input 1 from then on.
std::vector<int64_t> axes_of(Call& c, int64_t since, int64_t rank) {
  std::vector<int64_t> axes = c.opset < since ? c.integers("axes") : c.has(1) ? c.numbers(1) : std::vector<int64_t>{};
  for (int64_t& a : axes) a = c.axis(a, rank);
  return axes;
}

Values squeeze(Call& c) {
  Value* x = c.in(0);
  std::vector<int64_t> axes = axes_of(c, 13, x->rank());
  const bool given = c.opset < 13 ? c.has_attribute("axes") : c.has(1);
  if (!given)
    for (int64_t i = 0; i < x->rank(); ++i)
      if (c.size(x, i).is(1)) axes.push_back(i);
  return {axes.empty() ? x : c.op("squeeze", {x}, {{"axes", to_dims(axes)}})};
}

Values unsqueeze(Call& c) {
  const size_t added = c.opset < 13 ? c.integers("axes").size() : c.numbers(1).size();
  std::vector<int64_t> axes = axes_of(c, 13, c.rank() + static_cast<int64_t>(added));
  return {axes.empty() ? c.in(0) : expand(c, c.in(0), axes)};
}

Values reshape(Call& c) {
  Value* x = c.in(0);
  ir::Dims shape = c.opset < 5 ? to_dims(c.integers("shape")) : c.dims(1);
  const bool zero_copies = !c.flag("allowzero");
  return {c.op("reshape", {x}, {{"shape", std::move(shape)}, {"zero_copies", zero_copies}})};
}

Values flatten(Call& c) {
  Value* x = c.in(0);
  const int64_t given = c.integer("axis", 1), axis = given < 0 ? given + x->rank() : given;
  if (axis < 0 || axis > x->rank()) c.fail("axis {} is out of range", given);
  const ir::Shape& s = x->shape();
  return {c.b.reshape(x, {ir::product({s.begin(), s.begin() + axis}), ir::product({s.begin() + axis, s.end()})})};
}

Values transpose_row(Call& c) {
  std::vector<int64_t> axes = c.integers("perm");
  if (!c.has_attribute("perm"))
    for (int64_t i = c.rank(); i-- > 0;) axes.push_back(i);
  return {transpose(c, c.in(0), axes)};
}

// Dimensions that expand together: of two unequal ones, one is 1.
Values expand_row(Call& c) {
  Value* x = c.in(0);
  ir::Dims shape = c.dims(1);
  const ir::Shape& own = x->shape();
  if (shape.size() < own.size()) shape.insert(shape.begin(), own.size() - shape.size(), ir::Dim(1));
  const size_t offset = shape.size() - own.size();
  for (size_t i = 0; i < own.size(); ++i) {
    ir::Dim& d = shape[offset + i];
    if (d.is(1) || own[i] == d)
      d = own[i];
    else if (own[i].is_known() && !own[i].is(1))
      d = own[i];
    else if (!d.is_known() && !own[i].is(1))
      d = max(own[i], d);
  }
  return {c.op("broadcast", {x}, {{"shape", std::move(shape)}})};
}

Values shape(Call& c) {
  Value* x = c.in(0);
  const int64_t rank = x->rank();
  auto clamped = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t start = clamped(c.integer("start", 0)), end = clamped(c.integer("end", rank));
  Value* all = c.op("shape", {x});
  return {start == 0 && end == rank ? all : slice(c, all, 0, start, std::max(start, end))};
}

Values size(Call& c) { return {c.b.dim(ir::product(c.in(0)->shape()))}; }

Values concat(Call& c) {
  for (size_t i = 0; i < c.count(); ++i) c.in(i);
  if (c.opset >= 4 && !c.has_attribute("axis")) c.fail("attribute axis is missing");
  const int64_t axis = c.axis(c.integer("axis", 1), c.rank());
  return {c.op("concat", c.inputs, {{"axis", ir::Dim(axis)}})};
}

Values split_row(Call& c) {
  Value* x = c.in(0);
  const int64_t axis = c.axis(c.integer("axis", 0), x->rank());
  const ir::Dim whole = c.size(x, axis);
  ir::Dims sizes = c.opset < 13 ? to_dims(c.integers("split")) : c.has(1) ? c.dims(1) : ir::Dims{};
  const bool given = c.opset < 13 ? c.has_attribute("split") : c.has(1);
  if (!given) {
    const int64_t parts = c.integer("num_outputs", static_cast<int64_t>(c.node.outputs.size()));
    if (parts <= 0 || parts > 1 << 16) c.fail("{} parts are asked for", parts);
    const ir::Dim part = ceildiv(whole, parts);  // the last one may be smaller
    sizes.assign(static_cast<size_t>(parts - 1), part);
    sizes.push_back(whole - ir::Dim(parts - 1) * part);
  }
  return split(c, x, sizes, axis);
}

// INT64_MIN and INT64_MAX and their 32-bit kin mean "to the end".
ir::Dim clamped(const ir::Dim& d) {
  constexpr int64_t limit = std::numeric_limits<int32_t>::max();
  return d.is_known() ? ir::Dim(std::clamp(d.value(), -limit, limit)) : d;
}

Values slice_row(Call& c) {
  Value* x = c.in(0);
  ir::Dims starts, stops, steps;
  std::vector<int64_t> axes;
  if (c.opset < 10) {
    starts = to_dims(c.integers("starts")), stops = to_dims(c.integers("ends")), axes = c.integers("axes");
  } else {
    starts = c.dims(1), stops = c.dims(2);
    if (c.has(3)) axes = c.numbers(3);
    if (c.has(4)) steps = to_dims(c.numbers(4));
  }
  const bool has_axes = c.opset < 10 ? c.has_attribute("axes") : c.has(3);
  if (!has_axes)
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (starts.size() != stops.size() || axes.size() != starts.size() || (!steps.empty() && steps.size() != axes.size()))
    c.fail("starts, ends, axes and steps differ in length");
  for (int64_t& a : axes) a = c.axis(a, x->rank());
  for (ir::Dim& d : starts) d = clamped(d);
  for (ir::Dim& d : stops) d = clamped(d);
  for (ir::Dim& d : steps) d = clamped(d);
  if (axes.empty()) return {x};
  return {c.op("slice", {x}, {{"axes", to_dims(axes)}, {"starts", starts}, {"stops", stops}, {"steps", steps}})};
}

Values tile(Call& c) {
  if (c.opset < 6) {  // (input, tiles, axis)
    ir::Dims repeats(static_cast<size_t>(c.rank()), ir::Dim(1));
    repeats[static_cast<size_t>(c.axis(c.number(2), c.rank()))] = c.dim(1);
    return {c.op("tile", {c.in(0)}, {{"repeats", repeats}})};
  }
  return {c.op("tile", {c.in(0)}, {{"repeats", c.dims(1)}})};
}

Values depth_to_space(Call& c) {
  Value* x = c.in(0);
  if (x->rank() != 4) c.fail("four axes expected");
  const int64_t n = c.integer("blocksize", 0);
  if (n <= 0) c.fail("blocksize is {}", n);
  const ir::Shape s = x->shape();
  const ir::Dim block = n, channels = floordiv(s[1], n * n);
  const bool crd = c.text("mode", "DCR") == "CRD";
  Value* parts = c.b.reshape(
      x, crd ? ir::Dims{s[0], channels, block, block, s[2], s[3]} : ir::Dims{s[0], block, block, channels, s[2], s[3]});
  parts = transpose(c, parts, crd ? std::vector<int64_t>{0, 1, 4, 2, 5, 3} : std::vector<int64_t>{0, 3, 4, 1, 5, 2});
  return {c.b.reshape(parts, {s[0], channels, s[2] * block, s[3] * block})};
}

Values space_to_depth(Call& c) {
  Value* x = c.in(0);
  if (x->rank() != 4) c.fail("four axes expected");
  const int64_t n = c.integer("blocksize", 0);
  if (n <= 0) c.fail("blocksize is {}", n);
  const ir::Shape s = x->shape();
  const ir::Dim block = n, height = floordiv(s[2], n), width = floordiv(s[3], n);
  const bool crd = c.text("mode", "DCR") == "CRD";
  Value* parts = c.b.reshape(x, {s[0], s[1], height, block, width, block});
  parts = transpose(c, parts, crd ? std::vector<int64_t>{0, 1, 3, 5, 2, 4} : std::vector<int64_t>{0, 3, 5, 1, 2, 4});
  return {c.b.reshape(parts, {s[0], s[1] * ir::Dim(n * n), height, width})};
}

Values trilu(Call& c) {
  const int64_t offset = c.has(1) ? c.number(1) : 0;
  return {c.op(c.flag("upper", true) ? "tri_upper" : "tri_lower", {c.in(0)}, {{"offset", ir::Dim(offset)}})};
}

Values reverse_sequence(Call& c) {
  Value *x = c.in(0), *lengths = c.in(1);
  const int64_t time = c.axis(c.integer("time_axis", 0), x->rank()),
                batch = c.axis(c.integer("batch_axis", 1), x->rank());
  if (time + batch != 1 || x->rank() < 2) c.fail("time and batch must be the first two axes");
  const ir::Dim steps = c.size(x, time);
  Value* t = along(c, c.op("arange", {}, {{"start", ir::Dim(0)}, {"count", steps}, {"dtype", DType::i64}}), time, 2);
  Value* n = along(c, c.cast(lengths, DType::i64), batch, 2);
  Value* mirrored = add(c, subtract(c, n, t), -1);
  Value* at = c.op("where", {c.op("less", {t, n}), mirrored, t});
  ir::Dims shape(static_cast<size_t>(x->rank()), ir::Dim(1));
  shape[0] = c.shape(x, 1)[0], shape[1] = c.shape(x, 2)[1];
  at = c.op("broadcast", {c.b.reshape(at, shape)}, {{"shape", x->shape()}});
  return {c.op("take_along", {x, at}, {{"axis", ir::Dim(time)}})};
}

}  // namespace

Rows movement_rows() {
  return {{"Squeeze", squeeze},
          {"Unsqueeze", unsqueeze},
          {"Reshape", reshape},
          {"Flatten", flatten},
          {"Transpose", transpose_row},
          {"Expand", expand_row},
          {"Shape", shape},
          {"Size", size},
          {"Concat", concat},
          {"Split", split_row},
          {"Slice", slice_row},
          {"Tile", tile},
          {"DepthToSpace", depth_to_space},
          {"SpaceToDepth", space_to_depth},
          {"Trilu", trilu},
          {"ReverseSequence", reverse_sequence}};
}

}  // namespace godwit::frontends::onnx

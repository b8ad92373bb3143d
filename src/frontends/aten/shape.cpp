// Joining, padding, repeating, flipping: results with memory of their own.
#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

std::vector<ir::Value*> list_promoted(Context& c, std::string_view name) {
  const Values* items = c.get(name).items();
  if (!items) c.fail("argument {} is no list", name);
  const DType to = c.result_type(*items);
  std::vector<ir::Value*> out;
  for (const Value& v : *items) out.push_back(c.to_tensor(v, to));
  return out;
}

ir::Value* joined(Context& c, const std::vector<ir::Value*>& parts, int64_t axis) {
  return parts.size() == 1 ? c.op("copy", parts) : c.op("concat", parts, {{"axis", axis}});
}

Values cat(Context& c) {
  std::vector<ir::Value*> parts = list_promoted(c, "tensors");
  // Empty vectors are skipped whatever the rank of the others.
  std::erase_if(parts, [&](ir::Value* v) { return v->rank() == 1 && v->shape()[0].is(0) && parts.size() > 1; });
  if (parts.empty()) parts = {list_promoted(c, "tensors").at(0)};
  return {c.result(joined(c, parts, c.axis("dim", parts[0]->rank())))};
}

Values stack(Context& c) {
  std::vector<ir::Value*> parts = list_promoted(c, "tensors");
  if (parts.empty()) c.fail("no tensors to stack");
  const int64_t axis = c.axis("dim", parts[0]->rank() + 1);
  for (ir::Value*& v : parts) v = c.op("expand_dims", {v}, {{"axes", ir::Dims{axis}}});
  return {c.result(joined(c, parts, axis))};
}

// hstack, vstack, dstack, column_stack by the rank that the parts are raised to and the axis they join on.
Translator stacked(int64_t rank, int64_t axis, bool column) {
  return [=](Context& c) -> Values {
    std::vector<ir::Value*> parts = list_promoted(c, "tensors");
    int64_t at = axis;
    for (ir::Value*& v : parts) {
      ir::Dims shape = v->shape();
      if (column && shape.size() < 2) shape = {ir::product(shape), 1};
      if (rank == 3 && shape.size() == 2) shape.push_back(1);
      if (rank == 3 && shape.size() == 1) shape = {1, shape[0], 1};
      while (static_cast<int64_t>(shape.size()) < rank) shape.insert(shape.begin(), ir::Dim(1));
      v = c.b.reshape(v, shape);
    }
    if (!column && rank == 1 && parts[0]->rank() == 1) at = 0;
    return {c.result(joined(c, parts, at))};
  };
}

// Pads are listed from the last axis backwards, low before high.
void pad_axes(Context& c, const ir::Dims& pads, int64_t rank, ir::Dims& low, ir::Dims& high) {
  if (pads.size() % 2 != 0 || static_cast<int64_t>(pads.size()) > 2 * rank)
    c.fail("{} paddings for rank {}", pads.size(), rank);
  low.assign(static_cast<size_t>(rank), ir::Dim(0));
  high = low;
  for (size_t i = 0; i * 2 < pads.size(); ++i) {
    low[low.size() - 1 - i] = pads[2 * i];
    high[high.size() - 1 - i] = pads[2 * i + 1];
  }
}

Values padded(Context& c, std::string_view pads, const std::string& torch_mode) {
  ir::Value* x = c.tensor("self");
  ir::Dims low, high;
  pad_axes(c, c.dims(pads), x->rank(), low, high);
  std::string mode = torch_mode;
  if (mode == "replicate") mode = "edge";
  if (mode == "circular") mode = "wrap";
  ir::Value* value = nullptr;
  if (mode == "constant") value = c.has("value") ? c.tensor_as("value", x->dtype()) : c.scalar_like(x, 0);
  const bool nothing = std::all_of(low.begin(), low.end(), [](const ir::Dim& d) { return d.is(0); }) &&
                       std::all_of(high.begin(), high.end(), [](const ir::Dim& d) { return d.is(0); });
  if (nothing) return {c.result(c.op("copy", {x}))};
  return {c.result(c.op("pad", {x, value}, {{"low", low}, {"high", high}, {"mode", mode}}))};
}

Translator pad_as(const char* mode) {
  return [mode](Context& c) { return padded(c, "padding", mode); };
}

std::vector<int64_t> axes_of(Context& c, std::string_view name, int64_t rank) {
  std::vector<int64_t> out;
  for (int64_t a : c.numbers(name)) out.push_back(c.wrap(a, rank));
  return out;
}

Values flip(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->rank() == 0) return {c.result(c.op("copy", {x}))};
  return {c.result(c.op("flip", {x}, {{"axes", ir::dims(axes_of(c, "dims", x->rank()))}}))};
}

Translator flip_axis(int64_t axis) {
  return [axis](Context& c) -> Values {
    return {c.result(c.op("flip", {c.tensor("self")}, {{"axes", ir::Dims{axis}}}))};
  };
}

Values roll(Context& c) {
  ir::Value* x = c.tensor("self");
  const ir::Dims shifts = c.dims("shifts");
  if (c.dims("dims").empty()) {
    ir::Value* flat = c.b.reshape(x, {ir::product(x->shape())});
    return {c.result(c.b.reshape(c.op("roll", {flat}, {{"shifts", shifts}, {"axes", ir::Dims{0}}}), x->shape()))};
  }
  return {c.result(c.op("roll", {x}, {{"shifts", shifts}, {"axes", ir::dims(axes_of(c, "dims", x->rank()))}}))};
}

Values rot90(Context& c) {
  ir::Value* x = c.tensor("self");
  const std::vector<int64_t> axes = axes_of(c, "dims", x->rank());
  if (axes.size() != 2) c.fail("two axes are expected");
  std::vector<int64_t> order;
  for (int64_t i = 0; i < x->rank(); ++i) order.push_back(i);
  std::swap(order[static_cast<size_t>(axes[0])], order[static_cast<size_t>(axes[1])]);
  auto turned = [&](ir::Value* v, int64_t axis) { return c.op("flip", {v}, {{"axes", ir::Dims{axis}}}); };
  const int64_t k = ((c.number("k") % 4) + 4) % 4;
  if (k == 0) return {c.result(c.op("copy", {x}))};
  if (k == 2) return {c.result(c.op("flip", {x}, {{"axes", ir::Dims{axes[0], axes[1]}}}))};
  if (k == 1) return {c.result(c.op("transpose", {turned(x, axes[1])}, {{"axes", ir::dims(order)}}))};
  return {c.result(turned(c.op("transpose", {x}, {{"axes", ir::dims(order)}}), axes[1]))};
}

Values repeat(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Dims repeats = c.dims(c.schema.find("repeats") ? "repeats" : "dims");
  if (static_cast<int64_t>(repeats.size()) < x->rank()) {  // tile only
    repeats.insert(repeats.begin(), static_cast<size_t>(x->rank()) - repeats.size(), ir::Dim(1));
  }
  ir::Dims shape = x->shape();
  shape.insert(shape.begin(), repeats.size() - shape.size(), ir::Dim(1));
  return {c.result(c.op("tile", {c.b.reshape(x, shape)}, {{"repeats", repeats}}))};
}

// Every element repeated: a number of times, or each its own number.
Values repeat_interleave(Context& c) {
  if (!c.schema.find("self")) {  // indices, each as often as its count says
    ir::Value* counts = c.tensor("repeats");
    ir::Value* ends = c.op("cumsum", {c.cast(counts, DType::i64)}, {{"axis", 0}});
    const ir::Dim total = c.b.read_one(c.op("sum", {c.cast(counts, DType::i64)}, {{"axes", ir::Dims{0}}}));
    ir::Value* places = c.op("arange", {}, {{"start", 0}, {"count", total}, {"dtype", DType::i64}});
    return {c.result(c.op("searchsorted", {ends, places}, {{"right", true}}))};
  }
  ir::Value* x = c.tensor("self");
  if (c.is_none("dim")) x = c.b.reshape(x, {ir::product(x->shape())});
  const int64_t axis = c.has("dim") ? c.axis("dim", x->rank()) : 0;
  if (c.schema.overload == "self_int")
    return {c.result(c.op("repeat", {x}, {{"count", c.integer("repeats")}, {"axis", axis}}))};
  ir::Value* counts = c.cast(c.tensor("repeats"), DType::i64);
  const ir::Dim& size = x->shape().at(static_cast<size_t>(axis));
  if (counts->rank() == 0 || (counts->shape()[0].is(1) && !size.is(1)))
    counts = c.op("broadcast", {counts}, {{"shape", ir::Dims{size}}});
  ir::Value* ends = c.op("cumsum", {counts}, {{"axis", 0}});
  ir::Dim total =
      c.has("output_size") ? c.integer("output_size") : c.b.read_one(c.op("sum", {counts}, {{"axes", ir::Dims{0}}}));
  ir::Value* places = c.op("arange", {}, {{"start", 0}, {"count", total}, {"dtype", DType::i64}});
  ir::Value* sources = c.op("searchsorted", {ends, places}, {{"right", true}});
  return {c.result(c.op("take", {x, sources}, {{"axis", axis}}))};
}

Values meshgrid(Context& c) {
  std::vector<ir::Value*> parts = c.tensors("tensors");
  const bool xy = c.has("indexing") && c.text("indexing") == "xy" && parts.size() >= 2;
  ir::Dims full;
  for (ir::Value* v : parts) full.push_back(v->rank() == 0 ? ir::Dim(1) : v->shape()[0]);
  if (xy) std::swap(full[0], full[1]);
  Values out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t axis = xy && i < 2 ? 1 - i : i;
    ir::Dims shape(full.size(), ir::Dim(1));
    shape[axis] = full[axis];
    out.push_back(c.result(c.op("broadcast", {c.b.reshape(parts[i], shape)}, {{"shape", full}})));
  }
  return {Value::list(out)};
}

Values broadcast_tensors(Context& c) {
  std::vector<ir::Value*> parts = c.tensors("tensors");
  ir::Shape shape;
  for (ir::Value* v : parts) {
    if (v->shape().size() > shape.size()) shape.insert(shape.begin(), v->shape().size() - shape.size(), ir::Dim(1));
    const size_t offset = shape.size() - v->shape().size();
    for (size_t i = 0; i < v->shape().size(); ++i)
      if (shape[offset + i].is(1)) shape[offset + i] = v->shape()[i];
  }
  Values out;
  for (ir::Value* v : parts) out.push_back(c.result(c.op("broadcast", {v}, {{"shape", shape}})));
  return {Value::list(out)};
}

Translator triangle(const char* op) {
  return [op](Context& c) -> Values {
    return {c.result(c.op(op, {c.tensor("self")}, {{"offset", c.integer("diagonal", 0)}}))};
  };
}

// A vector on the diagonals of new matrices.
Values diag_embed(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t rank = x->rank() + 1, offset = c.number("offset", 0);
  const int64_t a1 = c.axis("dim1", rank), a2 = c.axis("dim2", rank);
  const ir::Dim n = x->shape().back() + ir::Dim(std::abs(offset));
  ir::Dims low(static_cast<size_t>(x->rank()), ir::Dim(0)), high = low;
  // Columns of the result hold the vector shifted by the offset; eye keeps the diagonal.
  (offset > 0 ? low : high).back() = std::abs(offset);
  ir::Value* shifted = offset == 0 ? x : c.op("pad", {x, c.scalar_like(x, 0)}, {{"low", low}, {"high", high}});
  ir::Value* eye = c.op("eye", {}, {{"rows", n}, {"columns", n}, {"offset", offset}, {"dtype", DType::boolean}});
  ir::Value* row = c.op("expand_dims", {shifted}, {{"axes", ir::Dims{x->rank() - 1}}});
  ir::Value* y = c.op("where", {eye, row, c.scalar_like(x, 0)});
  std::vector<int64_t> axes(static_cast<size_t>(rank), -1);
  axes[static_cast<size_t>(a1)] = rank - 2;
  axes[static_cast<size_t>(a2)] = rank - 1;
  int64_t next = 0;
  for (int64_t& a : axes)
    if (a < 0) a = next++;
  return {c.result(c.op("transpose", {y}, {{"axes", ir::dims(axes)}}))};
}

Values diag(Context& c) {
  ir::Value* x = c.tensor("self");
  const ir::Dim offset = c.integer("diagonal", 0);
  if (x->rank() == 2) return {c.result(c.op("diagonal", {x}, {{"offset", offset}}))};
  const int64_t k = c.number("diagonal", 0);
  const ir::Dim n = x->shape().at(0) + ir::Dim(std::abs(k));
  ir::Dims low = {0}, high = {0};
  (k > 0 ? low : high)[0] = std::abs(k);
  ir::Value* shifted = k == 0 ? x : c.op("pad", {x, c.scalar_like(x, 0)}, {{"low", low}, {"high", high}});
  ir::Value* eye = c.op("eye", {}, {{"rows", n}, {"columns", n}, {"offset", k}, {"dtype", DType::boolean}});
  return {c.result(c.op("where", {eye, c.op("expand_dims", {shifted}, {{"axes", ir::Dims{0}}}), c.scalar_like(x, 0)}))};
}

Values pixel_shuffle(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t r = c.number("upscale_factor");
  const ir::Shape& s = x->shape();
  if (s.size() < 3) c.fail("input {}", ir::str(x->type));
  const size_t n = s.size() - 3;
  ir::Dims split(s.begin(), s.begin() + static_cast<int64_t>(n)), out = split;
  const ir::Dim channels = floordiv(s[n], r * r);
  split.insert(split.end(), {channels, r, r, s[n + 1], s[n + 2]});
  std::vector<int64_t> axes;
  for (size_t i = 0; i <= n; ++i) axes.push_back(static_cast<int64_t>(i));
  const int64_t k = static_cast<int64_t>(n);
  axes.insert(axes.end(), {k + 3, k + 1, k + 4, k + 2});
  out.insert(out.end(), {channels, s[n + 1] * ir::Dim(r), s[n + 2] * ir::Dim(r)});
  return {c.result(c.b.reshape(c.op("transpose", {c.b.reshape(x, split)}, {{"axes", ir::dims(axes)}}), out))};
}

Values pixel_unshuffle(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t r = c.number("downscale_factor");
  const ir::Shape& s = x->shape();
  if (s.size() < 3) c.fail("input {}", ir::str(x->type));
  const size_t n = s.size() - 3;
  const ir::Dim h = floordiv(s[n + 1], r), w = floordiv(s[n + 2], r);
  ir::Dims split(s.begin(), s.begin() + static_cast<int64_t>(n)), out = split;
  split.insert(split.end(), {s[n], h, r, w, r});
  std::vector<int64_t> axes;
  for (size_t i = 0; i <= n; ++i) axes.push_back(static_cast<int64_t>(i));
  const int64_t k = static_cast<int64_t>(n);
  axes.insert(axes.end(), {k + 2, k + 4, k + 1, k + 3});
  out.insert(out.end(), {s[n] * ir::Dim(r * r), h, w});
  return {c.result(c.b.reshape(c.op("transpose", {c.b.reshape(x, split)}, {{"axes", ir::dims(axes)}}), out))};
}

Values channel_shuffle(Context& c) {
  ir::Value* x = c.tensor("self");
  const ir::Shape s = x->shape();
  const ir::Dim groups = c.integer("groups");
  ir::Dims split = {s.at(0), groups, floordiv(s.at(1), groups)};
  split.insert(split.end(), s.begin() + 2, s.end());
  std::vector<int64_t> axes = {0, 2, 1};
  for (size_t i = 3; i < split.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  return {c.result(c.b.reshape(c.op("transpose", {c.b.reshape(x, split)}, {{"axes", ir::dims(axes)}}), s))};
}

Values diff(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t axis = c.axis("dim", x->rank());
  std::vector<ir::Value*> parts;
  if (c.has("prepend")) parts.push_back(c.tensor_as("prepend", x->dtype()));
  parts.push_back(x);
  if (c.has("append")) parts.push_back(c.tensor_as("append", x->dtype()));
  if (parts.size() > 1) x = c.op("concat", parts, {{"axis", axis}});
  for (int64_t i = c.number("n", 1); i > 0; --i) {
    auto part = [&](int64_t from, int64_t to) {
      return c.op("slice", {x}, {{"axes", ir::Dims{axis}}, {"starts", ir::Dims{from}}, {"stops", ir::Dims{to}}});
    };
    x = c.op(x->dtype() == DType::boolean ? "logical_xor" : "subtract", {part(1, INT64_MAX), part(0, -1)});
  }
  return {c.result(x)};
}

Values constant_pad(Context& c) { return padded(c, "pad", "constant"); }
Values any_pad(Context& c) { return padded(c, "pad", c.has("mode") ? c.text("mode") : "constant"); }

}  // namespace

Rows shape_rows() {
  return {
      {"cat", cat},
      {"concat", cat},
      {"concatenate", cat},
      {"stack", stack},
      {"hstack",
       [](Context& c) {
         const Values* items = c.get("tensors").items();
         const bool flat = items && !items->empty() && c.to_tensor((*items)[0])->rank() <= 1;
         return stacked(1, flat ? 0 : 1, false)(c);
       }},
      {"vstack", stacked(2, 0, false)},
      {"dstack", stacked(3, 2, false)},
      {"column_stack", stacked(0, 1, true)},
      {"pad", any_pad},
      {"constant_pad_nd", constant_pad},
      {"reflection_pad1d", pad_as("reflect")},
      {"reflection_pad2d", pad_as("reflect")},
      {"reflection_pad3d", pad_as("reflect")},
      {"replication_pad1d", pad_as("replicate")},
      {"replication_pad2d", pad_as("replicate")},
      {"replication_pad3d", pad_as("replicate")},
      {"flip", flip},
      {"fliplr", flip_axis(1)},
      {"flipud", flip_axis(0)},
      {"roll", roll},
      {"rot90", rot90},
      {"repeat", repeat},
      {"tile", repeat},
      {"repeat_interleave", repeat_interleave},
      {"meshgrid", meshgrid},
      {"broadcast_tensors", broadcast_tensors},
      {"tril", triangle("tri_lower")},
      {"triu", triangle("tri_upper")},
      {"diag_embed", diag_embed},
      {"diag", diag},
      {"pixel_shuffle", pixel_shuffle},
      {"pixel_unshuffle", pixel_unshuffle},
      {"channel_shuffle", channel_shuffle},
      {"native_channel_shuffle", channel_shuffle},
      {"diff", diff},
  };
}

}  // namespace godwit::frontends::aten

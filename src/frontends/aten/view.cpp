// Operators whose result shares memory with their operand.
#include "frontends/aten/view.h"

#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {

TensorRef permuted(const TensorRef& t, std::vector<int64_t> axes) {
  std::vector<int64_t> back(axes.size());
  bool same = true;
  for (size_t i = 0; i < axes.size(); ++i) {
    back[static_cast<size_t>(axes[i])] = static_cast<int64_t>(i);
    same = same && axes[i] == static_cast<int64_t>(i);
  }
  if (same) return t;
  auto forward = [axes](ops::Builder& b, ir::Value* base) {
    return b.op("transpose", {base}, {{"axes", ir::dims(axes)}});
  };
  auto inverse = [back](ops::Builder& b, ir::Value*, ir::Value* update) {
    return b.op("transpose", {update}, {{"axes", ir::dims(back)}});
  };
  return t.view(forward, inverse, false);
}

TensorRef reshaped(const TensorRef& t, const ir::Dims& shape) {
  auto forward = [shape](ops::Builder& b, ir::Value* base) { return b.reshape(base, shape); };
  auto inverse = [](ops::Builder& b, ir::Value* base, ir::Value* update) { return b.reshape(update, base->shape()); };
  return t.view(forward, inverse, t.is_contiguous());
}

namespace {

// Whether taking a part along `axis` leaves the elements in one piece.
bool stays_contiguous(const TensorRef& t, int64_t axis) {
  const ir::Shape& s = t.shape();
  return t.is_contiguous() && std::all_of(s.begin(), s.begin() + axis, [](const ir::Dim& d) { return d.is(1); });
}

ir::Attrs range(int64_t axis, const ir::Dim& start, const ir::Dim& stop, const ir::Dim& step) {
  return {{"axes", ir::Dims{axis}}, {"starts", ir::Dims{start}}, {"stops", ir::Dims{stop}}, {"steps", ir::Dims{step}}};
}

}  // namespace

TensorRef sliced(const TensorRef& t, int64_t axis, const ir::Dim& start, const ir::Dim& stop, const ir::Dim& step) {
  const ir::Dim& size = t.shape().at(static_cast<size_t>(axis));
  const bool whole =
      start.is(0) && step.is(1) &&
      (stop == size || (stop.is_known() && stop.value() >= (size.is_known() ? size.value() : INT32_MAX)));
  if (whole)
    return t.view([](ops::Builder&, ir::Value* base) { return base; },
                  [](ops::Builder&, ir::Value*, ir::Value* update) { return update; }, t.is_contiguous());
  auto attrs = range(axis, start, stop, step);
  auto forward = [attrs](ops::Builder& b, ir::Value* base) { return b.op("slice", {base}, attrs); };
  auto inverse = [attrs](ops::Builder& b, ir::Value* base, ir::Value* update) {
    return b.op("slice_update", {base, update}, attrs);
  };
  return t.view(forward, inverse, step.is(1) && stays_contiguous(t, axis));
}

TensorRef selected(const TensorRef& t, int64_t axis, const ir::Dim& index) {
  ir::Dim start = index;
  const ir::Dim& size = t.shape().at(static_cast<size_t>(axis));
  if (index.is_known() && index.value() < 0) start = size + index;
  if (start.is_known() && size.is_known())
    require<UsageError>(start.value() >= 0 && start.value() < size.value(), "index {} is out of range for size {}",
                        index.value(), size.value());
  auto attrs = range(axis, start, start + ir::Dim(1), 1);
  auto forward = [attrs, axis](ops::Builder& b, ir::Value* base) {
    return b.op("squeeze", {b.op("slice", {base}, attrs)}, {{"axes", ir::Dims{axis}}});
  };
  auto inverse = [attrs, axis](ops::Builder& b, ir::Value* base, ir::Value* update) {
    return b.op("slice_update", {base, b.op("expand_dims", {update}, {{"axes", ir::Dims{axis}}})}, attrs);
  };
  return t.view(forward, inverse, stays_contiguous(t, axis));
}

ir::Dims resolved_shape(const Context& c, ir::Dims shape, const ir::Shape& from) {
  size_t free = shape.size();
  ir::Dim rest = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is(-1)) {
      if (free != shape.size()) c.fail("two sizes are -1");
      free = i;
    } else {
      rest = rest * shape[i];
    }
  }
  const ir::Dim total = ir::product(from);
  if (free != shape.size()) {
    if (rest.is(0)) c.fail("-1 beside a size of 0 has no meaning");
    shape[free] = floordiv(total, rest);
  }
  return shape;
}

namespace {

Values view(Context& c) {
  TensorRef t = c.ref("self");
  if (c.schema.overload == "dtype") {
    const DType to = *c.dtype();
    if (to == t.dtype()) return {t};
    auto cast = [](DType from, DType target) {
      return [=](ops::Builder& b, ir::Value* v) { return b.op("bitcast", {v}, {{"from", from}, {"to", target}}); };
    };
    auto back = cast(to, t.dtype());
    return {t.view(
        cast(t.dtype(), to), [back](ops::Builder& b, ir::Value*, ir::Value* update) { return back(b, update); },
        t.is_contiguous())};
  }
  return {reshaped(t, resolved_shape(c, c.dims(c.schema.find("size") ? "size" : "shape"), t.shape()))};
}

// Aliases where the memory is in one piece, copies otherwise.
TensorRef reshape_or_copy(Context& c, const TensorRef& t, const ir::Dims& shape) {
  if (t.is_contiguous()) return reshaped(t, shape);
  return c.session.heap.make(c.b.reshape(t.read(), shape));
}

Values reshape(Context& c) {
  TensorRef t = c.ref("self");
  return {reshape_or_copy(c, t, resolved_shape(c, c.dims("shape"), t.shape()))};
}

Values reshape_as(Context& c) {
  TensorRef t = c.ref("self");
  return {reshape_or_copy(c, t, c.ref("other").shape())};
}

Values flatten(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t rank = t.rank();
  const int64_t first = c.axis("start_dim", rank), last = c.axis("end_dim", rank);
  if (rank == 0) return {reshape_or_copy(c, t, {1})};
  if (first > last) c.fail("start_dim {} lies behind end_dim {}", first, last);
  ir::Dims shape;
  ir::Dim merged = 1;
  for (int64_t i = 0; i < rank; ++i) {
    const ir::Dim& d = t.shape()[static_cast<size_t>(i)];
    if (i < first || i > last)
      shape.push_back(d);
    else
      merged = merged * d;
    if (i == last) shape.push_back(merged);
  }
  return {reshape_or_copy(c, t, shape)};
}

Values ravel(Context& c) {
  TensorRef t = c.ref("self");
  return {reshape_or_copy(c, t, {ir::product(t.shape())})};
}

Values unflatten(Context& c) {
  TensorRef t = c.ref("self");
  const size_t axis = static_cast<size_t>(c.axis("dim", t.rank()));
  ir::Dims sizes = resolved_shape(c, c.dims("sizes"), {t.shape().at(axis)}), shape = t.shape();
  shape.erase(shape.begin() + static_cast<int64_t>(axis));
  shape.insert(shape.begin() + static_cast<int64_t>(axis), sizes.begin(), sizes.end());
  return {reshaped(t, shape)};
}

Values unsqueeze(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank() + 1);
  auto forward = [axis](ops::Builder& b, ir::Value* v) { return b.op("expand_dims", {v}, {{"axes", ir::Dims{axis}}}); };
  auto inverse = [axis](ops::Builder& b, ir::Value*, ir::Value* u) {
    return b.op("squeeze", {u}, {{"axes", ir::Dims{axis}}});
  };
  return {t.view(forward, inverse, t.is_contiguous())};
}

Values squeeze(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t rank = t.rank();
  std::vector<int64_t> wanted = c.schema.find("dim") ? c.numbers("dim") : std::vector<int64_t>{};
  if (!c.schema.find("dim"))
    for (int64_t i = 0; i < rank; ++i) wanted.push_back(i);
  ir::Dims axes;
  if (rank > 0)
    for (int64_t a : wanted) {
      a = c.wrap(a, rank);
      if (t.shape()[static_cast<size_t>(a)].is(1)) axes.push_back(a);
    }
  if (axes.empty()) return {t};
  auto forward = [axes](ops::Builder& b, ir::Value* v) { return b.op("squeeze", {v}, {{"axes", axes}}); };
  auto inverse = [](ops::Builder& b, ir::Value* base, ir::Value* u) { return b.reshape(u, base->shape()); };
  return {t.view(forward, inverse, t.is_contiguous())};
}

Values transpose(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t rank = t.rank();
  const char* first = c.schema.find("dim0") ? "dim0" : "axis0";
  const char* second = c.schema.find("dim1") ? "dim1" : "axis1";
  const int64_t i = c.axis(first, rank), j = c.axis(second, rank);
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  for (size_t a = 0; a < axes.size(); ++a) axes[a] = static_cast<int64_t>(a);
  if (rank > 0) std::swap(axes[static_cast<size_t>(i)], axes[static_cast<size_t>(j)]);
  return {permuted(t, axes)};
}

Values reversed_axes(Context& c) {  // t, numpy_T, mT
  TensorRef t = c.ref("self");
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < t.rank(); ++i) axes.push_back(t.rank() - 1 - i);
  return {permuted(t, axes)};
}

Values matrix_transpose(Context& c) {
  TensorRef t = c.ref("self");
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < t.rank(); ++i) axes.push_back(i);
  if (axes.size() < 2) c.fail("a matrix is expected");
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return {permuted(t, axes)};
}

Values permute(Context& c) {
  TensorRef t = c.ref("self");
  std::vector<int64_t> axes = c.numbers("dims"), seen(static_cast<size_t>(t.rank()), 0);
  if (static_cast<int64_t>(axes.size()) != t.rank()) c.fail("{} axes for rank {}", axes.size(), t.rank());
  for (int64_t& a : axes) {
    a = c.wrap(a, t.rank());
    if (seen[static_cast<size_t>(a)]++) c.fail("axis {} is named twice", a);
  }
  return {permuted(t, axes)};
}

Values movedim(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t rank = t.rank();
  std::vector<int64_t> from = c.numbers("source"), to = c.numbers("destination"), axes(static_cast<size_t>(rank), -1);
  std::vector<bool> moved(static_cast<size_t>(rank), false);
  if (from.size() != to.size()) c.fail("source and destination differ in length");
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t f = c.wrap(from[i], rank);
    axes[static_cast<size_t>(c.wrap(to[i], rank))] = f;
    moved[static_cast<size_t>(f)] = true;
  }
  size_t next = 0;
  for (int64_t& a : axes) {
    if (a >= 0) continue;
    while (next < moved.size() && moved[next]) ++next;
    if (next == moved.size()) c.fail("an axis is named twice");
    a = static_cast<int64_t>(next++);
  }
  return {permuted(t, axes)};
}

// Pairs of reals on the last axis <-> complex numbers.
ir::Value* to_complex(ops::Builder& b, ir::Value* v) {
  const int64_t last = v->rank() - 1;
  auto part = [&](int64_t i) {
    ir::Value* p = b.op("slice", {v}, {{"axes", ir::Dims{last}}, {"starts", ir::Dims{i}}, {"stops", ir::Dims{i + 1}}});
    return b.op("squeeze", {p}, {{"axes", ir::Dims{last}}});
  };
  return b.op("complex", {part(0), part(1)});
}

ir::Value* to_real(ops::Builder& b, ir::Value* v) {
  const int64_t last = v->rank();
  auto part = [&](const char* op) { return b.op("expand_dims", {b.op(op, {v})}, {{"axes", ir::Dims{last}}}); };
  return b.op("concat", {part("real"), part("imag")}, {{"axis", last}});
}

Values view_as_complex(Context& c) {
  TensorRef t = c.ref("self");
  return {t.view(
      to_complex, [](ops::Builder& b, ir::Value*, ir::Value* u) { return to_real(b, u); }, t.is_contiguous())};
}

Values view_as_real(Context& c) {
  TensorRef t = c.ref("self");
  return {t.view(
      to_real, [](ops::Builder& b, ir::Value*, ir::Value* u) { return to_complex(b, u); }, t.is_contiguous())};
}

Values complex_part(Context& c, const char* op) {
  TensorRef t = c.ref("self");
  if (!is_complex(t.dtype())) return {t};
  const bool real = std::string_view(op) == "real";
  auto inverse = [real](ops::Builder& b, ir::Value* base, ir::Value* u) {
    return real ? b.op("complex", {u, b.op("imag", {base})}) : b.op("complex", {b.op("real", {base}), u});
  };
  return {t.view([op](ops::Builder& b, ir::Value* v) { return b.op(op, {v}); }, inverse, false)};
}

Translator at_least(int64_t n) {
  return [n](Context& c) -> Values {
    auto widened = [&](const TensorRef& t) {
      ir::Dims shape = t.shape();
      if (shape.size() >= static_cast<size_t>(n)) return t;
      if (n == 3 && shape.size() == 2)
        shape.push_back(1);
      else if (n == 3 && shape.size() == 1)
        shape = {1, shape[0], 1};
      else
        while (shape.size() < static_cast<size_t>(n)) shape.insert(shape.begin(), ir::Dim(1));
      return reshaped(t, shape);
    };
    if (c.schema.find("self")) return {widened(c.ref("self"))};
    Values out;
    for (const Value& v : *c.get("tensors").items()) out.push_back(widened(*v.get<TensorRef>()));
    return {Value::list(out)};
  };
}

}  // namespace

Rows view_rows() {
  Rows rows = {
      {"reshape", reshape},
      {"reshape_as", reshape_as},
      {"view_as", reshape_as},
      {"flatten", flatten},
      {"ravel", ravel},
      {"unflatten", unflatten},
      {"_unsafe_view", view},
      {"_reshape_alias", view},
      {"swapaxes", transpose},
      {"swapdims", transpose},
      {"numpy_T", reversed_axes},
      {"adjoint", matrix_transpose},
      {"mT", matrix_transpose},
      {"movedim", movedim},
      {"moveaxis", movedim},
      {"real", [](Context& c) { return complex_part(c, "real"); }},
      {"imag", [](Context& c) { return complex_part(c, "imag"); }},
      {"atleast_1d", at_least(1)},
      {"atleast_2d", at_least(2)},
      {"atleast_3d", at_least(3)},
  };
  add_with_copy(rows, "view", view);
  add_with_copy(rows, "unsqueeze", unsqueeze);
  add_with_copy(rows, "squeeze", squeeze);
  add_with_copy(rows, "transpose", transpose);
  add_with_copy(rows, "t", reversed_axes);
  add_with_copy(rows, "permute", permute);
  add_with_copy(rows, "view_as_complex", view_as_complex);
  add_with_copy(rows, "view_as_real", view_as_real);
  add_with_copy(rows, "alias", identity());
  add_with_copy(rows, "detach", identity());
  return rows;
}

}  // namespace godwit::frontends::aten

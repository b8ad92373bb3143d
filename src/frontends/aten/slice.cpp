// Parts of a tensor along an axis; each shares memory with it.
#include <algorithm>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"
#include "frontends/aten/view.h"

namespace godwit::frontends::aten {
namespace {

Values slice(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank());
  if (t.rank() == 0) c.fail("a 0-d tensor cannot be sliced");
  return {sliced(t, axis, c.integer("start", 0), c.integer("end", INT64_MAX), c.integer("step", 1))};
}

Values narrow(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank());
  ir::Dim start = c.integer("start");
  if (start.is_known() && start.value() < 0) start = start + t.shape().at(static_cast<size_t>(axis));
  return {sliced(t, axis, start, start + c.integer("length"))};
}

Values select(Context& c) {
  TensorRef t = c.ref("self");
  if (t.rank() == 0) c.fail("a 0-d tensor has nothing to select");
  return {selected(t, c.axis("dim", t.rank()), c.integer("index"))};
}

// Parts along an axis, from the places where each starts; the last place is the end.
Values parts(const TensorRef& t, int64_t axis, const ir::Dims& cuts) {
  Values out;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) out.push_back(sliced(t, axis, cuts[i], cuts[i + 1]));
  return {Value::list(std::move(out))};
}

Values split_sizes(Context& c, std::string_view name) {
  TensorRef t = c.ref("self");
  ir::Dims cuts = {0};
  for (const ir::Dim& d : c.dims(name)) cuts.push_back(cuts.back() + d);
  return parts(t, c.axis("dim", t.rank()), cuts);
}

Values split_every(Context& c, const TensorRef& t, int64_t axis, const ir::Dim& size) {
  const ir::Dim& total = t.shape().at(static_cast<size_t>(axis));
  const ir::Dim count = size.is(0) ? ir::Dim(1) : ceildiv(total, size);
  // With a symbolic size the number of parts is what the program was written for.
  int64_t n = 0;
  if (count.is_known())
    n = std::max<int64_t>(1, count.value());
  else if (!c.session.expected.empty())
    n = static_cast<int64_t>(c.session.expected.size());
  else
    c.unsupported("the number of parts must be known, it is {}", count.str());
  if (n > 100000) c.unsupported("{} parts", n);
  ir::Dims cuts;
  for (int64_t i = 0; i < n; ++i) cuts.push_back(size * ir::Dim(i));
  cuts.push_back(total);
  return parts(t, axis, cuts);
}

Values split(Context& c) {
  if (c.schema.overload == "sizes") return split_sizes(c, "split_size");
  if (c.schema.overload.empty()) return split_sizes(c, "split_sizes");
  TensorRef t = c.ref("self");
  return split_every(c, t, c.axis("dim", t.rank()), c.integer("split_size"));
}

Values chunk(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank());
  const ir::Dim& total = t.shape().at(static_cast<size_t>(axis));
  if (total.is(0)) {  // as many empty parts as are asked for
    const int64_t n = c.number("chunks");
    if (n < 1 || n > 100000) c.fail("{} parts", n);
    return parts(t, axis, ir::Dims(static_cast<size_t>(n) + 1, ir::Dim(0)));
  }
  return split_every(c, t, axis, ceildiv(total, c.integer("chunks")));
}

Values tensor_split(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank());
  const ir::Dim total = t.shape().at(static_cast<size_t>(axis));
  ir::Dims cuts = {0};
  if (c.schema.overload == "sections") {
    const int64_t n = c.number("sections");
    if (n < 1 || n > 100000) c.fail("{} sections", n);
    const ir::Dim base = floordiv(total, n), more = mod(total, n);
    for (int64_t i = 1; i <= n; ++i) cuts.push_back(base * ir::Dim(i) + min(more, i));
  } else {
    for (ir::Dim d : c.dims(c.schema.find("indices") ? "indices" : "tensor_indices_or_sections")) {
      if (d.is_known() && d.value() < 0) d = d + total;
      cuts.push_back(d.is_known() && total.is_known() ? ir::Dim(std::clamp<int64_t>(d.value(), 0, total.value())) : d);
    }
    cuts.push_back(total);
  }
  Values out;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) out.push_back(sliced(t, axis, cuts[i], cuts[i + 1]));
  return {Value::list(std::move(out))};
}

Values unbind(Context& c) {
  TensorRef t = c.ref("self");
  const int64_t axis = c.axis("dim", t.rank());
  if (t.rank() == 0) c.fail("a 0-d tensor has nothing to unbind");
  const ir::Dim& count = t.shape().at(static_cast<size_t>(axis));
  if (!count.is_known() && c.session.expected.empty()) c.unsupported("the number of parts must be known");
  const int64_t n = count.is_known() ? count.value() : static_cast<int64_t>(c.session.expected.size());
  if (n > 100000) c.unsupported("{} parts", n);
  Values out;
  for (int64_t i = 0; i < n; ++i) out.push_back(selected(t, axis, i));
  return {Value::list(std::move(out))};
}

}  // namespace

Rows slice_rows() {
  Rows rows = {
      {"narrow", narrow},
      {"chunk", chunk},
      {"tensor_split", tensor_split},
      {"unsafe_chunk", chunk},
      {"unsafe_split", split},
      {"unsafe_split_with_sizes", [](Context& c) { return split_sizes(c, "split_sizes"); }},
  };
  add_with_copy(rows, "slice", slice);
  add_with_copy(rows, "select", select);
  add_with_copy(rows, "split", split);
  add_with_copy(rows, "unbind", unbind);
  add_with_copy(rows, "split_with_sizes", [](Context& c) { return split_sizes(c, "split_sizes"); });
  return rows;
}

}  // namespace godwit::frontends::aten

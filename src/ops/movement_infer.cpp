#include "ops/movement_infer.h"

#include <algorithm>
#include <limits>

#include "ops/type_checks.h"

namespace godwit::ops::movement {

using infer::Types;
using ir::Dim;
using ir::Dims;

namespace {

ir::Dim& at(ir::Shape& shape, int64_t axis) { return shape[static_cast<size_t>(axis)]; }
const ir::Dim& at(const ir::Shape& shape, int64_t axis) { return shape[static_cast<size_t>(axis)]; }

// A symbol that `bind` sets from a tensor at run time may hold -1 or a position beyond the end.
bool is_read(const Dim& d) {
  bool found = false;
  d.visit_symbols([&](const std::string& s) { found = found || InferContext::is_read(s); });
  return found;
}

}  // namespace

Types shape(InferContext& c) { return {{DType::i64, ir::Shape{c.rank(0)}}}; }

Types reshape(InferContext& c) {
  const ir::Shape& in = c.shape(0);
  const bool zero_copies = c.flag("zero_copies");
  ir::Shape out = c.integers("shape");
  std::optional<size_t> unknown;
  bool any_read = false;
  for (size_t i = 0; i < out.size(); ++i) {
    if (zero_copies && out[i].is(0)) {
      if (i >= in.size()) c.fail("dimension {} is copied from an operand without it", i);
      out[i] = in[i];
    }
    if (out[i].is(-1)) {
      if (unknown) c.fail("two dimensions are -1");
      unknown = i;
    } else if (out[i].is_known() && out[i].value() < 0) {
      c.fail("negative dimension {}", out[i].value());
    }
    any_read = any_read || is_read(out[i]);
  }
  if (any_read) {
    for (Dim& d : out)
      if (is_read(d) || d.is(-1)) d = InferContext::fresh();
    return {{c.dtype(0), out}};
  }
  // Dimensions that both sides have cancel first: (A*B*C) / (A*C) = B, whatever the order of the product.
  Dims above = in, below;
  for (size_t i = 0; i < out.size(); ++i) {
    if (unknown == i) continue;
    auto same = std::find(above.begin(), above.end(), out[i]);
    if (same != above.end() && !same->is(0))
      above.erase(same);
    else
      below.push_back(out[i]);
  }
  Dim total = ir::product(above), rest = ir::product(below);
  if (!unknown) {
    if (total.is_known() && rest.is_known() && total != rest) c.fail("the target {} has another size", ir::str(out));
    return {{c.dtype(0), out}};
  }
  if (rest.is(0)) {
    if (total.is_known() && !total.is(0)) c.fail("the target {} has another size", ir::str(out));
    out[*unknown] = 0;
  } else {
    if (total.is_known() && rest.is_known() && total.value() % rest.value() != 0)
      c.fail("the target {} does not divide the size", ir::str(out));
    out[*unknown] = floordiv(total, rest);
  }
  return {{c.dtype(0), out}};
}

Types transpose(InferContext& c) {
  if (static_cast<int64_t>(c.integers("axes").size()) != c.rank(0))
    c.fail("{} axes for rank {}", c.integers("axes").size(), c.rank(0));
  c.axes("axes", c.rank(0));  // distinct
  ir::Shape out;
  for (const Dim& axis : c.integers("axes")) out.push_back(at(c.shape(0), c.axis(axis, c.rank(0))));
  return {{c.dtype(0), out}};
}

Types broadcast(InferContext& c) {
  ir::Shape target = c.integers("shape");
  for (size_t i = 0; i < target.size(); ++i) {
    if (is_read(target[i])) target[i] = InferContext::fresh();
    if (target[i].is(-1)) target[i] = 1;
    if (target[i].is_known() && target[i].value() < 0) c.fail("negative dimension {}", target[i].value());
  }
  return {{c.dtype(0), ops::broadcast(c.shape(0), target, c)}};
}

Types expand_dims(InferContext& c) {
  const int64_t rank = c.rank(0) + static_cast<int64_t>(c.integers("axes").size());
  std::vector<int64_t> axes = c.axes("axes", rank);
  ir::Shape out;
  auto next = c.shape(0).begin();
  for (int64_t i = 0; i < rank; ++i) out.push_back(std::binary_search(axes.begin(), axes.end(), i) ? Dim(1) : *next++);
  return {{c.dtype(0), out}};
}

Types squeeze(InferContext& c) {
  std::vector<int64_t> axes = c.axes("axes", c.rank(0));
  ir::Shape out;
  for (int64_t i = 0; i < c.rank(0); ++i) {
    const Dim& d = at(c.shape(0), i);
    if (!std::binary_search(axes.begin(), axes.end(), i))
      out.push_back(d);
    else if (d.is_known() && !d.is(1))
      c.fail("axis {} has {} elements, not one", i, d.value());
  }
  return {{c.dtype(0), out}};
}

Types concat(InferContext& c) {
  if (c.count() == 0) c.fail("nothing to join");
  checks::one_dtype(c);
  ir::Shape out = c.shape(0);
  if (out.empty()) c.fail("scalars cannot be joined");
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  for (size_t i = 1; i < c.count(); ++i) {
    if (c.rank(i) != c.rank(0)) c.fail("ranks {} and {}", c.rank(0), c.rank(i));
    for (int64_t j = 0; j < c.rank(0); ++j) {
      const Dim& d = at(c.shape(i), j);
      if (j == axis)
        at(out, j) = at(out, j) + d;
      else if (!checks::may_equal(at(out, j), d))
        c.fail("axis {} has {} and {} elements", j, at(out, j).str(), d.str());
      else if (d.is_known())
        at(out, j) = d;
    }
  }
  return {{c.dtype(0), out}};
}

Types split(InferContext& c) {
  if (c.rank(0) == 0) c.fail("a scalar cannot be split");
  const int64_t axis = c.axis(c.number("axis"), c.rank(0));
  Types types;
  Dim sum = 0;
  for (const Dim& size : c.integers("sizes")) {
    if (size.is_known() && size.value() < 0) c.fail("negative size {}", size.value());
    ir::Shape out = c.shape(0);
    at(out, axis) = size;
    sum = sum + size;
    types.push_back({c.dtype(0), out});
  }
  if (!checks::may_equal(sum, at(c.shape(0), axis)))
    c.fail("the sizes sum to {}, axis {} has {}", sum.str(), axis, at(c.shape(0), axis).str());
  return types;
}

namespace {

constexpr int64_t beyond = std::numeric_limits<int32_t>::max();  // what exporters write for "to the end"

// Number of elements of a slice; fresh where it cannot be told.
Dim slice_size(const Dim& n, const Dim& start, const Dim& stop, const Dim& step) {
  if (!step.is_known() || is_read(start) || is_read(stop)) return InferContext::fresh();
  const int64_t by = step.value();
  if (n.is_known() && start.is_known() && stop.is_known()) {
    const int64_t size = n.value(), low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    auto place = [&](int64_t p) { return std::clamp(p < 0 ? p + size : p, low, high); };
    const int64_t gap =
        by > 0 ? place(stop.value()) - place(start.value()) : place(start.value()) - place(stop.value());
    const int64_t stride = by > 0 ? by : by == std::numeric_limits<int64_t>::min() ? beyond : -by;
    return gap <= 0 ? 0 : 1 + (gap - 1) / stride;
  }
  if (by < 0) {
    const bool from_end = start.is(-1) || (start.is_known() && start.value() >= beyond) || start == n - Dim(1);
    const bool to_start = stop.is_known() && stop.value() < -beyond;
    return from_end && to_start ? ceildiv(n, Dim(-by)) : InferContext::fresh();
  }
  // A dimension that is a symbol is taken to be large enough for the slice's start, and a stop that is a symbol to
  // lie inside a known dimension: as the tracers' guards have it. A known stop may well lie beyond the end.
  Dim low = start.is_known() && start.value() < 0 ? n + start : start;
  Dim high = stop;
  if (stop.is_known() && stop.value() < 0)
    high = n + stop;
  else if (stop.is_known() && stop.value() >= beyond)
    high = n;
  else if (!n.is_known())
    high = min(n, stop);
  Dim gap = high - low;
  if (gap.is_known() && gap.value() <= 0) return 0;
  return ceildiv(gap, step);
}

ir::Shape sliced(InferContext& c) {
  const Dims &starts = c.integers("starts"), &stops = c.integers("stops"), &steps = c.integers("steps");
  const size_t count = c.integers("axes").size();
  if (starts.size() != count || stops.size() != count || (!steps.empty() && steps.size() != count))
    c.fail("axes, starts, stops and steps differ in length");
  c.axes("axes", c.rank(0));  // distinct
  if (count > c.shape(0).size()) c.fail("a scalar cannot be sliced");
  ir::Shape out = c.shape(0);
  for (size_t i = 0; i < count; ++i) {
    const Dim step = steps.empty() ? Dim(1) : steps[i];
    if (step.is(0)) c.fail("the step is 0");
    Dim& d = at(out, c.axis(c.integers("axes")[i], c.rank(0)));
    d = slice_size(d, starts[i], stops[i], step);
  }
  return out;
}

}  // namespace

Types slice(InferContext& c) { return {{c.dtype(0), sliced(c)}}; }

Types slice_update(InferContext& c) {
  if (c.dtype(1) != c.dtype(0))
    c.fail("operands are {} and {}, one dtype is needed", name(c.dtype(0)), name(c.dtype(1)));
  ir::Shape part = sliced(c);
  if (c.rank(1) > c.rank(0)) c.fail("the update has more axes than the operand");
  const size_t offset = part.size() - c.shape(1).size();
  for (size_t i = 0; i < c.shape(1).size(); ++i)
    if (!c.shape(1)[i].is(1) && !checks::may_equal(c.shape(1)[i], part[offset + i]))
      c.fail("the update {} does not broadcast to {}", ir::str(c.shape(1)), ir::str(part));
  return infer::same(c);
}

Types pad(InferContext& c) {
  const Dims &low = c.integers("low"), &high = c.integers("high");
  const std::string& mode = c.text("mode");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") c.fail("mode is '{}'", mode);
  if (low.size() != c.shape(0).size() || high.size() != c.shape(0).size())
    c.fail("{} and {} entries for rank {}", low.size(), high.size(), c.rank(0));
  if (c.has(1) && c.dtype(1) != c.dtype(0))
    c.fail("the value is {}, the operand {}", name(c.dtype(1)), name(c.dtype(0)));
  ir::Shape out = c.shape(0);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = out[i] + low[i] + high[i];
    if (out[i].is_known() && out[i].value() < 0) c.fail("axis {} is cropped to {} elements", i, out[i].value());
  }
  return {{c.dtype(0), out}};
}

Types flip(InferContext& c) {
  c.axes("axes", c.rank(0));
  return infer::same(c);
}

Types roll(InferContext& c) {
  if (c.integers("shifts").size() != c.integers("axes").size()) c.fail("shifts and axes differ in length");
  if (c.rank(0) == 0 && !c.integers("axes").empty()) c.fail("a scalar has no axis to roll");
  for (const Dim& axis : c.integers("axes")) c.axis(axis, c.rank(0));
  return infer::same(c);
}

Types tile(InferContext& c) {
  Dims repeats = c.integers("repeats");
  ir::Shape out = c.shape(0);
  if (repeats.size() < out.size()) repeats.insert(repeats.begin(), out.size() - repeats.size(), 1);
  if (out.size() < repeats.size()) out.insert(out.begin(), repeats.size() - out.size(), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    if (repeats[i].is_known() && repeats[i].value() < 0) c.fail("negative repeat {}", repeats[i].value());
    out[i] = out[i] * repeats[i];
  }
  return {{c.dtype(0), out}};
}

Types repeat(InferContext& c) {
  if (c.rank(0) == 0) c.fail("a scalar cannot be repeated");
  if (c.integer("count").is_known() && c.number("count") < 0) c.fail("negative count {}", c.number("count"));
  ir::Shape out = c.shape(0);
  Dim& d = at(out, c.axis(c.number("axis"), c.rank(0)));
  d = d * c.integer("count");
  return {{c.dtype(0), out}};
}

Types unfold(InferContext& c) {
  if (c.rank(0) == 0) c.fail("a scalar has no windows");
  ir::Shape out = c.shape(0);
  Dim& d = at(out, c.axis(c.number("axis"), c.rank(0)));
  const Dim size = c.integer("size"), step = c.integer("step");
  if (step.is_known() && step.value() <= 0) c.fail("the step is {}", step.value());
  if (size.is_known() && (size.value() < 0 || (d.is_known() && size.value() > d.value())))
    c.fail("windows of {} over {} elements", size.str(), d.str());
  d = floordiv(d - size, step) + Dim(1);
  out.push_back(size);
  return {{c.dtype(0), out}};
}

Types as_strided(InferContext& c) {
  if (c.integers("shape").size() != c.integers("strides").size()) c.fail("shape and strides differ in length");
  return {{c.dtype(0), c.integers("shape")}};
}

Types diagonal(InferContext& c) {
  if (c.rank(0) < 2) c.fail("a matrix is needed");
  const int64_t a = c.axis(c.number("axis1"), c.rank(0)), b = c.axis(c.number("axis2"), c.rank(0));
  if (a == b) c.fail("axes {} and {} are one", a, b);
  const Dim rows = at(c.shape(0), a), columns = at(c.shape(0), b), offset = c.integer("offset");
  ir::Shape out;
  for (int64_t i = 0; i < c.rank(0); ++i)
    if (i != a && i != b) out.push_back(at(c.shape(0), i));
  const bool right = !offset.is_known() || offset.value() >= 0;
  Dim length = right ? min(rows, columns - offset) : min(rows + offset, columns);
  out.push_back(offset.is(0) ? length : max(length, 0));
  return {{c.dtype(0), out}};
}

}  // namespace godwit::ops::movement

// Indexing, gathering, scattering, sorting.
#include <algorithm>
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"
#include "frontends/aten/view.h"

namespace godwit::frontends::aten {
namespace {

struct Indices {
  std::vector<ir::Value*> arrays;
  ir::Dims axes;
};

// Index tensors and the axes they stand for; a mask becomes the places where it is true, one array an axis.
Indices indices_of(Context& c, std::string_view name, int64_t rank) {
  Indices out;
  int64_t axis = 0;
  for (ir::Value* v : c.tensors(name)) {
    if (!v) {
      ++axis;
      continue;
    }
    const bool mask = v->dtype() == DType::boolean || v->dtype() == DType::u8;
    if (!mask) {
      out.arrays.push_back(c.cast(v, DType::i64));
      out.axes.push_back(axis++);
      continue;
    }
    if (v->rank() == 0) c.unsupported("a 0-d mask as an index");
    ir::Value* at = c.op("nonzero", {v});
    for (int64_t i = 0; i < v->rank(); ++i) {
      ir::Value* column =
          c.op("slice", {at}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{i}}, {"stops", ir::Dims{i + 1}}});
      out.arrays.push_back(c.op("squeeze", {column}, {{"axes", ir::Dims{1}}}));
      out.axes.push_back(axis++);
    }
  }
  if (axis > rank) c.fail("{} indices for rank {}", axis, rank);
  return out;
}

Values index(Context& c) {
  ir::Value* x = c.tensor("self");
  Indices at = indices_of(c, "indices", x->rank());
  if (at.arrays.empty()) return {c.result(c.op("copy", {x}))};
  if (at.arrays.size() == 1) return {c.result(c.op("take", {x, at.arrays[0]}, {{"axis", at.axes[0]}}))};
  std::vector<ir::Value*> operands = {x};
  operands.insert(operands.end(), at.arrays.begin(), at.arrays.end());
  return {c.result(c.op("index", operands, {{"axes", at.axes}}))};
}

// The single mask over the leading axes, when that is all the index there is.
ir::Value* only_mask(Context& c) {
  const Values* items = c.get("indices").items();
  if (!items || items->size() != 1 || !(*items)[0].is_tensor()) return nullptr;
  ir::Value* v = (*items)[0].get<TensorRef>()->read();
  return v->dtype() == DType::boolean ? v : nullptr;
}

Values index_put(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* values = c.tensor_as("values", x->dtype());
  const bool accumulate = c.flag("accumulate");
  ir::Value* mask = only_mask(c);
  if (mask && !accumulate && ir::product(values->shape()).is(1)) {
    // x[mask] = number
    ir::Dims shape = mask->shape();
    while (static_cast<int64_t>(shape.size()) < x->rank()) shape.push_back(1);
    return {c.result(c.op("where", {c.b.reshape(mask, shape), c.b.reshape(values, {}), x}))};
  }
  Indices at = indices_of(c, "indices", x->rank());
  if (at.arrays.empty()) {
    ir::Value* v = c.op("broadcast", {values}, {{"shape", x->shape()}});
    return {c.result(accumulate ? c.op("add", {x, v}) : v)};
  }
  std::vector<ir::Value*> operands = {x, values};
  operands.insert(operands.end(), at.arrays.begin(), at.arrays.end());
  return {c.result(c.op("index_put", operands, {{"axes", at.axes}, {"accumulate", accumulate}}))};
}

ir::Value* at_least_1d(Context& c, ir::Value* v) { return v->rank() == 0 ? c.b.reshape(v, {1}) : v; }

Values index_select(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* at = at_least_1d(c, c.tensor("index"));
  const int64_t axis = c.axis("dim", x->rank());
  if (x->rank() == 0) return {c.result(c.b.reshape(c.op("take", {at_least_1d(c, x), at}, {{"axis", 0}}), {}))};
  return {c.result(c.op("take", {x, c.cast(at, DType::i64)}, {{"axis", axis}}))};
}

// index_add, index_copy, index_fill: along one axis, at the places of a vector.
Values put_along(Context& c, ir::Value* values, bool accumulate) {
  ir::Value* x = c.tensor("self");
  const int64_t axis = c.axis("dim", x->rank());
  ir::Value* at = c.cast(at_least_1d(c, c.tensor("index")), DType::i64);
  if (x->rank() == 0) {
    ir::Value* y = c.op("index_put", {at_least_1d(c, x), at_least_1d(c, values), at},
                        {{"axes", ir::Dims{0}}, {"accumulate", accumulate}});
    return {c.result(c.b.reshape(y, {}))};
  }
  // A 0-d source stands for one place.
  if (values->rank() > 0 && values->rank() < x->rank())
    values = c.op("expand_dims", {values}, {{"axes", ir::Dims{axis}}});
  return {c.result(c.op("index_put", {x, values, at}, {{"axes", ir::Dims{axis}}, {"accumulate", accumulate}}))};
}

Values index_add(Context& c) {
  const DType to = c.ref("self").dtype();
  ir::Value* source = c.tensor_as("source", to);
  if (c.has("alpha") && !(c.get("alpha").is<ir::Dim>() && c.integer("alpha").is(1)))
    source = c.op("multiply", {source, c.tensor_as("alpha", to)});
  return put_along(c, source, true);
}
Values index_copy(Context& c) { return put_along(c, c.tensor("source"), false); }
Values index_fill(Context& c) { return put_along(c, c.tensor_as("value", c.ref("self").dtype()), false); }

// The leading part of v that has the shape of the index.
ir::Value* leading(Context& c, ir::Value* v, const ir::Shape& shape, int64_t keep) {
  ir::Dims axes, starts, stops;
  for (int64_t i = 0; i < v->rank(); ++i) {
    const ir::Dim& wanted = shape[static_cast<size_t>(i)];
    if (i == keep || v->shape()[static_cast<size_t>(i)] == wanted) continue;
    axes.push_back(i), starts.push_back(0), stops.push_back(wanted);
  }
  return axes.empty() ? v : c.op("slice", {v}, {{"axes", axes}, {"starts", starts}, {"stops", stops}});
}

Values gather(Context& c) {
  ir::Value *x = c.tensor("self"), *at = c.cast(c.tensor("index"), DType::i64);
  const ir::Shape shape = at->shape();
  x = at_least_1d(c, x), at = at_least_1d(c, at);
  if (x->rank() != at->rank()) {
    if (ir::product(at->shape()).is(0)) return {c.result(c.op("full", {c.scalar_like(x, 0)}, {{"shape", shape}}))};
    c.fail("self {} and index {} differ in rank", ir::str(x->type), ir::str(at->type));
  }
  const int64_t axis = c.axis("dim", x->rank());
  return {c.result(c.b.reshape(c.op("take_along", {leading(c, x, at->shape(), axis), at}, {{"axis", axis}}), shape))};
}

// scatter along an axis; x, index and updates brought to the same rank.
struct Scatter {
  ir::Value *x, *at, *updates;
  int64_t axis;
  ir::Shape shape;  // of the result
};

Scatter scatter_operands(Context& c) {
  Scatter s;
  s.x = c.tensor("self");
  s.shape = s.x->shape();
  s.x = at_least_1d(c, s.x);
  s.at = at_least_1d(c, c.cast(c.tensor("index"), DType::i64));
  s.axis = c.axis("dim", s.x->rank());
  const char* name = c.schema.find("src") ? "src" : "value";
  ir::Value* v = c.tensor_as(name, s.x->dtype());
  if (v->rank() == 0) v = c.op("broadcast", {v}, {{"shape", s.at->shape()}});
  if (s.at->rank() == s.x->rank())
    s.updates = leading(c, v, s.at->shape(), -1);
  else
    s.updates = v;
  return s;
}

bool is_empty(const Scatter& s) { return ir::product(s.at->shape()).is(0); }

ir::Value* scattered(Context& c, const Scatter& s, ir::Value* x, ir::Value* updates, const char* reduction) {
  return c.op("scatter", {x, s.at, updates}, {{"axis", s.axis}, {"reduction", std::string(reduction)}});
}

Values scatter(Context& c) {
  Scatter s = scatter_operands(c);
  if (is_empty(s)) return {c.result(c.op("copy", {c.tensor("self")}))};
  const char* reduction = "none";
  if (c.schema.name.find("scatter_add") != std::string::npos)
    reduction = "add";
  else if (c.has("reduce"))
    reduction = c.text("reduce") == "add" ? "add" : "mul";
  return {c.result(c.b.reshape(scattered(c, s, s.x, s.updates, reduction), s.shape))};
}

double smallest(DType d) {
  return is_float(d)                             ? -INFINITY
         : d == DType::u8 || d == DType::boolean ? 0
         : d == DType::i8                        ? -128
         : d == DType::i16                       ? -32768
                                                 : -2147483648.0;
}
double largest(DType d) {
  return is_float(d)           ? INFINITY
         : d == DType::boolean ? 1
         : d == DType::u8      ? 255
         : d == DType::i8      ? 127
         : d == DType::i16     ? 32767
                               : 2147483647.0;
}

Values scatter_reduce(Context& c) {
  Scatter s = scatter_operands(c);
  if (is_empty(s)) return {c.result(c.op("copy", {c.tensor("self")}))};
  const std::string how = c.text("reduce");
  const bool with_self = c.is_none("include_self") || c.flag("include_self");
  const DType d = s.x->dtype();
  auto filled = [&](ir::Value* like, double v) {
    return c.op("broadcast", {c.scalar(d, v)}, {{"shape", like->shape()}});
  };
  double neutral = 0;
  if (how == "prod") neutral = 1;
  if (how == "amax") neutral = smallest(d);
  if (how == "amin") neutral = largest(d);
  ir::Value* x = with_self ? s.x : scattered(c, s, s.x, filled(s.updates, neutral), "none");
  ir::Value* y = nullptr;
  if (how == "sum")
    y = scattered(c, s, x, s.updates, "add");
  else if (how == "prod")
    y = scattered(c, s, x, s.updates, "mul");
  else if (how == "amax")
    y = scattered(c, s, x, s.updates, "max");
  else if (how == "amin")
    y = scattered(c, s, x, s.updates, "min");
  else if (how == "mean") {
    ir::Value* count = scattered(c, s, filled(s.x, with_self ? 1 : 0), filled(s.updates, 1), "add");
    count = c.op("maximum", {count, c.scalar(d, 1)});
    y = c.op(is_float(d) ? "divide" : "floor_divide", {scattered(c, s, x, s.updates, "add"), count});
  } else {
    c.fail("reduction '{}' is unknown", how);
  }
  return {c.result(c.b.reshape(y, s.shape))};
}

// select_scatter, slice_scatter, diagonal_scatter: the write through a view, as a function.
Values select_scatter(Context& c) {
  ir::Value* x = c.tensor("self");
  TensorRef copy = c.session.heap.make(x);
  selected(copy, c.axis("dim", x->rank()), c.integer("index")).write(c.tensor_as("src", x->dtype()));
  return {c.result(copy.read())};
}

Values slice_scatter(Context& c) {
  ir::Value* x = c.tensor("self");
  TensorRef copy = c.session.heap.make(x);
  TensorRef part =
      sliced(copy, c.axis("dim", x->rank()), c.integer("start", 0), c.integer("end", INT64_MAX), c.integer("step", 1));
  ir::Value* src = c.tensor_as("src", x->dtype());
  if (src->shape() != part.shape()) src = c.op("broadcast", {src}, {{"shape", part.shape()}});
  part.write(src);
  return {c.result(copy.read())};
}

// The diagonal's places counted in the flat tensor, then one scatter.
Values diagonal_scatter(Context& c) {
  ir::Value *x = c.tensor("self"), *src = c.tensor_as("src", c.ref("self").dtype());
  const ir::Dim total = ir::product(x->shape());
  ir::Value* places =
      c.b.reshape(c.op("arange", {}, {{"start", 0}, {"count", total}, {"dtype", DType::i64}}), x->shape());
  ir::Attrs attrs = {
      {"offset", c.integer("offset", 0)}, {"axis1", c.axis("dim1", x->rank())}, {"axis2", c.axis("dim2", x->rank())}};
  ir::Value* at = c.op("diagonal", {places}, attrs);
  const ir::Dim count = ir::product(at->shape());
  if (count.is(0)) return {c.result(c.op("copy", {x}))};
  ir::Value* y =
      c.op("scatter", {c.b.reshape(x, {total}), c.b.reshape(at, {count}), c.b.reshape(src, {count})}, {{"axis", 0}});
  return {c.result(c.b.reshape(y, x->shape()))};
}

Values masked_scatter(Context& c) {
  ir::Value *x = c.tensor("self"), *mask = c.cast(c.tensor("mask"), DType::boolean);
  if (mask->shape() != x->shape()) mask = c.op("broadcast", {mask}, {{"shape", x->shape()}});
  return {c.result(c.op("masked_scatter", {x, mask, c.tensor("source")}))};
}

Values masked_select(Context& c) {
  ir::Value *x = c.tensor("self"), *mask = c.cast(c.tensor("mask"), DType::boolean);
  // Both broadcast against each other.
  ir::Value* one = c.op("logical_or", {mask, c.op("not_equal", {x, x})});
  ir::Shape shape = one->shape();
  if (mask->shape() != shape) mask = c.op("broadcast", {mask}, {{"shape", shape}});
  if (x->shape() != shape) x = c.op("broadcast", {x}, {{"shape", shape}});
  const ir::Dim total = ir::product(shape);
  ir::Value* at = c.op("squeeze", {c.op("nonzero", {c.b.reshape(mask, {total})})}, {{"axes", ir::Dims{1}}});
  return {c.result(c.op("take", {c.b.reshape(x, {total}), at}, {{"axis", 0}}))};
}

Values take(Context& c) {
  ir::Value* x = c.tensor("self");
  return {c.result(c.op("take", {c.b.reshape(x, {ir::product(x->shape())}), c.tensor("index")}, {{"axis", 0}}))};
}

Values take_along_dim(Context& c) {
  ir::Value *x = c.tensor("self"), *at = c.tensor("indices");
  if (c.is_none("dim")) {
    x = c.b.reshape(x, {ir::product(x->shape())}), at = c.b.reshape(at, {ir::product(at->shape())});
    return {c.result(c.op("take_along", {x, at}, {{"axis", 0}}))};
  }
  const int64_t axis = c.axis("dim", x->rank());
  return {c.result(c.op("take_along", {x, at}, {{"axis", axis}}))};
}

Values nonzero(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->rank() == 0) {  // [n, 0]
    ir::Value* at = c.op("nonzero", {c.b.reshape(x, {1})});
    return {c.result(c.op("slice", {at}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{0}}, {"stops", ir::Dims{0}}}))};
  }
  return {c.result(c.op("nonzero", {x}))};
}

Values nonzero_columns(Context& c) {
  ir::Value* x = at_least_1d(c, c.tensor("self"));
  ir::Value* at = c.op("nonzero", {x});
  Values out;
  for (int64_t i = 0; i < x->rank(); ++i) {
    ir::Value* column =
        c.op("slice", {at}, {{"axes", ir::Dims{1}}, {"starts", ir::Dims{i}}, {"stops", ir::Dims{i + 1}}});
    out.push_back(c.result(c.op("squeeze", {column}, {{"axes", ir::Dims{1}}})));
  }
  return {Value::list(out)};
}

Values topk(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Dims shape = x->shape();
  x = at_least_1d(c, x);
  auto v = c.b.ops("topk", {x},
                   {{"k", c.integer("k")},
                    {"axis", c.axis("dim", x->rank())},
                    {"largest", c.flag("largest")},
                    {"sorted", c.flag("sorted")}});
  if (shape.empty())
    for (ir::Value*& y : v) y = c.b.reshape(y, {});
  return c.results(v);
}

std::vector<ir::Value*> sorted(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->rank() == 0) return {c.op("copy", {x}), c.scalar(DType::i64, 0)};
  return c.b.ops("sort", {x}, {{"axis", c.axis("dim", x->rank())}, {"descending", c.flag("descending")}});
}
Values sort(Context& c) { return c.results(sorted(c)); }
Values argsort(Context& c) { return {c.result(sorted(c)[1])}; }
Values msort(Context& c) { return {c.result(c.b.ops("sort", {c.tensor("self")}, {{"axis", 0}})[0])}; }

Values kthvalue(Context& c) {
  ir::Value* x = c.tensor("self");
  if (x->rank() == 0) return {c.result(c.op("copy", {x})), c.result(c.scalar(DType::i64, 0))};
  const int64_t axis = c.axis("dim", x->rank());
  auto all = c.b.ops("sort", {x}, {{"axis", axis}});
  const ir::Dim k = c.integer("k");
  Values out;
  for (ir::Value* v : all) {
    v = c.op("slice", {v}, {{"axes", ir::Dims{axis}}, {"starts", ir::Dims{k - ir::Dim(1)}}, {"stops", ir::Dims{k}}});
    out.push_back(c.result(c.flag("keepdim") ? v : c.op("squeeze", {v}, {{"axes", ir::Dims{axis}}})));
  }
  return out;
}

Values searchsorted(Context& c) {
  ir::Value* sequence = c.tensor("sorted_sequence");
  bool right = c.flag("right");
  if (c.has("side")) right = c.text("side") == "right";
  if (c.has("sorter")) sequence = c.op("take_along", {sequence, c.tensor("sorter")}, {{"axis", -1}});
  ir::Value* values = c.to_tensor(c.get("self"));
  const DType to = c.result_type({Value(c.session.heap.make(sequence)), Value(c.session.heap.make(values))});
  ir::Value* at = c.op("searchsorted", {c.cast(sequence, to), c.cast(values, to)}, {{"right", right}});
  return {c.result(c.cast(at, c.flag("out_int32") ? DType::i32 : DType::i64))};
}

Values bucketize(Context& c) {
  ir::Value *edges = c.tensor("boundaries"), *x = c.tensor("self");
  const DType to = c.result_type({Value(c.session.heap.make(edges)), Value(c.session.heap.make(x))});
  ir::Value* at = c.op("searchsorted", {c.cast(edges, to), c.cast(x, to)}, {{"right", c.flag("right")}});
  return {c.result(c.cast(at, c.flag("out_int32") ? DType::i32 : DType::i64))};
}

Values unique(Context& c) {
  ir::Value* x = c.tensor("self");
  const bool along = c.schema.find("dim") != nullptr;
  auto v = c.b.ops("unique", {x},
                   {{"axis", along ? c.axis("dim", x->rank()) : int64_t{0}}, {"flat", !along}, {"sorted", true}});
  // Along an axis PyTorch gives both whether asked or not.
  auto asked = [&](const char* name, ir::Value* value) {
    return c.result(along || c.flag(name) ? value : c.b.constant(Tensor::zeros(DType::i64, {0})));
  };
  Values out = {c.result(v[0]), asked("return_inverse", along ? v[2] : c.b.reshape(v[2], x->shape()))};
  if (c.schema.returns.size() > 2) out.push_back(asked("return_counts", v[3]));
  return out;
}

Values embedding(Context& c) {
  return {c.result(c.op("take", {c.tensor("weight"), c.cast(c.tensor("indices"), DType::i64)}, {{"axis", 0}}))};
}

Values one_hot(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Dim classes = c.integer("num_classes");
  if (classes.is(-1)) {
    ir::Dims axes;
    for (int64_t i = 0; i < x->rank(); ++i) axes.push_back(i);
    classes = c.b.read_one(c.op("max", {x}, {{"axes", axes}})) + ir::Dim(1);
  }
  ir::Value* range = c.op("arange", {}, {{"start", 0}, {"count", classes}, {"dtype", x->dtype()}});
  return {
      c.result(c.cast(c.op("equal", {c.op("expand_dims", {x}, {{"axes", ir::Dims{x->rank()}}}), range}), DType::i64))};
}

Values isin(Context& c) {
  ir::Value *x = c.to_tensor(c.get(argument_name(c, 0))), *set = c.to_tensor(c.get(argument_name(c, 1)));
  const DType to = c.result_type({c.get(argument_name(c, 0)), c.get(argument_name(c, 1))});
  x = c.cast(x, to), set = c.b.reshape(c.cast(set, to), {ir::product(set->shape())});
  ir::Value* equal = c.op("equal", {c.op("expand_dims", {x}, {{"axes", ir::Dims{x->rank()}}}), set});
  ir::Value* y = c.op("any", {equal}, {{"axes", ir::Dims{x->rank()}}});
  return {c.result(c.flag("invert") ? c.op("logical_not", {y}) : y)};
}

// Counts of equal-width bins between min and max (of the data where both are 0); values outside are left out.
Values histc(Context& c) {
  ir::Value* x = c.tensor("self");
  x = c.b.reshape(x, {ir::product(x->shape())});
  const int64_t bins = c.number("bins");
  ir::Value* wide = is_float(x->dtype()) ? x : c.cast(x, DType::f32);
  ir::Value *low = c.tensor_as("min", wide->dtype()), *high = c.tensor_as("max", wide->dtype());
  if (c.real("min") == c.real("max"))
    low = c.op("min", {wide}, {{"axes", ir::Dims{0}}}), high = c.op("max", {wide}, {{"axes", ir::Dims{0}}});
  ir::Value* width = c.op("subtract", {high, low});
  ir::Value* place = c.op(
      "floor", {c.op("divide",
                     {c.op("multiply", {c.op("subtract", {wide, low}), c.scalar_like(wide, static_cast<double>(bins))}),
                      width})});
  place = c.op("minimum", {place, c.scalar_like(wide, static_cast<double>(bins - 1))});
  ir::Value* inside = c.op("logical_and", {c.op("greater_equal", {wide, low}), c.op("less_equal", {wide, high})});
  ir::Value* range = c.cast(c.op("arange", {}, {{"start", 0}, {"count", bins}, {"dtype", DType::i64}}), wide->dtype());
  ir::Value* hit = c.op("equal", {c.op("expand_dims", {place}, {{"axes", ir::Dims{1}}}), range});
  hit = c.op("logical_and", {hit, c.op("expand_dims", {inside}, {{"axes", ir::Dims{1}}})});
  return {c.result(c.op("sum", {c.cast(hit, x->dtype())}, {{"axes", ir::Dims{0}}}))};
}

Values bincount(Context& c) {
  ir::Value* x = c.cast(c.tensor("self"), DType::i64);
  ir::Dim count = max(c.integer("minlength", 0), c.b.read_one(c.op("max", {x}, {{"axes", ir::Dims{0}}})) + ir::Dim(1));
  ir::Value* updates =
      c.has("weights") ? c.tensor("weights") : c.op("broadcast", {c.scalar(DType::i64, 1)}, {{"shape", x->shape()}});
  ir::Value* zeros = c.op("full", {c.scalar_like(updates, 0)}, {{"shape", ir::Dims{count}}});
  return {c.result(c.op("scatter", {zeros, x, updates}, {{"axis", 0}, {"reduction", std::string("add")}}))};
}

}  // namespace

Rows index_rows() {
  return {
      {"index", index},
      {"_unsafe_index", index},
      {"index_put", index_put},
      {"_unsafe_index_put", index_put},
      {"index_select", index_select},
      {"index_add", index_add},
      {"index_copy", index_copy},
      {"index_fill", index_fill},
      {"gather", gather},
      {"scatter", scatter},
      {"scatter_add", scatter},
      {"scatter_reduce", scatter_reduce},
      {"select_scatter", select_scatter},
      {"slice_scatter", slice_scatter},
      {"diagonal_scatter", diagonal_scatter},
      {"masked_scatter", masked_scatter},
      {"masked_select", masked_select},
      {"take", take},
      {"take_along_dim", take_along_dim},
      {"nonzero", nonzero},
      {"argwhere", nonzero},
      {"nonzero_numpy", nonzero_columns},
      {"topk", topk},
      {"sort", sort},
      {"argsort", argsort},
      {"msort", msort},
      {"kthvalue", kthvalue},
      {"searchsorted", searchsorted},
      {"bucketize", bucketize},
      {"_unique2", unique},
      {"_unique", unique},
      {"unique_dim", unique},
      {"embedding", embedding},
      {"one_hot", one_hot},
      {"isin", isin},
      {"histc", histc},
      {"bincount", bincount},
  };
}

}  // namespace godwit::frontends::aten

// Reductions, cumulative sums, arg-reductions.
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

ir::Attrs over(const std::vector<int64_t>& axes, bool keep) { return {{"axes", ir::dims(axes)}, {"keepdims", keep}}; }

// Sums of integers and bools are int64; `dtype` casts first.
ir::Value* summand(Context& c) {
  ir::Value* x = c.tensor(argument_name(c, 0));
  if (auto to = c.dtype()) return c.cast(x, *to);
  return is_integer(x->dtype()) || x->dtype() == DType::boolean ? c.cast(x, DType::i64) : x;
}

Translator summed(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = summand(c);
    return {c.result(c.op(op, {x}, over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"))))};
  };
}

ir::Value* zero_for_nan(Context& c, ir::Value* x) {
  return is_float(x->dtype()) ? c.op("where", {c.op("is_nan", {x}), c.scalar_like(x, 0), x}) : x;
}

Values nansum(Context& c) {
  ir::Value* x = zero_for_nan(c, summand(c));
  return {c.result(c.op("sum", {x}, over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"))))};
}

Values mean(Context& c) {
  ir::Value* x = c.tensor("self");
  if (auto to = c.dtype()) x = c.cast(x, *to);
  return {c.result(c.op("mean", {x}, over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"))))};
}

Values nanmean(Context& c) {
  ir::Value* x = c.tensor("self");
  const auto axes = c.axes_or_all("dim", x->rank());
  ir::Value* count =
      c.op("sum", {c.cast(c.op("logical_not", {c.op("is_nan", {x})}), x->dtype())}, over(axes, c.flag("keepdim")));
  return {c.result(c.op("divide", {c.op("sum", {zero_for_nan(c, x)}, over(axes, c.flag("keepdim"))), count}))};
}

// min, max, amin, amax over all or some axes, values only.
Translator extreme(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    const bool flag = x->dtype() == DType::boolean;
    ir::Value* y = c.op(flag ? (std::string_view(op) == "max" ? "any" : "all") : op, {x},
                        over(c.axes_or_all("dim", x->rank()), c.flag("keepdim")));
    return {c.result(y)};
  };
}

// max.dim, min.dim: values and the index of the first extreme.
Translator extreme_with_index(const char* op, const char* arg_op) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (x->rank() == 0) return {c.result(c.op("copy", {x})), c.result(c.scalar(DType::i64, 0))};
    const int64_t axis = c.axis("dim", x->rank());
    const bool keep = c.flag("keepdim"), flag = x->dtype() == DType::boolean;
    ir::Value* number = flag ? c.cast(x, DType::u8) : x;
    ir::Value* values = c.op(op, {number}, over({axis}, keep));
    ir::Value* at = c.op(arg_op, {number}, {{"axis", axis}, {"keepdims", keep}});
    return {c.result(flag ? c.cast(values, DType::boolean) : values), c.result(at)};
  };
}

Translator arg_extreme(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (x->dtype() == DType::boolean) x = c.cast(x, DType::u8);
    if (c.has("dim")) {
      if (x->rank() == 0) return {c.result(c.scalar(DType::i64, 0))};
      return {c.result(c.op(op, {x}, {{"axis", c.axis("dim", x->rank())}, {"keepdims", c.flag("keepdim")}}))};
    }
    const int64_t rank = x->rank();
    ir::Value* flat = c.b.reshape(x, {ir::product(x->shape())});
    ir::Value* at = c.op(op, {flat}, {{"axis", 0}});
    if (c.flag("keepdim")) at = c.b.reshape(at, ir::Dims(static_cast<size_t>(rank), ir::Dim(1)));
    return {c.result(at)};
  };
}

Values aminmax(Context& c) {
  ir::Value* x = c.tensor("self");
  const auto attrs = over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"));
  return {c.result(c.op("min", {x}, attrs)), c.result(c.op("max", {x}, attrs))};
}

Translator truth(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    const bool bytes = x->dtype() == DType::u8;  // PyTorch keeps uint8 here
    ir::Value* flags = x->dtype() == DType::boolean ? x : c.op("not_equal", {x, c.scalar_like(x, 0)});
    ir::Value* y = c.op(op, {flags}, over(c.axes_or_all("dim", x->rank()), c.flag("keepdim")));
    return {c.result(bytes ? c.cast(y, DType::u8) : y)};
  };
}

// var, std and their pairs with the mean. `unbiased` is the old spelling of correction 1.
double correction_of(Context& c) {
  if (c.has("correction")) return c.real("correction");
  if (c.schema.find("unbiased")) return c.flag("unbiased") ? 1.0 : 0.0;
  return 1.0;
}

Translator deviation(bool root, bool with_mean) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    auto attrs = over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"));
    ir::Value* m = with_mean ? c.op("mean", {x}, attrs) : nullptr;
    attrs["correction"] = correction_of(c);
    ir::Value* y = nullptr;
    // The variance of complex numbers is the sum of those of their parts.
    if (is_complex(x->dtype()))
      y = c.op("add", {c.op("variance", {c.op("real", {x})}, attrs), c.op("variance", {c.op("imag", {x})}, attrs)});
    else
      y = c.op("variance", {x}, attrs);
    if (root) y = c.op("sqrt", {y});
    if (with_mean) return {c.result(y), c.result(m)};
    return {c.result(y)};
  };
}

Values logsumexp(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  return {c.result(c.op("logsumexp", {x}, over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"))))};
}

// norm, linalg_vector_norm: sum |x|^p ^ (1/p); p may be 0, inf, -inf.
Values vector_norm(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  if (auto to = c.dtype()) x = c.cast(x, *to);
  if (c.has("p") && c.get("p").is<std::string>()) c.unsupported("matrix norms are not supported");
  const double order = c.has("ord") ? c.real("ord") : c.has("p") ? c.real("p") : 2.0;
  auto attrs = over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"));
  attrs["order"] = order;
  return {c.result(c.op("norm", {x}, attrs))};
}

Values linalg_norm(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  if (c.get("ord").is<std::string>() && c.text("ord") != "fro") c.unsupported("order '{}'", c.text("ord"));
  const bool matrix = c.has("ord") && !c.get("ord").is<std::string>() &&
                      ((c.has("dim") && c.dims("dim").size() == 2) || (c.is_none("dim") && x->rank() == 2));
  if (matrix) c.unsupported("matrix norms are not supported");
  auto attrs = over(c.axes_or_all("dim", x->rank()), c.flag("keepdim"));
  attrs["order"] = c.has("ord") && !c.get("ord").is<std::string>() ? c.real("ord") : 2.0;
  return {c.result(c.op("norm", {x}, attrs))};
}

Values cumulative_sum(Context& c, const char* op) {
  ir::Value* x = summand(c);
  if (x->rank() == 0) return {c.result(c.op("copy", {x}))};
  return {c.result(c.op(op, {x}, {{"axis", c.axis("dim", x->rank())}}))};
}

Translator cumulative_extreme(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    if (x->rank() == 0) return {c.result(c.op("copy", {x})), c.result(c.scalar(DType::i64, 0))};
    return c.results(c.b.ops(op, {x}, {{"axis", c.axis("dim", x->rank())}}));
  };
}

Values logcumsumexp(Context& c) {
  ir::Value* x = c.floating(c.tensor("self"));
  if (x->rank() == 0) return {c.result(c.op("copy", {x}))};
  const int64_t axis = c.axis("dim", x->rank());
  ir::Value* top = c.op("max", {x}, over({axis}, true));
  ir::Value* sums = c.op("cumsum", {c.op("exp", {c.op("subtract", {x, top})})}, {{"axis", axis}});
  return {c.result(c.op("add", {c.op("log", {sums}), top}))};
}

Values median(Context& c) {
  ir::Value* x = c.tensor("self");
  const bool whole = c.is_none("dim");
  if (whole) x = c.b.reshape(x, {ir::product(x->shape())});
  if (x->rank() == 0) return {c.result(c.op("copy", {x})), c.result(c.scalar(DType::i64, 0))};
  const int64_t axis = whole ? 0 : c.axis("dim", x->rank());
  auto v = c.b.ops("median", {x}, {{"axis", axis}, {"keepdims", c.flag("keepdim")}});
  if (whole) return {c.result(v[0])};
  return c.results(v);
}

Values count_nonzero(Context& c) {
  ir::Value* x = c.tensor("self");
  ir::Value* flags = x->dtype() == DType::boolean ? x : c.op("not_equal", {x, c.scalar_like(x, 0)});
  return {c.result(c.op("sum", {c.cast(flags, DType::i64)}, over(c.axes_or_all("dim", x->rank()), false)))};
}

Values trace(Context& c) {
  ir::Value* d = c.op("diagonal", {c.tensor("self")});
  if (is_integer(d->dtype())) d = c.cast(d, DType::i64);
  return {c.result(c.op("sum", {d}, over({0}, false)))};
}

// all elements equal
Values equal(Context& c) {
  auto v = c.promoted({"self", "other"});
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < v[0]->rank(); ++i) axes.push_back(i);
  return {RunNumber{c.op("all", {c.op("equal", v)}, over(axes, false))}};
}

Values dist(Context& c) {
  auto v = c.promoted({"self", "other"});
  ir::Value* d = c.op("subtract", v);
  auto attrs = over(c.axes_or_all("dim", d->rank()), false);
  attrs["order"] = c.real("p");
  return {c.result(c.op("norm", {d}, attrs))};
}

}  // namespace

Rows reduce_rows() {
  return {
      {"sum", summed("sum")},
      {"nansum", nansum},
      {"prod", summed("product")},
      {"mean", mean},
      {"nanmean", nanmean},
      {"max", extreme("max")},
      {"min", extreme("min")},
      {"amax", extreme("max")},
      {"amin", extreme("min")},
      {"max.dim", extreme_with_index("max", "argmax")},
      {"min.dim", extreme_with_index("min", "argmin")},
      {"aminmax", aminmax},
      {"argmax", arg_extreme("argmax")},
      {"argmin", arg_extreme("argmin")},
      {"any", truth("any")},
      {"all", truth("all")},
      {"_is_all_true", truth("all")},
      {"_is_any_true", truth("any")},
      {"var", deviation(false, false)},
      {"std", deviation(true, false)},
      {"var_mean", deviation(false, true)},
      {"std_mean", deviation(true, true)},
      {"logsumexp", logsumexp},
      {"norm", vector_norm},
      {"linalg_vector_norm", vector_norm},
      {"linalg_norm", linalg_norm},
      {"cumsum", [](Context& c) { return cumulative_sum(c, "cumsum"); }},
      {"cumprod", [](Context& c) { return cumulative_sum(c, "cumprod"); }},
      {"cummax", cumulative_extreme("cummax")},
      {"cummin", cumulative_extreme("cummin")},
      {"logcumsumexp", logcumsumexp},
      {"median", median},
      {"count_nonzero", count_nonzero},
      {"trace", trace},
      {"equal", equal},
      {"dist", dist},
  };
}

}  // namespace godwit::frontends::aten

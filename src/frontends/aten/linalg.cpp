// Matrix products and linear algebra.
#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

bool is_number(const Value& v, double wanted) {
  if (auto* d = v.get<ir::Dim>()) return d->is_known() && static_cast<double>(d->value()) == wanted;
  if (auto* r = v.get<double>()) return *r == wanted;
  return v.is_none() && wanted == 1.0;
}

ir::Value* scaled(Context& c, ir::Value* v, std::string_view factor) {
  return is_number(c.get(factor), 1.0) ? v : c.op("multiply", {v, c.tensor_as(factor, v->dtype())});
}

Values linear(Context& c) {
  ir::Value *x = c.tensor("input"), *weight = c.tensor("weight"), *bias = c.tensor_or_null("bias");
  if (weight->rank() == 1) {
    ir::Value* y = c.op("matmul", {x, weight});
    return {c.result(bias ? c.op("add", {y, bias}) : y)};
  }
  return {c.result(c.op("linear", {x, weight, bias}))};
}

// beta * self + alpha * product; beta 0 ignores self, whatever it holds.
Values add_product(Context& c, ir::Value* product) {
  product = scaled(c, product, "alpha");
  if (is_number(c.get("beta"), 0.0)) return {c.result(product)};
  ir::Value* self = scaled(c, c.tensor("self"), "beta");
  return {c.result(c.op("add", {self, product}))};
}

Translator add_matmul(const char* a, const char* b) {
  return [=](Context& c) -> Values { return add_product(c, c.op("matmul", {c.tensor(a), c.tensor(b)})); };
}

Values addr(Context& c) {
  ir::Value* column = c.op("expand_dims", {c.tensor("vec1")}, {{"axes", ir::Dims{1}}});
  ir::Value* row = c.op("expand_dims", {c.tensor("vec2")}, {{"axes", ir::Dims{0}}});
  return add_product(c, c.op("multiply", {column, row}));
}

Values outer(Context& c) {
  auto v = c.promoted({"self", "vec2"});
  return {c.result(c.op("multiply", {c.op("expand_dims", {v[0]}, {{"axes", ir::Dims{1}}}),
                                     c.op("expand_dims", {v[1]}, {{"axes", ir::Dims{0}}})}))};
}

Values einsum(Context& c) {
  return {c.result(c.op("einsum", c.tensors("tensors"), {{"equation", c.text("equation")}}))};
}

Values bilinear(Context& c) {
  ir::Value* y = c.op("einsum", {c.tensor("input1"), c.tensor("weight"), c.tensor("input2")},
                      {{"equation", std::string("...i,oij,...j->...o")}});
  if (c.has("bias")) y = c.op("add", {y, c.tensor("bias")});
  return {c.result(y)};
}

// Distances between rows; p is 1, 2, inf ...
Values cdist(Context& c) { return {c.result(c.op("cdist", {c.tensor("x1"), c.tensor("x2")}, {{"p", c.real("p")}}))}; }

// Pairs i < j of the rows of one matrix.
Values pdist(Context& c) {
  ir::Value* x = c.tensor("self");
  if (!x->shape().at(0).is_known()) c.unsupported("the number of rows must be known");
  const int64_t n = x->shape()[0].value();
  std::vector<int64_t> rows, columns;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i + 1; j < n; ++j) rows.push_back(i), columns.push_back(j);
  ir::Value* a = c.op("take", {x, c.b.ints(rows)}, {{"axis", 0}});
  ir::Value* b = c.op("take", {x, c.b.ints(columns)}, {{"axis", 0}});
  return {c.result(c.op("norm", {c.op("subtract", {a, b})}, {{"axes", ir::Dims{1}}, {"order", c.real("p")}}))};
}

Values determinant(Context& c) { return {c.result(c.op("determinant", {c.tensor(argument_name(c, 0))}))}; }
Values inverse(Context& c) { return {c.result(c.op("inverse", {c.tensor(argument_name(c, 0))}))}; }

Values cholesky(Context& c) {
  ir::Value* l = c.op("cholesky", {c.tensor("self")});
  if (!c.flag("upper")) return {c.result(l)};
  ir::Dims axes;
  for (int64_t i = 0; i < l->rank(); ++i) axes.push_back(i);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return {c.result(c.op("transpose", {l}, {{"axes", axes}}))};
}

// A X = B or X A = B; only one triangle of A is looked at, and with `unitriangular` not its diagonal either.
Values solve_triangular(Context& c) {
  auto v = c.promoted({"self", "B"});
  const bool upper = c.flag("upper"), unit = c.flag("unitriangular");
  const int64_t offset = unit ? (upper ? 1 : -1) : 0;
  ir::Value* a = c.op(upper ? "tri_upper" : "tri_lower", {v[0]}, {{"offset", offset}});
  if (unit) {
    const ir::Dim n = a->shape().back();
    a = c.op("add", {a, c.op("eye", {}, {{"rows", n}, {"columns", n}, {"dtype", a->dtype()}})});
  }
  ir::Value* inverted = c.op("inverse", {a});
  const bool left = !c.has("left") || c.flag("left");
  return {c.result(left ? c.op("matmul", {inverted, v[1]}) : c.op("matmul", {v[1], inverted}))};
}

Values cross(Context& c) {
  auto v = c.promoted({"self", "other"});
  const int64_t axis = c.axis("dim", v[0]->rank());
  auto part = [&](ir::Value* x, int64_t shift) {
    return c.op("roll", {x}, {{"shifts", ir::Dims{shift}}, {"axes", ir::Dims{axis}}});
  };
  if (v[0]->shape() != v[1]->shape()) {
    ir::Value* zero = c.op("multiply", {v[1], c.scalar_like(v[1], 0)});
    v[0] = c.op("add", {v[0], zero});
  }
  ir::Value* left = c.op("multiply", {part(v[0], -1), part(v[1], -2)});
  ir::Value* right = c.op("multiply", {part(v[0], -2), part(v[1], -1)});
  return {c.result(c.op("subtract", {left, right}))};
}

Values matrix_power(Context& c) {
  int64_t n = c.number("n");
  ir::Value* x = c.tensor("self");
  if (n < 0 || n > 64) c.unsupported("power {}", n);
  if (n == 0) {
    ir::Value* eye = c.op("eye", {},
                          {{"rows", x->shape().at(static_cast<size_t>(x->rank() - 1))},
                           {"columns", x->shape().back()},
                           {"dtype", x->dtype()}});
    return {c.result(c.op("broadcast", {eye}, {{"shape", x->shape()}}))};
  }
  ir::Value* y = x;
  for (int64_t i = 1; i < n; ++i) y = c.op("matmul", {y, x});
  return {c.result(n == 1 ? c.op("copy", {y}) : y)};
}

// Rows of the input, sorted by group, times the matrix of their group; `offs` says where each group ends. Rows behind
// the last group give zero.
Values grouped_matmul(Context& c, std::string_view input, std::string_view weight) {
  ir::Value *x = c.tensor(input), *w = c.tensor(weight);
  if (x->rank() != 2 || w->rank() != 3 || c.is_none("offs"))
    c.unsupported("operands {} and {}", ir::str(x->type), ir::str(w->type));
  const ir::Dim rows = x->shape()[0], groups = w->shape()[0];
  ir::Value* place = c.op("arange", {}, {{"start", 0}, {"count", rows}, {"dtype", DType::i64}});
  ir::Value* group = c.op("searchsorted", {c.cast(c.tensor("offs"), DType::i64), place}, {{"right", true}});
  ir::Value* last = c.b.dim(groups - ir::Dim(1));
  ir::Value* matrix = c.op("take", {w, c.op("minimum", {group, last})}, {{"axis", 0}});
  ir::Value* y = c.op("matmul", {c.op("expand_dims", {x}, {{"axes", ir::Dims{1}}}), matrix});
  y = c.op("squeeze", {y}, {{"axes", ir::Dims{1}}});
  ir::Value* beyond = c.op("greater", {c.b.reshape(group, {rows, 1}), last});
  return {c.result(c.op("where", {beyond, c.scalar_like(y, 0), y}))};
}

}  // namespace

Rows linalg_rows() {
  return {
      {"linear", linear},
      {"matmul", binary("matmul")},
      {"linalg_matmul", binary("matmul")},
      {"mm", binary("matmul")},
      {"bmm", binary("matmul")},
      {"mv", binary("matmul")},
      {"dot", binary("matmul")},
      {"vdot", binary("matmul")},
      {"inner",
       [](Context& c) -> Values {
         ir::Value *x = c.tensor("self"), *y = c.tensor("other");
         if (x->rank() == 0 || y->rank() == 0) return {c.result(c.op("multiply", {x, y}))};
         return {c.result(c.op("linear", {x, y->rank() == 1 ? c.op("expand_dims", {y}, {{"axes", ir::Dims{0}}}) : y}))};
       }},
      {"outer", outer},
      {"addmm", add_matmul("mat1", "mat2")},
      {"addmv", add_matmul("mat", "vec")},
      {"baddbmm", add_matmul("batch1", "batch2")},
      {"addr", addr},
      {"einsum", einsum},
      {"bilinear", bilinear},
      {"_grouped_mm", [](Context& c) { return grouped_matmul(c, "self", "mat2"); }},
      {"transformers::grouped_mm_fallback", [](Context& c) { return grouped_matmul(c, "input", "weight"); }},
      {"cdist", cdist},
      {"_cdist_forward", cdist},
      {"_pdist_forward", pdist},
      {"pdist", pdist},
      {"det", determinant},
      {"linalg_det", determinant},
      {"inverse", inverse},
      {"linalg_inv", inverse},
      {"cholesky", cholesky},
      {"linalg_cholesky", cholesky},
      {"linalg_solve_triangular", solve_triangular},
      {"linalg_cross", cross},
      {"matrix_power", matrix_power},
      {"linalg_matrix_power", matrix_power},
  };
}

}  // namespace godwit::frontends::aten

// ai.onnx.ml: what works on numbers alone.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values feature_extractor(Call& c) {  // columns of the last axis
  Value *x = c.in(0), *at = c.cast(c.in(1), DType::i64);
  at = c.b.reshape(at, {ir::product(at->shape())});
  if (x->rank() == 1) x = expand(c, x, {0});
  return {c.op("take", {x, at}, {{"axis", ir::Dim(x->rank() - 1)}})};
}

Values binarizer(Call& c) {
  Value* x = c.in(0);
  return {c.cast(c.op("greater", {x, c.scalar(c.real("threshold", 0), x)}), x->dtype())};
}

enum Mode { less_or_equal, less, greater_or_equal, greater, equal, not_equal, member };

struct Trees {
  std::vector<int64_t> feature, on_true, on_false, true_leaf, false_leaf, target, roots;
  Tensor split, weight, modes, members;
  size_t nodes() const { return feature.size(); }
  size_t leaves() const { return target.size(); }
};

const Tensor& tensor_attribute(Call& c, const char* name) {
  const file::Attribute* a = c.attribute(name);
  if (!a || !a->tensor || a->tensor->tensor.dtype == DType::text) c.fail("attribute {} is missing", name);
  return a->tensor->tensor;
}

Trees trees_of(Call& c) {
  Trees t{c.integers("nodes_featureids"),
          c.integers("nodes_truenodeids"),
          c.integers("nodes_falsenodeids"),
          c.integers("nodes_trueleafs"),
          c.integers("nodes_falseleafs"),
          c.integers("leaf_targetids"),
          c.integers("tree_roots"),
          tensor_attribute(c, "nodes_splits"),
          tensor_attribute(c, "leaf_weights"),
          tensor_attribute(c, "nodes_modes"),
          {}};
  if (c.has_attribute("membership_values")) t.members = tensor_attribute(c, "membership_values");
  const size_t n = t.nodes(), leaves = t.leaves();
  const bool even = t.on_true.size() == n && t.on_false.size() == n && t.true_leaf.size() == n &&
                    t.false_leaf.size() == n && t.split.size() == static_cast<int64_t>(n) &&
                    t.modes.size() == static_cast<int64_t>(n) && t.weight.size() == static_cast<int64_t>(leaves);
  if (!even || n == 0 || n * std::max<size_t>(leaves, 1) > 1 << 24)
    c.fail("{} nodes and {} leaves do not fit", n, leaves);
  return t;
}

// For every leaf, which nodes lie on its way and which way it goes: +1 true, -1 false. (nodes, leaves)
struct Paths {
  std::vector<float> yes, no, length;
};

Paths paths_of(Call& c, const Trees& t) {
  const size_t n = t.nodes(), leaves = t.leaves();
  Paths p{std::vector<float>(n * leaves), std::vector<float>(n * leaves), std::vector<float>(leaves)};
  struct Step {
    size_t node;
    std::vector<std::pair<size_t, bool>> way;
  };
  std::vector<Step> open;
  for (int64_t root : t.roots) open.push_back({static_cast<size_t>(root), {}});
  size_t visited = 0;
  while (!open.empty()) {
    Step s = std::move(open.back());
    open.pop_back();
    if (s.node >= n || ++visited > n + t.roots.size() || s.way.size() > n) c.fail("the nodes form no tree");
    for (bool yes : {true, false}) {
      const auto next = static_cast<size_t>(yes ? t.on_true[s.node] : t.on_false[s.node]);
      auto way = s.way;
      way.emplace_back(s.node, yes);
      if (!(yes ? t.true_leaf[s.node] : t.false_leaf[s.node])) {
        open.push_back({next, std::move(way)});
        continue;
      }
      if (next >= leaves) c.fail("leaf {} does not exist", next);
      for (auto [node, taken] : way) (taken ? p.yes : p.no)[node * leaves + next] = 1;
      p.length[next] = static_cast<float>(way.size());
    }
  }
  return p;
}

Value* constant(Call& c, const char* name, const Tensor& t) {
  const std::string full = c.scope.prefix + c.node.outputs.at(0) + "." + name;
  return c.importer.tensor({full, t, {}}, full);
}

Tensor matrix(const std::vector<float>& values, size_t rows, size_t columns) {
  return Tensor::of(DType::f32, {static_cast<int64_t>(rows), static_cast<int64_t>(columns)}, values);
}

// Whether node j's condition holds for row i: (rows, 1) per node.
Value* condition(Call& c, const Trees& t, Value* x, size_t j, size_t& next_member) {
  static const char* ops[] = {"less_equal", "less", "greater_equal", "greater", "equal", "not_equal"};
  const int64_t feature = t.feature[j], mode = t.modes.integer(static_cast<int64_t>(j));
  Value* value = slice(c, x, 1, feature, feature + 1);
  Value* out = nullptr;
  if (mode == member) {
    for (; static_cast<int64_t>(next_member) < t.members.size(); ++next_member) {
      const double m = t.members.number(static_cast<int64_t>(next_member));
      if (std::isnan(m)) break;
      Value* hit = c.op("equal", {value, c.scalar(m, value)});
      out = out ? c.op("logical_or", {out, hit}) : hit;
    }
    ++next_member;
    if (!out) c.fail("node {} has no members", j);
  } else {
    if (mode < 0 || mode > not_equal) c.fail("node {} has the unknown mode {}", j, mode);
    out = c.op(ops[mode], {value, c.scalar(t.split.number(static_cast<int64_t>(j)), value)});
  }
  const std::vector<int64_t> missing = c.integers("nodes_missing_value_tracks_true");
  if (j < missing.size() && missing[j]) out = c.op("logical_or", {out, c.op("is_nan", {value})});
  return out;
}

// All conditions at once; a leaf is reached when every condition on its way holds.
Values tree_ensemble(Call& c) {
  Value* x = c.in(0);
  if (x->rank() != 2) c.fail("two axes expected");
  if (c.integer("aggregate_function", 1) != 1 || c.integer("post_transform", 0) != 0)
    c.fail("only sums without a transformation are supported");
  const Trees t = trees_of(c);
  const Paths p = paths_of(c, t);
  const int64_t targets = c.integer("n_targets", 1);
  if (targets <= 0 || targets > 1 << 20) c.fail("{} targets", targets);
  Values holds;
  size_t next_member = 0;
  for (size_t j = 0; j < t.nodes(); ++j) holds.push_back(condition(c, t, x, j, next_member));
  Value* yes = c.cast(c.op("concat", holds, {{"axis", ir::Dim(1)}}), DType::f32);
  Value* no = add(c, c.op("negative", {yes}), 1.0);
  const size_t n = t.nodes(), leaves = t.leaves();
  Value* agreed = add(c, c.op("matmul", {yes, constant(c, "yes", matrix(p.yes, n, leaves))}),
                      c.op("matmul", {no, constant(c, "no", matrix(p.no, n, leaves))}));
  Value* reached = c.op("equal", {agreed, constant(c, "length", matrix(p.length, 1, leaves))});
  std::vector<double> weights(leaves * static_cast<size_t>(targets));
  for (size_t i = 0; i < leaves; ++i) {
    if (t.target[i] < 0 || t.target[i] >= targets) c.fail("target {} does not exist", t.target[i]);
    weights[i * static_cast<size_t>(targets) + static_cast<size_t>(t.target[i])] =
        t.weight.number(static_cast<int64_t>(i));
  }
  const Tensor weight = Tensor::of(DType::f64, {static_cast<int64_t>(leaves), targets}, weights);
  return {c.op("matmul", {c.cast(reached, x->dtype()), c.cast(constant(c, "weight", weight), x->dtype())})};
}

}  // namespace

Rows ml_rows() {
  return {{"ArrayFeatureExtractor", feature_extractor}, {"Binarizer", binarizer}, {"TreeEnsemble", tree_ensemble}};
}

}  // namespace godwit::frontends::onnx

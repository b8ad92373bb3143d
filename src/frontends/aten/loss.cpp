// Losses. Reduction: 0 none, 1 mean, 2 sum.
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

ir::Value* summed(Context& c, const char* op, ir::Value* v) {
  ir::Dims axes;
  for (int64_t i = 0; i < v->rank(); ++i) axes.push_back(i);
  return c.op(op, {v}, {{"axes", axes}});
}

Values reduced(Context& c, ir::Value* loss) {
  const int64_t how = c.number("reduction");
  ir::Dims axes;
  for (int64_t i = 0; i < loss->rank(); ++i) axes.push_back(i);
  if (how == 0) return {c.result(loss)};
  return {c.result(c.op(how == 1 ? "mean" : "sum", {loss}, {{"axes", axes}}))};
}

Values mse_loss(Context& c) {
  ir::Value* d = c.op("subtract", c.promoted({"self", "target"}));
  return reduced(c, c.op("square", {d}));
}

Values l1_loss(Context& c) { return reduced(c, c.op("abs", {c.op("subtract", c.promoted({"self", "target"}))})); }

Values smooth_l1(Context& c) {
  ir::Value* d = c.op("abs", {c.op("subtract", c.promoted({"self", "target"}))});
  const double beta = c.has("beta") ? c.real("beta") : 1.0;
  if (beta == 0) return reduced(c, d);
  ir::Value* low = c.op("multiply", {c.op("square", {d}), c.scalar_like(d, 0.5 / beta)});
  return reduced(c, c.op("where", {c.op("less", {d, c.scalar_like(d, beta)}), low,
                                   c.op("subtract", {d, c.scalar_like(d, beta / 2)})}));
}

Values huber(Context& c) {
  ir::Value* d = c.op("abs", {c.op("subtract", c.promoted({"self", "target"}))});
  const double delta = c.real("delta");
  ir::Value* low = c.op("multiply", {c.op("square", {d}), c.scalar_like(d, 0.5)});
  ir::Value* high = c.op("multiply", {c.op("subtract", {d, c.scalar_like(d, delta / 2)}), c.scalar_like(d, delta)});
  return reduced(c, c.op("where", {c.op("less_equal", {d, c.scalar_like(d, delta)}), low, high}));
}

// The classes' axis: the second, or the only one.
int64_t class_axis(const ir::Value* x) { return x->rank() == 1 ? 0 : 1; }

// One weight for each class in broadcast position.
ir::Value* class_weights(Context& c, const ir::Value* x) {
  ir::Value* w = c.tensor_or_null("weight");
  if (!w) return nullptr;
  ir::Dims shape(static_cast<size_t>(x->rank()), ir::Dim(1));
  shape[static_cast<size_t>(class_axis(x))] = w->shape().at(0);
  return c.b.reshape(w, shape);
}

ir::Value* over_classes(Context& c, ir::Value* v) { return c.op("sum", {v}, {{"axes", ir::Dims{class_axis(v)}}}); }

// What a target that names classes picks.
struct Picked {
  ir::Value* classes;  // 0 where the target is ignored
  ir::Value* weights;  // 0 where the target is ignored
};

Picked picked(Context& c, const ir::Value* x) {
  ir::Value* target = c.cast(c.tensor("target"), DType::i64);
  ir::Value* counts = c.op("not_equal", {target, c.scalar(DType::i64, c.real("ignore_index"))});
  Picked p{c.op("where", {counts, target, c.scalar(DType::i64, 0)}), nullptr};
  ir::Value* weight = c.tensor_or_null("weight");
  ir::Value* weights = weight ? c.op("take", {weight, p.classes}, {{"axis", 0}}) : c.scalar(x->dtype(), 1);
  p.weights = c.op("where", {counts, weights, c.scalar(x->dtype(), 0)});
  return p;
}

// The mean counts each target by its weight.
ir::Value* weighted(Context& c, ir::Value* loss, ir::Value* weights) {
  const int64_t how = c.number("reduction");
  if (how == 0) return loss;
  ir::Value* total = summed(c, "sum", loss);
  return how == 2 ? total : c.op("divide", {total, summed(c, "sum", weights)});
}

ir::Value* negative_likelihood(Context& c, ir::Value* log_p, const Picked& p) {
  const int64_t axis = class_axis(log_p);
  ir::Value* at = c.op("expand_dims", {p.classes}, {{"axes", ir::Dims{axis}}});
  ir::Value* taken = c.op("squeeze", {c.op("take_along", {log_p, at}, {{"axis", axis}})}, {{"axes", ir::Dims{axis}}});
  return c.op("negative", {c.op("multiply", {taken, p.weights})});
}

Values nll_loss(Context& c) {
  ir::Value* x = c.tensor("self");
  const Picked p = picked(c, x);
  return {c.result(weighted(c, negative_likelihood(c, x, p), p.weights))};
}

// Targets that are shares of the classes.
Values cross_entropy_of_shares(Context& c, ir::Value* log_p, double smoothing) {
  ir::Value *target = c.tensor_as("target", log_p->dtype()), *w = class_weights(c, log_p);
  const ir::Dim classes = log_p->shape().at(static_cast<size_t>(class_axis(log_p)));
  if (smoothing > 0) {
    ir::Value* even = c.op("divide", {c.scalar_like(log_p, smoothing), c.cast(c.b.dim(classes), log_p->dtype())});
    target = c.op("add", {c.op("multiply", {target, c.scalar_like(target, 1 - smoothing)}), even});
  }
  ir::Value* terms = c.op("multiply", {log_p, target});
  if (w) terms = c.op("multiply", {terms, w});
  return reduced(c, c.op("negative", {over_classes(c, terms)}));
}

Values cross_entropy(Context& c) {
  ir::Value *x = c.tensor("self"), *w = class_weights(c, x);
  ir::Value* log_p = c.op("log_softmax", {x}, {{"axis", class_axis(x)}});
  const double smoothing = c.real("label_smoothing");
  if (is_float(c.tensor("target")->dtype())) return cross_entropy_of_shares(c, log_p, smoothing);
  const Picked p = picked(c, x);
  ir::Value* loss = weighted(c, negative_likelihood(c, log_p, p), p.weights);
  if (smoothing == 0) return {c.result(loss)};
  ir::Value* terms = w ? c.op("multiply", {log_p, w}) : log_p;
  ir::Value* spread = c.op("negative", {over_classes(c, terms)});
  ir::Value* ignored =
      c.op("equal", {c.cast(c.tensor("target"), DType::i64), c.scalar(DType::i64, c.real("ignore_index"))});
  spread = weighted(c, c.op("where", {ignored, c.scalar_like(spread, 0), spread}), p.weights);
  const ir::Dim classes = x->shape().at(static_cast<size_t>(class_axis(x)));
  ir::Value* share = c.op("divide", {c.scalar_like(x, smoothing), c.cast(c.b.dim(classes), x->dtype())});
  return {c.result(
      c.op("add", {c.op("multiply", {loss, c.scalar_like(loss, 1 - smoothing)}), c.op("multiply", {spread, share})}))};
}

Values binary_cross_entropy_with_logits(Context& c) {
  auto v = c.promoted({"self", "target"});
  ir::Value* missing = c.op("multiply", {c.op("subtract", {c.scalar_like(v[1], 1), v[1]}), v[0]});
  ir::Value* log_p = c.op("log_sigmoid", {v[0]});
  if (c.has("pos_weight")) {
    ir::Value* more = c.op("subtract", {c.tensor_as("pos_weight", v[0]->dtype()), c.scalar_like(v[0], 1)});
    log_p = c.op("multiply", {log_p, c.op("add", {c.op("multiply", {more, v[1]}), c.scalar_like(v[0], 1)})});
  }
  ir::Value* loss = c.op("subtract", {missing, log_p});
  if (c.has("weight")) loss = c.op("multiply", {loss, c.tensor_as("weight", loss->dtype())});
  return reduced(c, loss);
}

Values binary_cross_entropy(Context& c) {
  auto v = c.promoted({"self", "target"});
  // Logarithms are cut off at -100.
  auto log_of = [&](const char* op, ir::Value* x) { return c.op("maximum", {c.op(op, {x}), c.scalar_like(x, -100)}); };
  ir::Value* hit = c.op("multiply", {v[1], log_of("log", v[0])});
  ir::Value* miss =
      c.op("multiply", {c.op("subtract", {c.scalar_like(v[1], 1), v[1]}), log_of("log1p", c.op("negative", {v[0]}))});
  ir::Value* loss = c.op("negative", {c.op("add", {hit, miss})});
  if (c.has("weight")) loss = c.op("multiply", {loss, c.tensor_as("weight", loss->dtype())});
  return reduced(c, loss);
}

Values kl_div(Context& c) {
  auto v = c.promoted({"self", "target"});
  ir::Value *p = v[1], *log_p = v[1];
  if (c.flag("log_target"))
    p = c.op("exp", {v[1]});
  else
    log_p = c.op("log", {v[1]});
  ir::Value* entropy = c.op("multiply", {p, log_p});
  // 0 log 0 is 0.
  if (!c.flag("log_target"))
    entropy = c.op("where", {c.op("equal", {p, c.scalar_like(p, 0)}), c.scalar_like(p, 0), entropy});
  return reduced(c, c.op("subtract", {entropy, c.op("multiply", {p, v[0]})}));
}

}  // namespace

Rows loss_rows() {
  return {
      {"mse_loss", mse_loss},
      {"l1_loss", l1_loss},
      {"smooth_l1_loss", smooth_l1},
      {"huber_loss", huber},
      {"nll_loss", nll_loss},
      {"nll_loss_nd", nll_loss},
      {"nll_loss2d", nll_loss},
      {"cross_entropy_loss", cross_entropy},
      {"binary_cross_entropy", binary_cross_entropy},
      {"binary_cross_entropy_with_logits", binary_cross_entropy_with_logits},
      {"kl_div", kl_div},
  };
}

}  // namespace godwit::frontends::aten

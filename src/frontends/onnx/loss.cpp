// Losses.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// -w[t] * x[n, t, ...] reduced; `x` holds log-probabilities (N, C, ...), `target` (N, ...).
Value* negative_log_likelihood(Call& c, Value* x, Value* target, Value* weight) {
  const std::string reduction = c.text("reduction", "mean");
  if (reduction != "none" && reduction != "mean" && reduction != "sum") c.fail("unknown reduction '{}'", reduction);
  target = c.cast(target, DType::i64);
  Value* kept = nullptr;
  if (c.has_attribute("ignore_index")) {
    Value* ignored = c.b.scalar(DType::i64, static_cast<double>(c.integer("ignore_index", 0)));
    kept = c.op("not_equal", {target, ignored});
    target = c.op("where", {kept, target, c.b.scalar(DType::i64, 0)});
  }
  Value* picked = c.op("take_along", {x, expand(c, target, {1})}, {{"axis", ir::Dim(1)}});
  Value* loss = c.op("negative", {c.op("squeeze", {picked}, {{"axes", ir::Dims{1}}})});
  Value* factor = weight ? c.op("take", {weight, target}, {{"axis", ir::Dim(0)}}) : nullptr;
  if (kept) {
    Value* one = factor ? factor : c.scalar(1, loss);
    factor = c.op("where", {kept, one, c.scalar(0, loss)});
  }
  if (factor) loss = multiply(c, loss, factor);
  if (reduction == "none") return loss;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < loss->rank(); ++i) axes.push_back(i);
  if (reduction == "sum") return reduce(c, "sum", loss, axes, false);
  if (!factor) return reduce(c, "mean", loss, axes, false);
  return divide(c, reduce(c, "sum", loss, axes, false), reduce(c, "sum", factor, axes, false));
}

Values nll_loss(Call& c) { return {negative_log_likelihood(c, c.in(0), c.in(1), c.maybe(2))}; }

Values cross_entropy(Call& c) {
  Value* log_prob = c.op("log_softmax", {c.in(0)}, {{"axis", ir::Dim(1)}});
  return {negative_log_likelihood(c, log_prob, c.in(1), c.maybe(2)), log_prob};
}

}  // namespace

Rows loss_rows() { return {{"NegativeLogLikelihoodLoss", nll_loss}, {"SoftmaxCrossEntropyLoss", cross_entropy}}; }

}  // namespace godwit::frontends::onnx

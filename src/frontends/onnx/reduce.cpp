// Reductions and running sums.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

struct Axes {
  std::vector<int64_t> axes;
  bool keepdims;
  bool nothing;  // noop_with_empty_axes: the reduction keeps every element
};

// `axes` became an input at opset `since`.
Axes axes_of(Call& c, int64_t since) {
  Axes out{{}, c.flag("keepdims", true), false};
  const bool given = c.opset >= since ? c.has(1) : c.has_attribute("axes");
  if (given) {
    // An input of known length 0 needs no value.
    const bool is_empty = c.opset >= since && c.in(1)->type.shape && ir::product(c.in(1)->shape()).is(0);
    if (!is_empty) out.axes = c.opset >= since ? c.numbers(1) : c.integers("axes");
  }
  for (int64_t& a : out.axes) a = c.axis(a, c.rank());
  if (!out.axes.empty()) return out;
  out.nothing = c.flag("noop_with_empty_axes");
  if (!out.nothing)
    for (int64_t i = 0; i < c.rank(); ++i) out.axes.push_back(i);
  return out;
}

using Body = std::function<Value*(Call&, Value*, const Axes&)>;

Row reduction(std::string onnx, int64_t since, Body body) {
  return {std::move(onnx), [=](Call& c) -> Values { return {body(c, c.in(0), axes_of(c, since))}; }};
}

Row plain(std::string onnx, int64_t since, std::string op) {
  return reduction(std::move(onnx), since, [op = std::move(op)](Call& c, Value* x, const Axes& a) {
    return reduce(c, op, x, a.axes, a.keepdims);
  });
}

Value* extreme(Call& c, Value* x, const Axes& a, bool largest) {
  if (x->dtype() == DType::boolean) return reduce(c, largest ? "any" : "all", x, a.axes, a.keepdims);
  return reduce(c, largest ? "max" : "min", x, a.axes, a.keepdims);
}

// Functions of sums: halves and integers are summed in float32.
Value* mean(Call& c, Value* x, const Axes& a) {
  return c.cast(reduce(c, "mean", as_real(c, x), a.axes, a.keepdims), x->dtype());
}

Value* sum_square(Call& c, Value* x, const Axes& a) {
  return reduce(c, "sum", c.op("square", {x}), a.axes, a.keepdims);
}
Value* l1(Call& c, Value* x, const Axes& a) { return reduce(c, "sum", c.op("abs", {x}), a.axes, a.keepdims); }

Value* l2(Call& c, Value* x, const Axes& a) {
  return c.cast(c.op("sqrt", {reduce(c, "sum", c.op("square", {as_real(c, x)}), a.axes, a.keepdims)}), x->dtype());
}

Value* log_sum(Call& c, Value* x, const Axes& a) {
  return c.cast(c.op("log", {reduce(c, "sum", as_real(c, x), a.axes, a.keepdims)}), x->dtype());
}

Value* log_sum_exp(Call& c, Value* x, const Axes& a) {
  if (a.axes.empty()) return x;
  return c.cast(reduce(c, "logsumexp", as_real(c, x), a.axes, a.keepdims), x->dtype());
}

Row arg(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) -> Values {
            return {c.op(op, {c.in(0)},
                         {{"axis", ir::Dim(c.axis(c.integer("axis", 0), c.rank()))},
                          {"keepdims", c.flag("keepdims", true)},
                          {"last", c.flag("select_last_index")}})};
          }};
}

Row running(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) -> Values {
            return {c.op(op, {c.in(0)},
                         {{"axis", ir::Dim(c.axis(c.number(1), c.rank()))},
                          {"exclusive", c.flag("exclusive")},
                          {"reverse", c.flag("reverse")}})};
          }};
}

}  // namespace

Rows reduce_rows() {
  return {plain("ReduceSum", 13, "sum"),
          plain("ReduceProd", 18, "product"),
          reduction("ReduceMean", 18, mean),
          reduction("ReduceSumSquare", 18, sum_square),
          reduction("ReduceL1", 18, l1),
          reduction("ReduceL2", 18, l2),
          reduction("ReduceLogSum", 18, log_sum),
          reduction("ReduceLogSumExp", 18, log_sum_exp),
          reduction("ReduceMax", 18, [](Call& c, Value* x, const Axes& a) { return extreme(c, x, a, true); }),
          reduction("ReduceMin", 18, [](Call& c, Value* x, const Axes& a) { return extreme(c, x, a, false); }),
          arg("ArgMax", "argmax"),
          arg("ArgMin", "argmin"),
          running("CumSum", "cumsum"),
          running("CumProd", "cumprod")};
}

}  // namespace godwit::frontends::onnx

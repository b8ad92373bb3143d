// ai.onnx.preview: attention whose scores and probabilities pass through graphs of the model.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values flex_attention(Call& c) {
  Value *q = c.in(0), *k = c.in(1), *v = c.in(2);
  if (q->rank() != 4 || k->rank() != 4 || v->rank() != 4) c.fail("query, key and value must be (B, H, S, D)");
  const ir::Dim heads = c.shape(q, 2)[1], kv_heads = c.shape(k, 2)[1];
  if (!(heads == kv_heads)) {
    auto repeated = [&](Value* x) {
      return c.op("repeat", {x}, {{"count", floordiv(heads, kv_heads)}, {"axis", ir::Dim(1)}});
    };
    k = repeated(k), v = repeated(v);
  }
  double scale = c.real("scale", 0);
  if (scale == 0) scale = 1.0 / std::sqrt(static_cast<double>(c.known(c.shape(q, 4)[3])));
  const DType type = q->dtype(),
              inner = c.dtype_attribute("softmax_precision", type == DType::f64 ? DType::f64 : DType::f32);
  auto modified = [&](const char* name, Value* x) {
    if (!c.has_attribute(name)) return x;
    const Values out = c.importer.inline_graph(c.graph(name), c.scope, {x});
    if (out.size() != 1) c.fail("graph {} must have one output", name);
    if (is_blocked(out[0])) throw Importer::Blocked{};
    return c.cast(out[0], inner);
  };
  const double root = std::sqrt(scale);
  Value* scores = c.op("matmul", {multiply(c, q, root), transpose(c, multiply(c, k, root), {0, 1, 3, 2})});
  Value* shares = c.op("softmax", {modified("score_mod", c.cast(scores, inner))});
  shares = modified("prob_mod", shares);
  return {c.cast(c.op("matmul", {shares, c.cast(v, inner)}), v->dtype())};
}

}  // namespace

Rows preview_rows() { return {{"FlexAttention", flex_attention}}; }

}  // namespace godwit::frontends::onnx

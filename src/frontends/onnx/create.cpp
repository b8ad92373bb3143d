// Constants, ranges, random numbers.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values constant(Call& c) {
  const std::string name = c.scope.prefix + (c.node.outputs.empty() ? "constant" : c.node.outputs[0]);
  for (const char* key : {"value", "sparse_value"})
    if (const file::Attribute* a = c.attribute(key)) {
      if (!a->tensor) c.fail("attribute {} holds no tensor", key);
      return {c.importer.tensor(*a->tensor, name)};
    }
  if (c.has_attribute("value_int"))
    return {c.b.constant(Tensor::of<int64_t>(DType::i64, {}, {c.integer("value_int", 0)}))};
  if (c.has_attribute("value_float")) return {c.b.scalar(DType::f32, c.real("value_float", 0))};
  if (c.has_attribute("value_ints"))
    return {c.importer.tensor({name, Tensor::ints(c.integers("value_ints")), {}}, name)};
  if (const file::Attribute* a = c.attribute("value_floats")) {
    Tensor t = Tensor::of(DType::f32, {static_cast<int64_t>(a->floats.size())}, a->floats);
    return {c.importer.tensor({name, t, {}}, name)};
  }
  if (c.has_attribute("value_string") || c.has_attribute("value_strings"))
    return c.b.unsupported("onnx.Constant (strings)", {}, {{DType::text, ir::Dims{}}});
  // A function's attribute that was not given: nobody may read it.
  return c.b.unsupported("onnx.Constant (no value)", {}, {ir::Type{}});
}

Values constant_of_shape(Call& c) {
  Value* value = nullptr;
  if (const file::Attribute* a = c.attribute("value"); a && a->tensor) {
    if (a->tensor->tensor.size() != 1) c.fail("the value must have one element");
    Tensor t = a->tensor->tensor;
    t.shape.clear();
    value = c.importer.tensor({"", t, {}}, c.scope.prefix + c.node.outputs.at(0));
  } else {
    value = c.b.scalar(DType::f32, 0);
  }
  return {c.op("full", {value}, {{"shape", c.dims(0)}})};
}

Values range(Call& c) {
  Value *start = c.in(0), *limit = c.in(1), *step = c.in(2);
  auto scalar = [&](Value* v) { return c.b.reshape(v, {}); };
  start = scalar(start), limit = scalar(limit), step = scalar(step);
  const DType type = start->dtype();
  const auto from_known = c.importer.content(start), to_known = c.importer.content(limit);
  const Tensor* by_known = c.importer.known(step);
  if (is_integer(type) && from_known && to_known && by_known) {
    const int64_t by = by_known->integer(0);
    const ir::Dim from = from_known->at(0), to = to_known->at(0);
    if (by == 0) c.fail("the step is zero");
    const ir::Dim count = by > 0 ? ceildiv(to - from, by) : ceildiv(from - to, -by);
    return {c.op("arange", {}, {{"start", from}, {"step", ir::Dim(by)}, {"count", max(count, 0)}, {"dtype", type}})};
  }
  return {c.op("range", {start, limit, step})};
}

Values eye_like(Call& c) {
  Value* x = c.in(0);
  if (x->rank() != 2) c.fail("the input must have two axes");
  return {c.op("eye", {},
               {{"rows", c.shape(x, 1)[0]},
                {"columns", c.shape(x, 2)[1]},
                {"offset", ir::Dim(c.integer("k", 0))},
                {"dtype", c.dtype_attribute("dtype", x->dtype())}})};
}

// Random numbers in the distribution asked for; `seed` names another generator's stream, which is not imitated.
Values random(Call& c, bool normal, ir::Dims shape, DType dtype) {
  const DType at = is_float(dtype) ? dtype : DType::f32;
  Value* x = c.op(normal ? "random_normal" : "random_uniform", {}, {{"shape", std::move(shape)}, {"dtype", at}});
  const double a = c.real(normal ? "mean" : "low", 0.0), b = c.real(normal ? "scale" : "high", 1.0);
  return {c.cast(add(c, multiply(c, x, normal ? b : b - a), a), dtype)};
}

Row random_row(std::string name, bool normal, bool like) {
  return {std::move(name), [=](Call& c) {
            ir::Dims shape = like ? c.in(0)->shape() : to_dims(c.integers("shape"));
            return random(c, normal, std::move(shape), c.dtype_attribute("dtype", like ? c.dtype() : DType::f32));
          }};
}

Values multinomial(Call& c) {  // the largest of log-probabilities plus Gumbel noise
  Value* logits = c.in(0);
  if (logits->rank() != 2) c.fail("the input must have two axes");
  const ir::Dim samples = c.integer("sample_size", 1);
  Value* noise =
      c.op("random_uniform", {},
           {{"shape", ir::Dims{c.shape(logits, 1)[0], samples, c.shape(logits, 2)[1]}}, {"dtype", DType::f32}});
  auto minus_log = [&](Value* x) { return c.op("negative", {c.op("log", {x})}); };
  Value* gumbel = c.op("negative", {c.op("log", {minus_log(noise)})});
  Value* drawn = c.op("argmax", {add(c, expand(c, c.cast(logits, DType::f32), {1}), gumbel)}, {{"axis", ir::Dim(2)}});
  return {c.cast(drawn, c.dtype_attribute("dtype", DType::i32))};
}

}  // namespace

Rows create_rows() {
  return {{"Constant", constant},
          {"ConstantOfShape", constant_of_shape},
          {"Range", range},
          {"EyeLike", eye_like},
          random_row("RandomUniform", false, false),
          random_row("RandomNormal", true, false),
          random_row("RandomUniformLike", false, true),
          random_row("RandomNormalLike", true, true),
          {"Multinomial", multinomial}};
}

}  // namespace godwit::frontends::onnx

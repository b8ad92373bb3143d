// Questions about tensors whose answers are Python values, and the words between tensors and numbers.
#include <map>

#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

using aten::TensorRef;
using Handler = std::optional<Value> (*)(Evaluator&, const TensorRef&, const Values&);

ir::Value* single(Evaluator& e, const TensorRef& t) {
  ir::Value* v = t.read();
  if (v->rank() == 0) return v;
  return e.session().builder.reshape(v, {});
}

std::optional<Value> to_int(Evaluator& e, const TensorRef& t, const Values&) {
  ops::Builder& b = e.session().builder;
  ir::Value* v = single(e, t);
  if (const Tensor* known = ops::constant_of(b.module(), v); known && known->size() == 1)
    return is_float(known->dtype) ? Value(static_cast<int64_t>(known->number(0))) : Value(known->integer(0));
  if (v->dtype() == DType::i64) return Value(b.read_one(v));
  if (is_float(v->dtype())) v = b.op("trunc", {v});
  return Value(b.read_one(b.cast(v, DType::i64)));
}

std::optional<Value> to_real(Evaluator& e, const TensorRef& t, const Values&) {
  ops::Builder& b = e.session().builder;
  ir::Value* v = single(e, t);
  if (const Tensor* known = ops::constant_of(b.module(), v); known && known->size() == 1)
    return Value(known->number(0));
  return Value(aten::RunNumber{is_float(v->dtype()) ? v : b.cast(v, DType::f32)});
}

std::optional<Value> to_bool(Evaluator& e, const TensorRef& t, const Values&) {
  if (auto known = e.known_truth(t)) return Value(*known);
  return Value(aten::RunNumber{e.run_truth(t)});
}

std::optional<Value> to_number(Evaluator& e, const TensorRef& t, const Values& arguments) {
  if (t.dtype() == DType::boolean) return to_bool(e, t, arguments);
  return is_float(t.dtype()) ? to_real(e, t, arguments) : to_int(e, t, arguments);
}

std::optional<Value> size(Evaluator& e, const TensorRef& t, const Values& arguments) {
  if (arguments.size() < 2) return Value::dims(t.shape());
  auto* axis = arguments[1].get<ir::Dim>();
  if (!axis || !axis->is_known()) return std::nullopt;
  const int64_t i = axis->value() < 0 ? axis->value() + t.rank() : axis->value();
  if (i < 0 || i >= t.rank()) throw Raised(fmt::format("size({}) of a tensor of {}", axis->value(), str(t.type())));
  (void)e;
  return Value(t.shape()[static_cast<size_t>(i)]);
}

std::optional<Value> length(Evaluator&, const TensorRef& t, const Values&) {
  if (t.rank() == 0) throw Raised("len() of a 0-d tensor");
  return Value(t.shape()[0]);
}

std::optional<Value> stride(Evaluator&, const TensorRef& t, const Values& arguments) {
  Values strides(static_cast<size_t>(t.rank()));
  ir::Dim step(1);
  for (size_t i = strides.size(); i-- > 0;) {
    strides[i] = step;
    step = step * t.shape()[i];
  }
  if (arguments.size() < 2) return Value::list(strides);
  auto* axis = arguments[1].get<ir::Dim>();
  const int64_t i = !axis ? 0 : axis->value() < 0 ? axis->value() + t.rank() : axis->value();
  return strides.at(static_cast<size_t>(i));
}

const std::map<std::string, Handler, std::less<>>& handlers() {
  static const std::map<std::string, Handler, std::less<>> table = {
      {"aten::size", size},
      {"aten::len", length},
      {"aten::stride", stride},
      {"aten::Int", to_int},
      {"aten::IntImplicit", to_int},
      {"aten::Float", to_real},
      {"aten::FloatImplicit", to_real},
      {"aten::Bool", to_bool},
      {"aten::item", to_number},
      {"aten::ScalarImplicit", to_number},
      {"aten::dim", [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t.rank()); }},
      {"aten::numel",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(product(t.shape())); }},
      {"prim::dtype", [](Evaluator&, const TensorRef& t,
                         const Values&) { return std::optional<Value>(aten::code_of_dtype(t.dtype())); }},
      {"prim::device", [](Evaluator&, const TensorRef&, const Values&) { return std::optional<Value>("cpu"); }},
      {"prim::layout", [](Evaluator&, const TensorRef&, const Values&) { return std::optional<Value>(0); }},
      {"prim::shape",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(Value::dims(t.shape())); }},
      {"prim::data", [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t); }},
      {"aten::cpu", [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t); }},
      {"aten::cuda", [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t); }},
      {"aten::get_device", [](Evaluator&, const TensorRef&, const Values&) { return std::optional<Value>(-1); }},
      {"aten::storage_offset", [](Evaluator&, const TensorRef&, const Values&) { return std::optional<Value>(0); }},
      // See is_grad_enabled.
      {"prim::requires_grad",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(is_float(t.dtype())); }},
      {"aten::requires_grad_", [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t); }},
      {"aten::is_contiguous",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(t.is_contiguous()); }},
      {"aten::is_floating_point",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(is_float(t.dtype())); }},
      {"aten::is_complex",
       [](Evaluator&, const TensorRef& t, const Values&) { return std::optional<Value>(is_complex(t.dtype())); }},
  };
  return table;
}

bool is_false_question(const std::string& name) {
  static const char* const questions[] = {
      "is_cuda", "is_sparse", "is_quantized", "is_mkldnn",    "is_meta",       "is_xpu", "is_mps",  "is_vulkan",
      "is_ipu",  "is_nested", "is_maia",      "is_inference", "is_sparse_csr", "is_xla", "is_mtia", "is_hpu"};
  for (const char* q : questions)
    if (name == std::string("prim::") + q || name == std::string("aten::") + q) return true;
  return false;
}

// A list (of lists) of numbers and 0-d tensors becomes one tensor.
bool flatten_numbers(const Value& v, size_t level, ir::Dims& shape, Values& out) {
  const Values* items = items_of(v);
  if (!items) {
    if (!v.is_number() && !v.is_tensor()) return false;
    out.push_back(v);
    return level == shape.size();
  }
  if (level > 16) return false;
  if (level == shape.size()) shape.push_back(ir::Dim(static_cast<int64_t>(items->size())));
  if (!shape[level].is(static_cast<int64_t>(items->size()))) return false;
  for (const Value& item : *items)
    if (!flatten_numbers(item, level + 1, shape, out)) return false;
  return true;
}

DType number_dtype(const Value& v) {
  if (v.is<bool>()) return DType::boolean;
  if (v.is<ir::Dim>()) return DType::i64;
  if (v.is<std::complex<double>>()) return DType::c64;
  if (auto* run = v.get<aten::RunNumber>()) return run->value->dtype();
  if (auto* t = v.get<TensorRef>()) return t->dtype();
  return DType::f32;
}

ir::Value* number_tensor(ops::Builder& b, const Value& v, DType dtype) {
  if (auto* t = v.get<TensorRef>()) return b.cast(b.reshape(t->read(), {}), dtype);
  if (auto* run = v.get<aten::RunNumber>()) return b.cast(run->value, dtype);
  if (auto* n = v.get<ir::Dim>()) {
    if (n->is_known() && dtype == DType::i64) return b.constant(Tensor::of<int64_t>(DType::i64, {}, {n->value()}));
    return n->is_known() ? b.scalar(dtype, static_cast<double>(n->value())) : b.cast(b.dim(*n), dtype);
  }
  if (auto* d = v.get<double>()) return b.scalar(dtype, *d);
  if (auto* f = v.get<bool>()) return b.scalar(dtype, *f ? 1 : 0);
  throw UsageError(fmt::format("{} is no number", describe(v)));
}

// All items known: one constant. Null otherwise.
ir::Value* known_tensor(ops::Builder& b, const Values& items, const ir::Dims& shape, DType dtype) {
  std::vector<int64_t> integers;
  std::vector<float> reals;
  for (const Value& v : items) {
    if (auto* f = v.get<bool>())
      integers.push_back(*f), reals.push_back(*f ? 1.0f : 0.0f);
    else if (auto* d = v.get<double>())
      integers.push_back(0), reals.push_back(static_cast<float>(*d));
    else if (auto* n = v.get<ir::Dim>(); n && n->is_known())
      integers.push_back(n->value()), reals.push_back(static_cast<float>(n->value()));
    else
      return nullptr;
  }
  if (dtype == DType::i64) return b.constant(Tensor::of(DType::i64, ir::values(shape), integers));
  if (dtype == DType::f32) return b.constant(Tensor::of(DType::f32, ir::values(shape), reals));
  return nullptr;
}

// torch.tensor(data, dtype=, device=, requires_grad=)
std::optional<Value> make_tensor(Evaluator& e, const Values& arguments, const Keywords& keywords) {
  ops::Builder& b = e.session().builder;
  Value dtype = arguments.size() > 1 ? arguments[1] : Value();
  for (const auto& [name, value] : keywords)
    if (name == "dtype") dtype = value;
  if (auto* t = arguments[0].get<TensorRef>(); t && dtype.is_none())
    return e.session().tensor(b.op("copy", {t->read()}));
  ir::Dims shape;
  Values items;
  // The depth of the first path fixes the rank.
  for (const Value* v = &arguments[0]; const Values* list = items_of(*v); v = &list->front()) {
    shape.push_back(ir::Dim(static_cast<int64_t>(list->size())));
    if (list->empty() || shape.size() > 16) break;
  }
  if (!(shape.size() == 1 && shape[0].is(0)) && !flatten_numbers(arguments[0], 0, shape, items)) return std::nullopt;
  DType to = items.empty() ? DType::f32 : number_dtype(items[0]);
  for (const Value& v : items) {
    if (number_dtype(v) == DType::c64) return std::nullopt;
    if (is_float(number_dtype(v)))
      to = number_dtype(v);
    else if (to == DType::boolean)
      to = number_dtype(v);
  }
  if (auto* code = dtype.get<ir::Dim>()) to = aten::dtype_of_code(code->value()).value_or(to);
  if (shape.empty()) return e.session().tensor(number_tensor(b, items[0], to));
  if (items.empty()) return e.session().tensor(b.constant(Tensor::zeros(to, {0})));
  if (ir::Value* known = known_tensor(b, items, shape, to)) return e.session().tensor(known);
  std::vector<ir::Value*> parts;
  for (const Value& v : items) parts.push_back(b.reshape(number_tensor(b, v, to), {ir::Dim(1)}));
  ir::Value* joined = parts.size() == 1 ? parts[0] : b.op("concat", parts, {{"axis", ir::Dim(0)}});
  return e.session().tensor(b.reshape(joined, shape));
}

}  // namespace

std::optional<Value> call_tensor_builtin(Evaluator& e, const std::string& name, const Values& arguments,
                                         const Keywords& keywords) {
  if (arguments.empty()) return std::nullopt;
  if (name == "prim::NumToTensor" || ((name == "aten::tensor" || name == "aten::as_tensor") && !arguments[0].is_none()))
    return name == "aten::as_tensor" && arguments[0].is_tensor() ? std::nullopt : make_tensor(e, arguments, keywords);
  auto* t = arguments[0].get<TensorRef>();
  if (!t) return std::nullopt;
  if (is_false_question(name)) return Value(false);
  auto found = handlers().find(name);
  if (found == handlers().end()) return std::nullopt;
  if (!t->read()->type.shape) throw Blocked(fmt::format("{} behind an unsupported operator", name));
  return found->second(e, *t, arguments);
}

}  // namespace godwit::frontends::torchscript

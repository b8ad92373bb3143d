#include "frontends/onnx/call.h"

namespace godwit::frontends::onnx {

void Call::fail_with(const std::string& message) const {
  std::string operands;
  for (const Value* v : inputs) operands += (operands.empty() ? "" : ", ") + (v ? ir::str(v->type) : "absent");
  raise<UsageError>("[{}] {}; inputs: {} (node {})", node.op, message, operands,
                    node.name.empty() && !node.outputs.empty() ? node.outputs[0] : node.name);
}

Value* Call::in(size_t i) const {
  if (!has(i)) fail("input {} is missing", i);
  return inputs[i];
}

const file::Attribute* Call::attribute(std::string_view name) const {
  const file::Attribute* a = node.find(name);
  if (!a || a->reference.empty()) return a;
  for (const Scope* s = &scope; s; s = s->outer) {
    if (!s->arguments) continue;
    auto found = s->arguments->find(a->reference);
    return found == s->arguments->end() ? nullptr : found->second;
  }
  fail("attribute {} refers to {}, and this is no function", name, a->reference);
}

const file::Attribute* Call::typed(std::string_view name, file::Attribute::Type type) const {
  const file::Attribute* a = attribute(name);
  if (a && a->type != type) fail("attribute {} has the wrong type", name);
  return a;
}

int64_t Call::integer(std::string_view name, int64_t fallback) const {
  const auto* a = typed(name, file::Attribute::Type::integer);
  return a ? a->i : fallback;
}

double Call::real(std::string_view name, double fallback) const {
  const auto* a = typed(name, file::Attribute::Type::real);
  return a ? static_cast<double>(a->f) : fallback;
}

std::string Call::text(std::string_view name, std::string_view fallback) const {
  const auto* a = typed(name, file::Attribute::Type::text);
  return a ? a->s : std::string(fallback);
}

std::vector<int64_t> Call::integers(std::string_view name, std::vector<int64_t> fallback) const {
  const auto* a = typed(name, file::Attribute::Type::integers);
  return a ? a->ints : fallback;
}

std::vector<double> Call::reals(std::string_view name, std::vector<double> fallback) const {
  const auto* a = typed(name, file::Attribute::Type::reals);
  return a ? std::vector<double>(a->floats.begin(), a->floats.end()) : fallback;
}

std::vector<std::string> Call::texts(std::string_view name) const {
  const auto* a = typed(name, file::Attribute::Type::texts);
  return a ? a->strings : std::vector<std::string>{};
}

DType Call::dtype_attribute(std::string_view name, DType fallback) const {
  const auto* a = typed(name, file::Attribute::Type::integer);
  if (!a || a->i == 0) return fallback;
  auto dtype = file::dtype_of(a->i);
  if (!dtype) fail("attribute {} is no element type: {}", name, a->i);
  return *dtype;
}

const file::Graph& Call::graph(std::string_view name) const {
  const auto* a = typed(name, file::Attribute::Type::graph);
  if (!a || !a->graph) fail("attribute {} is missing", name);
  return *a->graph;
}

ir::Dim Call::dim(size_t input) const {
  ir::Dims all = dims(input);
  if (all.size() != 1) fail("input {} must hold one integer, it holds {}", input, all.size());
  return all[0];
}

std::vector<int64_t> Call::numbers(size_t input) const {
  const Value* v = in(input);
  if (v->content && ir::is_known(*v->content)) return ir::values(*v->content);
  const Tensor* t = importer.known(v);
  if (!t)
    fail("input {} ({}) must be known at conversion; give its value (--input {}=...)", input, node.inputs[input],
         node.inputs[input]);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < t->size(); ++i) out.push_back(t->integer(i));
  return out;
}

int64_t Call::number(size_t input) const {
  std::vector<int64_t> all = numbers(input);
  if (all.size() != 1) fail("input {} must hold one integer, it holds {}", input, all.size());
  return all[0];
}

double Call::constant(size_t input) const {
  const Tensor* t = importer.known(in(input));
  if (!t || t->size() != 1)
    fail("input {} ({}) must be one number known at conversion; give its value (--input {}=...)", input,
         node.inputs[input], node.inputs[input]);
  return t->number(0);
}

int64_t Call::known(const ir::Dim& size) const {
  if (!size.is_known())
    fail("size {} must be known at conversion; give the inputs' shapes (--input NAME=SHAPE)", size.str());
  return size.value();
}

const ir::Shape& Call::shape(const Value* value, size_t least_rank) const {
  if (value->shape().size() < least_rank) fail("{} has fewer than {} axes", ir::str(value->type), least_rank);
  return value->shape();
}

int64_t Call::axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= std::max<int64_t>(rank, 1)) fail("axis {} is out of range for rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

ir::Dims all_axes(int64_t rank) {
  ir::Dims out;
  for (int64_t i = 0; i < rank; ++i) out.push_back(i);
  return out;
}

ir::Dims to_dims(const std::vector<int64_t>& values) { return {values.begin(), values.end()}; }

}  // namespace godwit::frontends::onnx

#include "frontends/torchscript/merge.h"

#include "ops/infer.h"

namespace godwit::frontends::torchscript {
namespace {

constexpr int kMaxDepth = 50;

bool is_truth(const Value& v) {
  auto* run = v.get<aten::RunNumber>();
  return v.is<bool>() || (run && run->value->dtype() == DType::boolean);
}

ir::Value* number_node(ops::Builder& b, const Value& v, DType dtype) {
  if (auto* run = v.get<aten::RunNumber>()) return b.cast(run->value, dtype);
  if (auto* n = v.get<ir::Dim>()) {
    if (n->is_known() && dtype == DType::i64) return b.constant(Tensor::of<int64_t>(DType::i64, {}, {n->value()}));
    return n->is_known() ? b.scalar(dtype, static_cast<double>(n->value())) : b.cast(b.dim(*n), dtype);
  }
  if (auto* d = v.get<double>()) return b.scalar(dtype, *d);
  if (auto* f = v.get<bool>()) return b.scalar(dtype, *f ? 1 : 0);
  throw UsageError(fmt::format("{} cannot leave a branch or loop that only the run decides", describe(v)));
}

DType number_dtype(const Value& v) {
  if (is_truth(v)) return DType::boolean;
  return v.is<ir::Dim>() ? DType::i64 : DType::f32;
}

// A dimension that differs between the branches is one that only the run will tell.
ir::Type joined(const ir::Type& a, const ir::Type& b) {
  if (a.dtype != b.dtype) throw UsageError(fmt::format("one branch gives {}, the other {}", str(a), str(b)));
  if (!a.shape || !b.shape) return a.shape ? b : a;
  if (a.shape->size() != b.shape->size())
    throw UsageError(fmt::format("one branch gives {}, the other {}: tensors of different rank", str(a), str(b)));
  ir::Type out = a;
  for (size_t i = 0; i < a.shape->size(); ++i)
    if ((*a.shape)[i] != (*b.shape)[i]) (*out.shape)[i] = ops::InferContext::fresh();
  return out;
}

}  // namespace

Value settled(aten::Session& session, const Value& value, int depth) {
  if (depth > kMaxDepth) return value;
  auto all = [&](const Values& items) {
    Values out;
    for (const Value& v : items) out.push_back(settled(session, v, depth + 1));
    return out;
  };
  if (auto* t = value.get<aten::TensorRef>()) return session.tensor(t->read());
  if (value.is<aten::Tuple>()) return Value::tuple(all(*value.items()));
  if (value.is<aten::List>()) return Value::list(all(*value.items()));
  if (auto named = as<NamedTupleBox>(value)) {
    auto copy = std::make_shared<NamedTupleBox>(*named);
    copy->items = all(named->items);
    return Value(std::shared_ptr<aten::Opaque>(copy));
  }
  if (auto dict = as<DictBox>(value)) {
    auto copy = std::make_shared<DictBox>(*dict);
    for (auto& [k, v] : copy->items) v = settled(session, v, depth + 1);
    return Value(std::shared_ptr<aten::Opaque>(copy));
  }
  return value;
}

ir::Value* Merger::node_in(ir::Graph& graph, const Value& value, DType dtype) {
  ops::Builder::Into into(session_.builder, graph);
  return number_node(session_.builder, value, dtype);
}

ir::Value* Merger::filler_in(ir::Graph& graph, const ir::Type& type) {
  ops::Builder::Into into(session_.builder, graph);
  return session_.builder.op("full", {session_.builder.scalar(type.dtype, 0)}, {{"shape", *type.shape}});
}

ir::Value* Merger::output(ir::Value* a, ir::Value* b) {
  if (is_finished_) return outputs_.at(next_++);
  types_.push_back(joined(a->type, b->type));
  then_.graph->outputs.push_back(a);
  otherwise_.graph->outputs.push_back(b);
  return a;
}

ir::Value* Merger::merge_values(ir::Value* a, ir::Value* b) { return a == b ? a : output(a, b); }

Value Merger::merge(const Value& a, const Value& b, int depth) {
  if (depth > kMaxDepth) throw UsageError("values are nested too deep");
  if (identical(a, b)) return a;
  if (as<Uninitialized>(a) || as<Uninitialized>(b)) {
    const bool first = static_cast<bool>(as<Uninitialized>(a));
    const Value& real = first ? b : a;
    if (auto* t = real.get<aten::TensorRef>()) {
      ir::Value* v = t->read();
      ir::Value* filler = is_finished_ ? v : filler_in(first ? *then_.graph : *otherwise_.graph, v->type);
      return session_.tensor(first ? output(filler, v) : output(v, filler));
    }
    if (!items_of(real)) return real;
    const Values holes(items_of(real)->size(), first ? a : b);
    return first ? merge(Value::tuple(holes), real, depth + 1) : merge(real, Value::tuple(holes), depth + 1);
  }
  auto *x = a.get<aten::TensorRef>(), *y = b.get<aten::TensorRef>();
  if (x && y) return session_.tensor(merge_values(x->read(), y->read()));
  if (a.is_number() && b.is_number()) {
    const DType dtype = is_truth(a) && is_truth(b)                                       ? DType::boolean
                        : number_dtype(a) == DType::i64 && number_dtype(b) == DType::i64 ? DType::i64
                                                                                         : DType::f32;
    ir::Value* merged = is_finished_ ? output(nullptr, nullptr)
                                     : output(node_in(*then_.graph, a, dtype), node_in(*otherwise_.graph, b, dtype));
    if (!is_finished_) return a;
    return dtype == DType::i64 ? Value(session_.builder.read_one(merged)) : Value(aten::RunNumber{merged});
  }
  const Values *p = items_of(a), *q = items_of(b);
  if (p && q && p->size() == q->size()) {
    Values out;
    for (size_t i = 0; i < p->size(); ++i) out.push_back(merge((*p)[i], (*q)[i], depth + 1));
    return a.is<aten::List>() && b.is<aten::List>() ? Value::list(out) : Value::tuple(out);
  }
  throw UsageError(fmt::format("a condition that only the run can tell gives {} in one branch and {} in the other",
                               describe(a), describe(b)));
}

bool LoopCarry::can_carry(const Value& value) {
  if (value.is_tensor() || value.is_number()) return !value.is<std::complex<double>>();
  if (!value.is<aten::Tuple>()) return false;
  for (const Value& v : *value.items())
    if (!can_carry(v)) return false;
  return true;
}

void LoopCarry::flatten(const Value& value, std::vector<ir::Value*>& out) const {
  if (auto* t = value.get<aten::TensorRef>())
    out.push_back(t->read());
  else if (value.is_number())
    out.push_back(number_node(session_.builder, value, number_dtype(value)));
  else if (const Values* items = items_of(value))
    for (const Value& v : *items) flatten(v, out);
  else
    throw UsageError(fmt::format("{} is carried around a loop that only the run ends", describe(value)));
}

void LoopCarry::add(const Value& value) {
  starts_.push_back(initial_.size());
  originals_.push_back(value);
  flatten(value, initial_);
}

void LoopCarry::make_parameters(ir::Graph& region) {
  for (ir::Value* v : initial_) {
    parameters_.push_back(region.add_input("", v->type));
    types_.push_back(v->type);
  }
}

Value LoopCarry::rebuilt(const Value& like, const std::vector<ir::Value*>& from, size_t& next) const {
  if (like.is_tensor()) return session_.tensor(from.at(next++));
  if (like.is_number()) {
    ir::Value* v = from.at(next++);
    return number_dtype(like) == DType::i64 ? Value(session_.builder.read_one(v)) : Value(aten::RunNumber{v});
  }
  Values items;
  for (const Value& v : *items_of(like)) items.push_back(rebuilt(v, from, next));
  return Value::tuple(std::move(items));
}

Value LoopCarry::parameter(size_t i) {
  size_t next = starts_[i];
  return rebuilt(originals_[i], parameters_, next);
}

Value LoopCarry::result(size_t i) {
  size_t next = starts_[i];
  return rebuilt(originals_[i], outputs_, next);
}

void LoopCarry::yield(size_t i, const Value& value, ir::Graph& region, const std::string& name) {
  std::vector<ir::Value*> now;
  flatten(value, now);
  for (size_t k = 0; k < now.size(); ++k) {
    const ir::Type& expected = types_.at(starts_[i] + k);
    const bool same = now[k]->type.dtype == expected.dtype && now[k]->type.shape == expected.shape;
    if (!same)
      throw UsageError(fmt::format("{} changes from {} to {} in a loop that only the run ends", name, str(expected),
                                   str(now[k]->type)));
    region.outputs.push_back(now[k]);
  }
}

}  // namespace godwit::frontends::torchscript

// If and Loop.
#include <algorithm>
#include <set>

#include "frontends/onnx/regions.h"
#include "frontends/onnx/registry.h"
#include "ops/infer.h"

namespace godwit::frontends::onnx {

std::optional<ir::Type> common_type(const ir::Type& a, const ir::Type& b) {
  if (a.dtype != b.dtype || a.sequence != b.sequence) return std::nullopt;
  ir::Type out = a;
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) {
    if (!a.sequence) return std::nullopt;
    out.shape.reset();
    return out;
  }
  for (size_t i = 0; i < a.shape->size(); ++i)
    if (!((*a.shape)[i] == (*b.shape)[i]) || !(*a.shape)[i].is_known()) (*out.shape)[i] = ops::InferContext::fresh();
  return out;
}

namespace {

// Exporters write x.squeeze(d) of an unknown size d as If(d == 1) {Squeeze(x)} else {x}.
bool is_squeeze(const Value* squeezed, const Value* whole) {
  return squeezed->producer && squeezed->producer->op == "squeeze" && squeezed->producer->inputs[0] == whole;
}

// The ranks of the branches differ: the model is for inputs that take the squeezing one, and the run checks that.
Values assume_squeezed(Call& c, bool condition) {
  Value* holds = c.in(0)->rank() == 0 ? c.in(0) : c.b.reshape(c.in(0), {});
  if (!condition) holds = c.op("logical_not", {holds});
  const std::string message =
      "the model was imported for inputs whose dimension is 1 where " + c.node.name + " squeezes it";
  c.b.region_op("check", {holds}, {{"message", message}}, {}, {});
  c.importer.warn(c.node.name + " squeezes a dimension of unknown size: it is taken to be 1, and every run checks it");
  return c.importer.inline_graph(c.graph(condition ? "then_branch" : "else_branch"), c.scope, {});
}

Values if_row(Call& c) {
  const file::Graph &then = c.graph("then_branch"), &other = c.graph("else_branch");
  if (const Tensor* condition = c.importer.known(c.in(0))) {
    if (condition->size() != 1) c.fail("the condition has {} elements", condition->size());
    return c.importer.inline_graph(condition->number(0) != 0 ? then : other, c.scope, {});
  }
  std::vector<std::unique_ptr<ir::Graph>> regions;
  for (const file::Graph* branch : {&then, &other}) {
    auto region = std::make_unique<ir::Graph>();
    region->name = branch->name;
    ops::Builder::Into into(c.b, *region);
    Importer::Region scope(c.importer);
    region->outputs = c.importer.inline_graph(*branch, c.scope, {});
    regions.push_back(std::move(region));
  }
  const Values &a = regions[0]->outputs, &b = regions[1]->outputs;
  if (a.size() != b.size()) c.fail("the branches have {} and {} outputs", a.size(), b.size());
  if (is_any_blocked(a) || is_any_blocked(b)) throw Importer::Blocked{std::move(regions)};
  std::vector<ir::Type> types;
  for (size_t i = 0; i < a.size(); ++i) {
    auto type = common_type(a[i]->type, b[i]->type);
    if (!type && a.size() == 1 && (is_squeeze(a[0], b[0]) || is_squeeze(b[0], a[0]))) {
      const bool condition = is_squeeze(a[0], b[0]);
      for (auto& region : regions) c.importer.keep(std::move(region));
      return assume_squeezed(c, condition);
    }
    if (!type)
      c.fail(
          "the branches give {} and {}; the condition must be known at conversion: give shapes or values of inputs "
          "(--input)",
          ir::str(a[i]->type), ir::str(b[i]->type));
    types.push_back(*type);
  }
  Value* condition = c.in(0)->rank() == 0 ? c.in(0) : c.b.reshape(c.in(0), {});
  c.b.set_place(c.scope.prefix + c.node.name);
  Values out = c.b.region_op("if", {condition}, {}, std::move(regions), types);
  for (size_t i = 0; i < out.size(); ++i) c.importer.note_type(out[i], then.outputs[i].type);
  return out;
}

// The carried types after one iteration, joined with those before: dimensions that change become unknown, once and for
// all. True when a type is new.
bool widen(std::vector<ir::Type>& types, const Values& after, std::set<std::string>& unknown) {
  bool changed = false;
  for (size_t i = 0; i < types.size(); ++i) {
    const ir::Type &before = types[i], &now = after[i]->type;
    if (before.sequence) continue;
    if (before.dtype != now.dtype || !before.shape || !now.shape || before.shape->size() != now.shape->size())
      raise<UsageError>("a loop carries {} and then {}", ir::str(before), ir::str(now));
    for (size_t k = 0; k < before.shape->size(); ++k) {
      ir::Dim& d = (*types[i].shape)[k];
      if (d == (*now.shape)[k] || (d.as_symbol() && unknown.contains(*d.as_symbol()))) continue;
      d = ops::InferContext::fresh();
      unknown.insert(*d.as_symbol());
      changed = true;
    }
  }
  return changed;
}

}  // namespace

Values write_loop(Call& c, Value* trips, Value* condition, const Values& carried, const LoopBody& body,
                  const std::optional<ir::Dim>& iterations) {
  std::vector<ir::Type> types;
  for (const Value* v : carried) types.push_back(v->type);
  std::unique_ptr<ir::Graph> region;
  std::set<std::string> unknown;
  // Written again with wider types until what comes out fits what goes in.
  for (int attempt = 0;; ++attempt) {
    if (attempt == 8) c.fail("the shapes of the loop's values do not settle");
    region = std::make_unique<ir::Graph>();
    region->name = "body";
    ops::Builder::Into into(c.b, *region);
    Importer::Region scope(c.importer);
    Values arguments{region->add_input("i", {DType::i64, ir::Shape{}})};
    for (size_t i = 0; i < carried.size(); ++i) arguments.push_back(region->add_input(carried[i]->name, types[i]));
    try {
      region->outputs = body(arguments);
      if (is_any_blocked(region->outputs)) throw Importer::Blocked{};
    } catch (Importer::Blocked& kept) {  // regions of the body may read values of this one
      kept.regions.push_back(std::move(region));
      throw;
    }
    const Values after(region->outputs.begin() + 1, region->outputs.begin() + 1 + static_cast<int64_t>(carried.size()));
    if (!widen(types, after, unknown)) break;
    c.importer.keep(std::move(region));
  }
  std::vector<ir::Type> results = types;
  const ir::Dim count = iterations.value_or(ops::InferContext::fresh());
  for (size_t i = 1 + carried.size(); i < region->outputs.size(); ++i) {
    ir::Type type = region->outputs[i]->type;
    if (!type.shape) c.fail("a scanned output has no known rank");
    ir::Shape shape{count};
    for (const ir::Dim& d : *type.shape) shape.push_back(d.is_known() ? d : ops::InferContext::fresh());
    type.shape = shape;
    results.push_back(type);
  }
  // A value that may change its shape has, after the loop, a shape that only the run tells.
  for (size_t i = 0; i < carried.size(); ++i)
    if (results[i].shape && !(results[i].shape == carried[i]->type.shape))
      for (size_t k = 0; k < results[i].shape->size(); ++k)
        if (!((*results[i].shape)[k] == (*carried[i]->type.shape)[k]))
          (*results[i].shape)[k] = ops::InferContext::fresh();
  Values operands{trips, condition};
  operands.insert(operands.end(), carried.begin(), carried.end());
  std::vector<std::unique_ptr<ir::Graph>> regions;
  const auto carried_count = static_cast<int64_t>(carried.size());
  regions.push_back(std::move(region));
  c.b.set_place(c.scope.prefix + c.node.name);
  return c.b.region_op("loop", operands, {{"carried", ir::Dim(carried_count)}}, std::move(regions), results);
}

namespace {

Values loop_row(Call& c) {
  const file::Graph& body = c.graph("body");
  Values carried(c.inputs.begin() + std::min<size_t>(2, c.inputs.size()), c.inputs.end());
  for (const Value* v : carried)
    if (!v) c.fail("a carried value is missing");
  if (body.inputs.size() != carried.size() + 2 || body.outputs.size() < carried.size() + 1)
    c.fail("the body has {} inputs and {} outputs for {} carried values", body.inputs.size(), body.outputs.size(),
           carried.size());
  auto scalar = [&](Value* v) { return !v || v->rank() == 0 ? v : c.b.reshape(v, {}); };
  Value *trips = scalar(c.maybe(0)), *condition = scalar(c.maybe(1));
  const ir::Shape iteration =
      body.inputs[0].type.shape && body.inputs[0].type.shape->size() == 1 ? ir::Shape{1} : ir::Shape{};
  return write_loop(c, trips, condition, carried, [&](const Values& arguments) {
    Values inner = arguments;
    inner[0] = c.b.reshape(arguments[0], iteration);
    // The condition that the body sees is true: it runs.
    inner.insert(inner.begin() + 1, c.b.scalar(DType::boolean, 1));
    for (size_t i = 0; i < inner.size(); ++i) c.importer.note_type(inner[i], body.inputs[i].type);
    Values out = c.importer.inline_graph(body, c.scope, inner);
    if (!is_blocked(out[0]) && out[0]->rank() != 0) out[0] = c.b.reshape(out[0], {});
    return out;
  });
}

}  // namespace

Rows control_rows() { return {{"If", if_row}, {"Loop", loop_row}}; }

}  // namespace godwit::frontends::onnx

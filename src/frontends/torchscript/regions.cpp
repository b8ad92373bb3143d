// Control flow that only the run decides: both branches of an `if` become regions, a loop's body becomes one.
#include <algorithm>

#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/merge.h"
#include "ops/infer.h"

namespace godwit::frontends::torchscript {
namespace {

using script::Stmt;

// Names that a block assigns, those of nested blocks included.
void collect_assigned(const std::vector<Stmt>& block, std::set<std::string>& names) {
  for (const Stmt& s : block) {
    for (const auto& target : s.targets)
      if (target.kind == script::Expr::Kind::name) names.insert(target.text);
    collect_assigned(s.body, names);
    collect_assigned(s.orelse, names);
  }
}

std::set<std::string> assigned(const std::vector<Stmt>& block) {
  std::set<std::string> names;
  collect_assigned(block, names);
  return names;
}

std::set<const ir::Value*> values_inside(const ir::Graph& graph) {
  std::set<const ir::Value*> out(graph.inputs.begin(), graph.inputs.end());
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
    out.insert(node.outputs.begin(), node.outputs.end());
    for (const auto& region : node.regions) out.insert(region->inputs.begin(), region->inputs.end());
  });
  return out;
}

}  // namespace

// Undoes what changed since, newest first; the returned list holds what each place held before that, once per place.
std::vector<Evaluator::Change> Evaluator::take_back(size_t from) {
  std::vector<Change> after;
  while (changes_.size() > from) {
    Change& c = changes_.back();
    auto same_place = [&](const Change& o) {
      return o.object == c.object && o.attribute == c.attribute && o.list == c.list && o.dict == c.dict;
    };
    if (std::none_of(after.begin(), after.end(), same_place)) {
      Change now = c;
      if (c.object) now.before = c.object->attributes[c.attribute];
      if (c.list) now.list_before = *c.list;
      if (c.dict) now.dict_before = c.dict->items;
      after.push_back(std::move(now));
    }
    if (c.object) c.object->attributes[c.attribute] = c.before;
    if (c.list) *c.list = c.list_before;
    if (c.dict) c.dict->items = c.dict_before;
    changes_.pop_back();
  }
  return after;
}

struct Evaluator::Branch : MergeSide {
  std::unique_ptr<ir::Graph> region = std::make_unique<ir::Graph>();
  Scope scope;
  std::vector<Change> changes;  // `before` is what the place holds at the end of the branch
  std::vector<std::pair<aten::TensorRef, ir::Value*>> writes;
  std::optional<std::string> raised;

  Branch() { graph = region.get(); }
};

void Evaluator::run_branch(const std::vector<Stmt>& block, Branch& branch) {
  const Scope scope_before = frame().scope;
  const size_t changes_from = changes_.size(), frames_before = frames_.size();
  ++open_regions_;
  {
    aten::Heap::Region region(session_.heap, *branch.graph);
    try {
      run_block(block);
    } catch (const Raised& error) {
      branch.raised = error.what();
      frames_.resize(frames_before);
    }
    if (!branch.raised) {
      const auto inside = values_inside(*branch.graph);
      for (const auto& write : region.writes())
        if (!inside.contains(write.before)) branch.writes.emplace_back(write.root, write.after());
      for (const std::string& name : assigned(block)) {
        auto found = frame().scope.find(name);
        if (found == frame().scope.end()) continue;
        auto before = scope_before.find(name);
        const bool is_same = before != scope_before.end() && identical(before->second, found->second);
        branch.scope[name] = is_same ? found->second : settled(session_, found->second, 0);
      }
    }
    branch.changes = take_back(changes_from);
    if (!branch.raised)
      for (Change& c : branch.changes) {
        if (c.object) c.before = settled(session_, c.before, 0);
        for (Value& v : c.list_before) v = settled(session_, v, 0);
        for (auto& [k, v] : c.dict_before) v = settled(session_, v, 0);
      }
  }
  --open_regions_;
  frame().scope = scope_before;
}

void Evaluator::run_time_if(const Stmt& s, ir::Value* condition) {
  Branch then, otherwise;
  run_branch(s.body, then);
  run_branch(s.orelse, otherwise);
  if (then.raised && otherwise.raised) throw Raised(*then.raised);
  set_place(s.offset);
  if (then.raised || otherwise.raised) {
    // A guard: the run checks it, and what follows may rely on it.
    ir::Value* holds = then.raised ? builder_.op("logical_not", {condition}) : condition;
    builder_.ops("check", {holds}, {{"message", then.raised ? *then.raised : *otherwise.raised}});
    run_block(then.raised ? s.orelse : s.body);
    return;
  }
  std::set<std::string> names;
  const auto first = assigned(s.body), second = assigned(s.orelse);
  std::set_intersection(first.begin(), first.end(), second.begin(), second.end(), std::inserter(names, names.end()));

  Merger merger(session_, then, otherwise);
  keep_merged(merger, then, otherwise, names);  // collects the outputs of both regions
  std::vector<std::unique_ptr<ir::Graph>> regions;
  regions.push_back(std::move(then.region));
  regions.push_back(std::move(otherwise.region));
  if (merger.types().empty() && regions[0]->nodes.empty() && regions[1]->nodes.empty()) {
    merger.finish({});
  } else {
    merger.finish(builder_.region_op("if", {condition}, {}, std::move(regions), merger.types()));
  }
  keep_merged(merger, then, otherwise, names);
}

// Merges variables, changed places and written tensors; the second time the results are kept.
void Evaluator::keep_merged(Merger& merger, Branch& then, Branch& otherwise, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    auto a = then.scope.find(name), b = otherwise.scope.find(name);
    if (a == then.scope.end() || b == otherwise.scope.end()) continue;
    Value merged = merger.merge(a->second, b->second, 0);
    if (merger.is_finished()) frame().scope[name] = std::move(merged);
  }
  auto places = then.changes;
  auto find = [](std::vector<Change>& in, const Change& c) -> Change* {
    for (Change& o : in)
      if (o.object == c.object && o.attribute == c.attribute && o.list == c.list && o.dict == c.dict) return &o;
    return nullptr;
  };
  for (const Change& c : otherwise.changes)
    if (!find(places, c)) places.push_back(c);
  for (Change& place : places) {
    Change *a = find(then.changes, place), *b = find(otherwise.changes, place);
    if (place.object) {
      const Value now = place.object->attributes[place.attribute];
      Value merged = merger.merge(a ? a->before : now, b ? b->before : now, 0);
      if (merger.is_finished()) set_attribute(place.object, place.attribute, std::move(merged));
    } else if (place.list) {
      const Value x = Value::list(a ? a->list_before : *place.list), y = Value::list(b ? b->list_before : *place.list);
      const Value merged = merger.merge(x, y, 0);
      if (merger.is_finished()) {
        remember(place.list);
        *place.list = *merged.items();
      }
    } else {
      const auto &x = a ? a->dict_before : place.dict->items, &y = b ? b->dict_before : place.dict->items;
      if (x.size() != y.size()) fail("a dict has other keys in one branch of a condition that only the run can tell");
      auto items = x;
      for (size_t i = 0; i < x.size(); ++i) items[i].second = merger.merge(x[i].second, y[i].second, 0);
      if (merger.is_finished()) {
        remember(place.dict);
        place.dict->items = items;
      }
    }
  }
  std::vector<aten::TensorRef> roots;
  for (Branch* branch : {&then, &otherwise})
    for (auto& [root, value] : branch->writes)
      if (std::find(roots.begin(), roots.end(), root) == roots.end()) roots.push_back(root);
  for (const aten::TensorRef& root : roots) {
    auto after = [&](Branch& branch) {
      for (auto& [r, value] : branch.writes)
        if (r == root) return value;
      return root.read();
    };
    ir::Value* merged = merger.merge_values(after(then), after(otherwise));
    if (merger.is_finished()) root.write(merged);
  }
}

// The body runs once in a scratch region, to see which tensors it writes, then in the region that stays.
void Evaluator::run_time_loop(const Stmt& s, const Value& count) {
  const bool is_while = count.is_none();
  {
    Branch trial;
    const Scope scope_before = frame().scope;
    if (!is_while) frame().scope[s.targets[0].text] = Value(ops::InferContext::fresh());
    run_branch(s.body, trial);
    frame().scope = scope_before;
    const bool has_effects = !trial.changes.empty() || trial.raised;
    if (has_effects) {
      unsupported("prim::Loop", {}, 1);
      throw Blocked("a loop whose length only the run can tell changes lists, dicts or attributes, or raises");
    }
  }
  ir::Value* condition = is_while ? run_truth(evaluate(*s.value)) : nullptr;
  ir::Value* trips = is_while ? nullptr : builder_.dim(*count.get<ir::Dim>());

  LoopCarry carry(session_);
  std::vector<std::string> names;
  for (const std::string& name : assigned(s.body)) {
    auto found = frame().scope.find(name);
    if (found == frame().scope.end() || !LoopCarry::can_carry(found->second)) continue;
    names.push_back(name);
    carry.add(found->second);
  }
  auto region = std::make_unique<ir::Graph>();
  ir::Value* index = region->add_input("", {DType::i64, ir::Shape{}, false});
  carry.make_parameters(*region);
  const Scope scope_before = frame().scope;
  ++open_regions_;
  {
    aten::Heap::Region open(session_.heap, *region);
    for (size_t i = 0; i < names.size(); ++i) frame().scope[names[i]] = carry.parameter(i);
    if (!is_while) frame().scope[s.targets[0].text] = Value(builder_.read_one(index));
    run_block(s.body);
    const auto inside = values_inside(*region);
    for (const auto& write : open.writes())
      if (!inside.contains(write.before)) {
        unsupported("prim::Loop", {}, 1);
        throw Blocked("a loop whose length only the run can tell writes into a tensor from outside");
      }
    region->outputs.push_back(is_while ? run_truth(evaluate(*s.value))
                                       : builder_.constant(Tensor::scalar(DType::boolean, 1)));
    for (size_t i = 0; i < names.size(); ++i) carry.yield(i, frame().scope[names[i]], *region, names[i]);
  }
  --open_regions_;
  frame().scope = scope_before;

  set_place(s.offset);
  std::vector<ir::Value*> operands{trips, condition};
  operands.insert(operands.end(), carry.initial().begin(), carry.initial().end());
  std::vector<std::unique_ptr<ir::Graph>> regions;
  regions.push_back(std::move(region));
  const auto outputs =
      builder_.region_op("loop", operands, {{"carried", ir::Dim(static_cast<int64_t>(carry.initial().size()))}},
                         std::move(regions), carry.types());
  carry.finish(outputs);
  for (size_t i = 0; i < names.size(); ++i) frame().scope[names[i]] = carry.result(i);
}

}  // namespace godwit::frontends::torchscript

// Operators that hold graphs: cond, while_loop, scan, map, and the regions that only set a mode.
#include "base/error.h"
#include "frontends/pt2/translation.h"
#include "ops/infer.h"

namespace godwit::frontends::pt2 {

const Graph& Translation::graph_operand(const Node& node, size_t i) const {
  require<FileError>(i < node.inputs.size() && node.inputs[i].value.kind == Argument::Kind::graph,
                     "{}: operand {} is no graph", describe(node), i);
  return *node.inputs[i].value.graph;
}

Values Translation::list_operand(const Node& node, size_t i, const Scope& scope) const {
  require<FileError>(i < node.inputs.size() && node.inputs[i].value.kind == Argument::Kind::list,
                     "{}: operand {} is no list", describe(node), i);
  return *value_of(node.inputs[i].value, scope).items();
}

std::vector<ir::Value*> Translation::read_all(const Values& values) const {
  std::vector<ir::Value*> out;
  for (const Value& v : values) {
    if (auto* t = v.get<TensorRef>())
      out.push_back(t->read());
    else if (auto* d = v.get<ir::Dim>())
      out.push_back(b.dim(*d));
    else if (auto* run = v.get<aten::RunNumber>())
      out.push_back(run->value);
    else if (auto* f = v.get<bool>())
      out.push_back(b.scalar(DType::boolean, *f));
    else
      throw aten::Unsupported(fmt::format("a {} crosses a region's border", aten::describe(v)));
  }
  return out;
}

std::optional<Values> Translation::higher_order(const Node& node, Scope& scope) {
  const std::string name = node.target.substr(std::string_view("torch.ops.higher_order.").size());
  if (name == "wrap_with_set_grad_enabled") return inline_graph(node, scope, 1);
  if (name == "wrap_with_autocast") {
    require<FileError>(node.inputs.size() >= 5, "{}: an autocast region has five operands before its own",
                       describe(node));
    const Argument& dtype = node.inputs[1].value;
    const bool enabled = node.inputs[2].value.flag;
    std::optional<DType> before = session.autocast, to;
    if (enabled)
      to = dtype.kind == Argument::Kind::scalar_type ? formats::pt2::dtype_of_schema_code(dtype.integer) : DType::bf16;
    session.autocast = to;
    Values results = inline_graph(node, scope, 4);
    session.autocast = before;
    return results;
  }
  if (name == "cond") return cond(node, scope);
  if (name == "while_loop") return while_loop(node, scope);
  if (name == "scan") return scan(node, scope, true);
  if (name == "map_impl") return scan(node, scope, false);
  if (name.starts_with("wrap") || name == "checkpoint" || name == "tag_activation_checkpoint") {
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i].value.kind == Argument::Kind::graph) return inline_graph(node, scope, i);
  }
  return std::nullopt;
}

// The graph's nodes join the current graph; its operands follow it one by one.
Values Translation::inline_graph(const Node& node, Scope& scope, size_t graph_at) {
  const Graph& graph = graph_operand(node, graph_at);
  Values operands;
  for (size_t i = graph_at + 1; i < node.inputs.size(); ++i) operands.push_back(value_of(node.inputs[i].value, scope));
  Values results = run(graph, operands);
  // A region with one list-typed result names its items as one list.
  if (node.outputs.size() == 1 && node.outputs[0].kind == Argument::Kind::list) return {Value::list(results)};
  return results;
}

namespace {

// Results of a node with regions, as the node's outputs name them.
Values shaped_like(const Node& node, Values results) {
  if (node.outputs.size() == 1 && node.outputs[0].kind == Argument::Kind::list)
    return {Value::list(std::move(results))};
  return results;
}

ir::Type joined(const ir::Type& a, const ir::Type& b) {
  ir::Type out = a;
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return a;
  for (size_t i = 0; i < a.shape->size(); ++i)
    if ((*a.shape)[i] != (*b.shape)[i]) (*out.shape)[i] = ops::InferContext::fresh();
  return out;
}

}  // namespace

Values Translation::cond(const Node& node, Scope& scope) {
  require<FileError>(node.inputs.size() >= 3, "{}: cond has a predicate and two graphs", describe(node));
  Value predicate = value_of(node.inputs[0].value, scope);
  Values operands = node.inputs.size() > 3 ? list_operand(node, 3, scope) : Values{};
  if (auto* known = predicate.get<bool>()) return shaped_like(node, run(graph_operand(node, *known ? 1 : 2), operands));
  ir::Value* condition = read_all({predicate})[0];
  if (condition->rank() > 0) condition = b.reshape(condition, {});

  struct Branch {
    std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
    std::map<size_t, ir::Value*> written;  // by place in `roots`
  };
  Branch branches[2];
  std::vector<TensorRef> roots;
  for (size_t i = 0; i < 2; ++i) {
    aten::Heap::Region region(session.heap, *branches[i].graph);
    Values results = run(graph_operand(node, i + 1), operands);
    branches[i].graph->outputs = read_all(results);
    for (const auto& write : region.writes()) {
      size_t at = 0;
      while (at < roots.size() && !(roots[at] == write.root)) ++at;
      if (at == roots.size()) roots.push_back(write.root);
      branches[i].written[at] = write.after();
    }
  }
  const size_t results = branches[0].graph->outputs.size();
  require<FileError>(results == branches[1].graph->outputs.size(), "{}: the branches have {} and {} results",
                     describe(node), results, branches[1].graph->outputs.size());
  for (Branch& branch : branches)
    for (size_t at = 0; at < roots.size(); ++at)
      branch.graph->outputs.push_back(branch.written.count(at) ? branch.written[at] : roots[at].read());
  std::vector<ir::Type> types;
  std::vector<std::unique_ptr<ir::Graph>> regions;
  for (size_t i = 0; i < branches[0].graph->outputs.size(); ++i)
    types.push_back(joined(branches[0].graph->outputs[i]->type, branches[1].graph->outputs[i]->type));
  for (Branch& branch : branches) regions.push_back(std::move(branch.graph));
  auto values = b.region_op("if", {condition}, {}, std::move(regions), types);
  for (size_t at = 0; at < roots.size(); ++at) roots[at].write(values[results + at]);
  Values out;
  for (size_t i = 0; i < results; ++i) out.push_back(session.heap.make(values[i]));
  return shaped_like(node, std::move(out));
}

namespace {

void refuse_writes(const aten::Heap::Region& region) {
  if (!region.writes().empty()) throw aten::Unsupported("[loop] the body writes to a tensor outside of it");
}

}  // namespace

Values Translation::while_loop(const Node& node, Scope& scope) {
  const Graph &condition = graph_operand(node, 0), &body = graph_operand(node, 1);
  Values carried = list_operand(node, 2, scope);
  Values additional = node.inputs.size() > 3 ? list_operand(node, 3, scope) : Values{};
  auto test = [&](const Values& state) {
    Values all = state;
    all.insert(all.end(), additional.begin(), additional.end());
    Values results = run(condition, all);
    require<FileError>(!results.empty(), "{}: the condition has no result", describe(node));
    ir::Value* v = read_all({results[0]})[0];
    return v->rank() > 0 ? b.reshape(v, {}) : v;
  };
  std::vector<ir::Value*> inputs = {nullptr, test(carried)};
  std::vector<ir::Type> types;
  for (ir::Value* v : read_all(carried)) {
    inputs.push_back(v);
    types.push_back(v->type);
  }
  auto region_graph = std::make_unique<ir::Graph>();
  {
    aten::Heap::Region region(session.heap, *region_graph);
    region_graph->add_input("i", {DType::i64, ir::Shape{}});
    Values state;
    for (size_t i = 0; i < carried.size(); ++i) {
      ir::Value* v = region_graph->add_input("carried_" + std::to_string(i), types[i]);
      if (carried[i].is<ir::Dim>())
        state.push_back(b.read_one(v));
      else
        state.push_back(session.heap.make(v));
    }
    Values all = state;
    all.insert(all.end(), additional.begin(), additional.end());
    Values next = run(body, all);
    ir::Value* again = test(next);
    region_graph->outputs = read_all(next);
    region_graph->outputs.insert(region_graph->outputs.begin(), again);
    refuse_writes(region);
  }
  require<FileError>(region_graph->outputs.size() == carried.size() + 1, "{}: the body gives {} values, {} are carried",
                     describe(node), region_graph->outputs.size() - 1, carried.size());
  std::vector<std::unique_ptr<ir::Graph>> regions;
  regions.push_back(std::move(region_graph));
  auto values =
      b.region_op("loop", inputs, {{"carried", static_cast<int64_t>(carried.size())}}, std::move(regions), types);
  Values out;
  for (size_t i = 0; i < values.size(); ++i) {
    if (carried[i].is<ir::Dim>())
      out.push_back(b.read_one(values[i]));
    else
      out.push_back(session.heap.make(values[i]));
  }
  return shaped_like(node, std::move(out));
}

// scan: body(carried..., one slice of each x, additional...) -> carried..., one slice of each y; map has no carried.
Values Translation::scan(const Node& node, Scope& scope, bool has_carried) {
  const Graph& body = graph_operand(node, 0);
  size_t next_operand = 1;
  Values carried = has_carried ? list_operand(node, next_operand++, scope) : Values{};
  Values xs = list_operand(node, next_operand++, scope);
  Values additional = node.inputs.size() > next_operand ? list_operand(node, next_operand, scope) : Values{};
  require<FileError>(!xs.empty() && xs[0].is_tensor() && xs[0].get<TensorRef>()->rank() > 0, "{}: nothing to scan over",
                     describe(node));
  const ir::Dim count = xs[0].get<TensorRef>()->shape()[0];
  std::vector<ir::Value*> inputs = {b.dim(count), nullptr}, sequences = read_all(xs);
  std::vector<ir::Type> types;
  for (ir::Value* v : read_all(carried)) {
    inputs.push_back(v);
    types.push_back(v->type);
  }
  auto region_graph = std::make_unique<ir::Graph>();
  {
    aten::Heap::Region region(session.heap, *region_graph);
    ir::Value* i = region_graph->add_input("i", {DType::i64, ir::Shape{}});
    Values all;
    for (size_t k = 0; k < carried.size(); ++k)
      all.push_back(session.heap.make(region_graph->add_input("carried_" + std::to_string(k), types[k])));
    for (ir::Value* sequence : sequences) all.push_back(session.heap.make(b.op("take", {sequence, i}, {{"axis", 0}})));
    all.insert(all.end(), additional.begin(), additional.end());
    region_graph->outputs = read_all(run(body, all));
    region_graph->outputs.insert(region_graph->outputs.begin(), b.scalar(DType::boolean, 1));
    refuse_writes(region);
  }
  require<FileError>(region_graph->outputs.size() > carried.size(), "{}: the body gives too few values",
                     describe(node));
  for (size_t k = carried.size() + 1; k < region_graph->outputs.size(); ++k) {
    ir::Type stacked = region_graph->outputs[k]->type;
    if (stacked.shape) stacked.shape->insert(stacked.shape->begin(), count);
    types.push_back(stacked);
  }
  std::vector<std::unique_ptr<ir::Graph>> regions;
  regions.push_back(std::move(region_graph));
  auto values =
      b.region_op("loop", inputs, {{"carried", static_cast<int64_t>(carried.size())}}, std::move(regions), types);
  Values out;
  for (ir::Value* v : values) out.push_back(session.heap.make(v));
  return shaped_like(node, std::move(out));
}

}  // namespace godwit::frontends::pt2

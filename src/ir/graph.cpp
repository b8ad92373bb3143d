#include "ir/graph.h"

#include "base/error.h"

namespace godwit::ir {

std::string str(const Type& type) {
  std::string body = std::string(name(type.dtype)) + (type.shape ? str(*type.shape) : "[?]");
  return type.sequence ? "seq(" + body + ")" : body;
}

const Shape& Value::shape() const {
  if (!type.shape) raise<InternalError>("value {} has no known shape", name.empty() ? "?" : name);
  return *type.shape;
}

const Attr* Node::find(std::string_view attr) const {
  auto found = attrs.find(attr);
  return found == attrs.end() ? nullptr : &found->second;
}

Value* Graph::add_value(Value value) {
  values_.push_back(std::make_unique<Value>(std::move(value)));
  return values_.back().get();
}

Value* Graph::add_input(std::string name, Type type) {
  Value v;
  v.kind = Value::Kind::input;
  v.name = std::move(name);
  v.type = std::move(type);
  inputs.push_back(add_value(std::move(v)));
  return inputs.back();
}

Value* Graph::add_state(std::string name, Type type, std::optional<Tensor> initial) {
  Value v;
  v.kind = Value::Kind::state;
  v.name = name;
  v.type = std::move(type);
  Value* before = add_value(std::move(v));
  states.push_back({std::move(name), before, before, std::move(initial)});
  return before;
}

Value* Graph::weight(const std::string& name, const Type& type) {
  auto found = weights.find(name);
  if (found != weights.end()) return found->second;
  Value v;
  v.kind = Value::Kind::weight;
  v.name = name;
  v.type = type;
  return weights[name] = add_value(std::move(v));
}

void Graph::adopt_values(Graph& other) {
  for (auto& value : other.values_) values_.push_back(std::move(value));
  other.values_.clear();
}

void Graph::add_output(std::string name, Value* value) {
  outputs.push_back(value);
  output_names.push_back(std::move(name));
}

void for_each_node(Graph& graph, const std::function<void(Node&, Graph&)>& visit) {
  for (auto& node : graph.nodes) {
    visit(*node, graph);
    for (auto& region : node->regions) for_each_node(*region, visit);
  }
}

void for_each_node(const Graph& graph, const std::function<void(const Node&, const Graph&)>& visit) {
  for (const auto& node : graph.nodes) {
    visit(*node, graph);
    for (const auto& region : node->regions) for_each_node(std::as_const(*region), visit);
  }
}

size_t node_count(const Graph& graph) {
  size_t count = 0;
  for_each_node(graph, [&](const Node&, const Graph&) { ++count; });
  return count;
}

namespace {

// Calls visit(slot) for every place of the graph that reads a value.
template <class G, class Visit>
void for_each_use(G& graph, const Visit& visit) {
  for (auto& node : graph.nodes) {
    for (auto& input : node->inputs)
      if (input) visit(input);
    for (auto& region : node->regions) for_each_use(*region, visit);
  }
  for (auto& output : graph.outputs) visit(output);
  for (auto& state : graph.states) visit(state.after);
}

}  // namespace

std::map<const Value*, int> use_counts(const Graph& graph) {
  std::map<const Value*, int> counts;
  for_each_use(graph, [&](const Value* v) { ++counts[v]; });
  return counts;
}

void replace_uses(Graph& graph, const std::map<const Value*, Value*>& replacement) {
  if (replacement.empty()) return;
  for_each_use(graph, [&](Value*& slot) {
    for (auto found = replacement.find(slot); found != replacement.end(); found = replacement.find(slot))
      slot = found->second;
  });
}

std::string describe(const Node& node) {
  if (node.scope.empty() && node.place.empty()) return node.op;
  bool both = !node.scope.empty() && !node.place.empty();
  return fmt::format("{} ({}{}{})", node.op, node.scope, both ? ", " : "", node.place);
}

}  // namespace godwit::ir

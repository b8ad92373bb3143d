#include "emit/code/interface.h"

#include <algorithm>

namespace godwit::emit {

namespace {

// Calls visit(value) for every value that the node, regions included, reads.
template <class Visit>
void for_each_read(const ir::Node& node, const Visit& visit) {
  for (const ir::Value* v : node.inputs)
    if (v) visit(v);
  for (const auto& region : node.regions) {
    for (const auto& inner : region->nodes) for_each_read(*inner, visit);
    for (const ir::Value* v : region->outputs) visit(v);
  }
}

// Calls visit(value) for every value that the node makes, also inside its regions.
template <class Visit>
void for_each_made(const ir::Node& node, const Visit& visit) {
  for (const ir::Value* v : node.outputs) visit(v);
  for (const auto& region : node.regions) {
    for (const ir::Value* v : region->inputs) visit(v);
    for (const auto& inner : region->nodes) for_each_made(*inner, visit);
  }
}

template <class Visit>
void for_each_symbol(const ir::Node& node, const Visit& visit) {
  for (const std::string& s : symbols_of(node)) visit(s);
  for (const auto& region : node.regions)
    for (const auto& inner : region->nodes) for_each_symbol(*inner, visit);
}

template <class Visit>
void for_each_bound(const ir::Node& node, const Visit& visit) {
  if (node.op == "bind")
    for (const std::string& s : std::get<std::vector<std::string>>(*node.find("symbols"))) visit(s);
  for (const auto& region : node.regions)
    for (const auto& inner : region->nodes) for_each_bound(*inner, visit);
}

}  // namespace

std::vector<std::string> symbols_of(const ir::Node& node) {
  std::vector<std::string> out;
  auto add = [&](const ir::Dim& dim) {
    dim.visit_symbols([&](const std::string& s) {
      if (std::find(out.begin(), out.end(), s) == out.end()) out.push_back(s);
    });
  };
  for (const auto& [name, attr] : node.attrs) {
    if (const auto* d = std::get_if<ir::Dim>(&attr)) add(*d);
    if (const auto* list = std::get_if<ir::Dims>(&attr))
      for (const ir::Dim& d : *list) add(d);
  }
  return out;
}

Uses::Uses(const ir::Graph& graph) : totals_(ir::use_counts(graph)) {
  auto note = [&](const ir::Value* v) {
    if (!v->type.shape) return;
    for (const ir::Dim& d : *v->type.shape)
      if (auto s = d.as_symbol()) first_with_.emplace(*s, v);
  };
  for (const ir::Value* v : graph.inputs) note(v);
  for (const ir::State& s : graph.states) note(s.before);
  for (const auto& node : graph.nodes) {
    for_each_symbol(*node, [&](const std::string& s) { ++symbol_totals_[s]; });
    for_each_made(*node, note);
  }
}

int Uses::total(const ir::Value* value) const {
  auto found = totals_.find(value);
  return found == totals_.end() ? 0 : found->second;
}

int Uses::count(const Nodes& nodes, const ir::Value* value) {
  int n = 0;
  for (const ir::Node* node : nodes) for_each_read(*node, [&](const ir::Value* v) { n += v == value; });
  return n;
}

Interface Uses::interface(const Nodes& nodes) const {
  Interface out;
  std::set<const ir::Value*> made;
  std::map<const ir::Value*, int> reads;
  std::map<std::string, int> symbols;
  for (const ir::Node* node : nodes) {
    for_each_made(*node, [&](const ir::Value* v) { made.insert(v); });
    for_each_symbol(*node, [&](const std::string& s) { ++symbols[s]; });
  }
  for (const ir::Node* node : nodes)
    for_each_read(*node, [&](const ir::Value* v) {
      const bool is_outer = !made.count(v) && v->kind != ir::Value::Kind::weight && !is_constant(v);
      if (++reads[v] == 1 && is_outer) out.inputs.push_back(v);
    });
  for (const ir::Node* node : nodes)
    for (const ir::Value* v : node->outputs)
      if (total(v) > reads[v]) out.outputs.push_back(v);
  auto is_used_outside = [&](const std::string& s) {
    auto all = symbol_totals_.find(s);
    return all != symbol_totals_.end() && all->second > symbols[s];
  };
  for (const ir::Node* node : nodes)
    for_each_bound(*node, [&](const std::string& s) { out.closed = out.closed && !is_used_outside(s); });
  for (const auto& [s, value] : first_with_) {
    if (!made.count(value) || !is_used_outside(s)) continue;
    out.closed = out.closed && std::any_of(out.outputs.begin(), out.outputs.end(), [&, &s = s](const ir::Value* v) {
                   return v->type.shape && std::count(v->shape().begin(), v->shape().end(), ir::Dim::symbol(s)) > 0;
                 });
  }
  return out;
}

}  // namespace godwit::emit

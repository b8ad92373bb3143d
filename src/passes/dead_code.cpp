#include <set>

#include "ops/op.h"
#include "passes/pass.h"

namespace godwit::passes {
namespace {

// `check` stops a run, `bind` gives symbols their values: both act without outputs.
bool has_effect(const ir::Node& node, const std::set<std::string>& symbols) {
  if (node.op == "check") return true;
  if (node.op == "bind")
    for (const std::string& s : std::get<std::vector<std::string>>(*node.find("symbols")))
      if (symbols.contains(s)) return true;
  return false;
}

void add_symbols(const ir::Dims& dims, std::set<std::string>& symbols) {
  for (const ir::Dim& d : dims) d.visit_symbols([&](const std::string& s) { symbols.insert(s); });
}

void add_attribute_symbols(const ir::Node& node, std::set<std::string>& symbols) {
  for (const auto& [name, attr] : node.attrs) {
    if (const auto* list = std::get_if<ir::Dims>(&attr)) add_symbols(*list, symbols);
    if (const auto* dim = std::get_if<ir::Dim>(&attr)) add_symbols({*dim}, symbols);
  }
}

// Marks backwards: a node lives when an output is read by a living node. Regions of a living node live as wholes of
// their own, so their captures are marked before nodes above are judged.
class Marker {
 public:
  explicit Marker(const ir::Graph& root) {
    for (const ir::Value* v : root.inputs)
      if (v->type.shape)
        for (const ir::Dim& d : v->shape())
          if (auto s = d.as_symbol()) told_.insert(*s);
  }

  bool sweep(ir::Graph& graph) {
    mark_roots(graph);
    return sweep_nodes(graph);
  }

 private:
  void mark(const ir::Value* v) {
    if (v) live_.insert(v);
  }

  void mark_roots(const ir::Graph& graph) {
    for (const ir::Value* v : graph.outputs) mark(v);
    for (const ir::State& s : graph.states) mark(s.after);
  }

  bool sweep_nodes(ir::Graph& graph) {
    bool changed = false;
    for (auto at = graph.nodes.end(); at != graph.nodes.begin();) {
      --at;
      ir::Node& node = **at;
      bool alive = has_effect(node, symbols_);
      for (const ir::Value* v : node.outputs) alive = alive || live_.contains(v) || defines_symbol(*v);
      for (auto& region : node.regions) alive = alive || holds_effect(*region);
      if (!alive) {
        at = graph.nodes.erase(at);
        changed = true;
        continue;
      }
      for (const ir::Value* v : node.inputs) mark(v);
      add_attribute_symbols(node, symbols_);
      for (auto& region : node.regions) changed |= sweep(*region);
    }
    return changed;
  }

  // The run learns a data-dependent dimension from the result that has it: it lives when an attribute needs it.
  bool defines_symbol(const ir::Value& v) const {
    if (!v.type.shape) return false;
    for (const ir::Dim& d : *v.type.shape)
      if (auto s = d.as_symbol();
          s && symbols_.contains(*s) && !told_.contains(*s) && v.producer && is_data_dependent(v.producer->op))
        return true;
    return false;
  }

  static bool is_data_dependent(const std::string& op) {
    return op == "nonzero" || op == "unique" || op == "nms" || op == "range" || op == "if" || op == "loop" ||
           op == "reshape" || op == "sequence_at" || op == "sequence_concat";
  }

  bool holds_effect(const ir::Graph& region) const {
    bool found = false;
    ir::for_each_node(region, [&](const ir::Node& n, const ir::Graph&) { found = found || n.op == "check"; });
    return found;
  }

  std::set<const ir::Value*> live_;
  std::set<std::string> symbols_;
  std::set<std::string> told_;  // by the inputs: no result needs to tell them
};

}  // namespace

bool remove_dead_code(ir::Module&, ir::Graph& graph) { return Marker(graph).sweep(graph); }

}  // namespace godwit::passes

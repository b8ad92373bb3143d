#include "ir/verify.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/error.h"

namespace godwit::ir {
namespace {

constexpr size_t max_defects = 20;

bool is_symbol(std::string_view s) {
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s[0]))) return false;
  return std::all_of(s.begin(), s.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; });
}

class Verifier {
 public:
  std::vector<std::string> run(const Graph& g) {
    for (const auto& [name, v] : g.weights) {
      add(v, "weight " + name);
      if (v && (v->kind != Value::Kind::weight || v->name != name))
        report("weight {} is declared as another value", name);
    }
    for (const State& s : g.states) {
      name(states_, s.name, "state");
      add(s.before, "state " + s.name);
      if (s.before && (s.before->kind != Value::Kind::state || s.before->name != s.name))
        report("state {} begins with another value", s.name);
    }
    for (const Value* v : g.inputs)
      if (v) name(inputs_, v->name, "input");
    if (g.output_names.size() != g.outputs.size())
      report("{} outputs have {} names", g.outputs.size(), g.output_names.size());
    std::set<std::string> outputs;
    for (const std::string& n : g.output_names) name(outputs, n, "output");
    body(g);
    for (const State& s : g.states) read(s.after, "state " + s.name);
    return std::move(defects_);
  }

 private:
  template <class... Args>
  void report(fmt::format_string<Args...> format, Args&&... args) {
    if (defects_.size() < max_defects) defects_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void body(const Graph& g) {
    for (const Value* v : g.inputs) {
      add(v, "an input");
      if (v && v->kind != Value::Kind::input) report("input {} is no input", v->name);
    }
    for (const auto& owned : g.nodes) node(*owned);
    for (const Value* v : g.outputs) read(v, "the graph's outputs");
  }

  void node(const Node& n) {
    const std::string who = describe(n);
    if (n.op.empty()) report("a node has no op");
    for (const Value* v : n.inputs)
      if (v) read(v, who);
    for (const auto& region : n.regions) {
      if (!region) {
        report("[{}] has an empty region", who);
        continue;
      }
      if (!region->states.empty() || !region->weights.empty()) report("[{}] states or weights in a region", who);
      std::set<const Value*> outside = visible_;
      body(*region);
      visible_ = std::move(outside);
    }
    for (const Value* v : n.outputs) {
      add(v, who);
      if (v && (v->producer != &n || v->kind != Value::Kind::node)) report("[{}] does not own its result", who);
    }
  }

  void add(const Value* v, const std::string& who) {
    if (!v) return report("[{}] makes a value that is null", who);
    if (!made_.insert(v).second) report("[{}] makes a value that exists already", who);
    visible_.insert(v);
    if (!v->type.shape) return;
    for (const Dim& d : *v->type.shape) {
      if (d.is_known() && d.value() < 0) report("[{}] type {} has a negative dimension", who, str(v->type));
      d.visit_symbols([&](const std::string& s) {
        if (!is_symbol(s)) report("[{}] '{}' is no symbol", who, s);
      });
    }
  }

  void read(const Value* v, const std::string& who) {
    if (!v) return report("[{}] reads a value that is null", who);
    if (visible_.count(v)) return;
    report("[{}] reads a value {}", who, made_.count(v) ? "out of its region" : "before it is made");
  }

  void name(std::set<std::string>& seen, const std::string& name, const char* what) {
    if (name.empty())
      report("an {} has no name", what);
    else if (!seen.insert(name).second)
      report("two {}s are called {}", what, name);
  }

  std::vector<std::string> defects_;
  std::set<const Value*> made_, visible_;
  std::set<std::string> inputs_, states_;
};

}  // namespace

std::vector<std::string> defects(const Graph& graph) { return Verifier().run(graph); }

std::vector<std::string> defects(const Module& module) {
  std::vector<std::string> all;
  for (const auto& [name, graph] : module.graphs) {
    for (const std::string& d : defects(graph)) all.push_back("graph " + name + ": " + d);
    for (const auto& [key, v] : graph.weights) {
      auto found = module.weights.find(key);
      if (found == module.weights.end()) {
        all.push_back(fmt::format("graph {}: weight {} is missing", name, key));
      } else if (const Tensor& t = found->second;
                 t.dtype != v->type.dtype || !v->type.shape || dims(t.shape) != *v->type.shape) {
        all.push_back(fmt::format("graph {}: weight {} is {}, declared as {}", name, key, describe(t), str(v->type)));
      }
    }
  }
  if (all.size() > max_defects) all.resize(max_defects);
  return all;
}

void verify(const Graph& graph, const std::string& after) {
  auto found = defects(graph);
  require<InternalError>(found.empty(), "graph {} is broken after {}: {}", graph.name, after, fmt::join(found, "; "));
}

}  // namespace godwit::ir

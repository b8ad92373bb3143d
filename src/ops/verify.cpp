#include "ops/verify.h"

#include <set>

#include "base/error.h"
#include "ops/builder.h"
#include "ops/op.h"

namespace godwit::ops {
namespace {

constexpr size_t max_defects = 20;

class Verifier {
 public:
  std::vector<std::string> run(const ir::Graph& graph) {
    for (const ir::Value* v : graph.inputs) note(v->type);
    for (const ir::State& s : graph.states) note(s.before->type);
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph& owner) {
      for (const ir::Value* v : owner.inputs) note(v->type);
      check(node);
    });
    return std::move(defects_);
  }

 private:
  template <class... Args>
  void report(const ir::Node& node, fmt::format_string<Args...> format, Args&&... args) {
    if (defects_.size() < max_defects)
      defects_.push_back(fmt::format("[{}] {}", describe(node), fmt::format(format, std::forward<Args>(args)...)));
  }

  void note(const ir::Type& type) {
    if (!type.shape) return;
    for (const ir::Dim& d : *type.shape)
      if (auto s = d.as_symbol()) symbols_.insert(*s);
  }

  void check(const ir::Node& node) {
    const bool is_supported = !node.op.starts_with(unsupported_prefix);
    const Op* op = find(node.op);
    if (is_supported && !op) report(node, "the op table has no such row");
    if (is_supported && op) {
      operands(node, *op);
      attributes(node, *op);
      const size_t regions = node.op == "if" ? 2 : node.op == "loop" ? 1 : 0;
      if (node.regions.size() != regions) report(node, "{} regions, {} are needed", node.regions.size(), regions);
    }
    if (const ir::Attr* bound = node.op == "bind" ? node.find("symbols") : nullptr)
      if (auto* names = std::get_if<Texts>(bound)) symbols_.insert(names->begin(), names->end());
    for (const ir::Value* v : node.outputs) note(v->type);
  }

  void operands(const ir::Node& node, const Op& op) {
    size_t needed = 0, most = 0;
    bool is_open = false;
    for (const Param& p : op.params) {
      if (!p.is_operand()) continue;
      if (p.kind == Param::Kind::operands) {
        is_open = true;
        continue;
      }
      const bool is_present = most < node.inputs.size() && node.inputs[most];
      if (p.kind != Param::Kind::optional_operand && !is_open) {
        needed = most + 1;
        if (!is_present) report(node, "operand {} is absent", p.name);
      }
      if (is_present && node.inputs[most]->type.sequence && p.kind != Param::Kind::sequence)
        report(node, "operand {} is a sequence", p.name);
      if (is_present && !node.inputs[most]->type.sequence && p.kind == Param::Kind::sequence)
        report(node, "operand {} is no sequence", p.name);
      ++most;
    }
    if (!is_open && node.inputs.size() > most) report(node, "{} operands, at most {} fit", node.inputs.size(), most);
    if (is_open)
      for (size_t i = needed; i < node.inputs.size(); ++i)
        if (!node.inputs[i] && i >= most) report(node, "operand {} is absent", i);
  }

  void attributes(const ir::Node& node, const Op& op) {
    for (const auto& [name, attr] : node.attrs) {
      const Param* p = op.find(name);
      if (!p || p->is_operand()) report(node, "there is no attribute {}", name);
      symbols_of(node, attr);
    }
    for (const Param& p : op.params) {
      if (p.is_operand()) continue;
      try {
        (void)attribute(node, p);
      } catch (const InternalError&) {
        report(node, "attribute {} is missing or of another kind", p.name);
      }
    }
  }

  void symbols_of(const ir::Node& node, const ir::Attr& attr) {
    auto look = [&](const ir::Dim& d) {
      d.visit_symbols([&](const std::string& s) {
        if (!symbols_.contains(s)) report(node, "nothing gives the symbol {} a value", s);
      });
    };
    if (auto* d = std::get_if<ir::Dim>(&attr)) look(*d);
    if (auto* list = std::get_if<ir::Dims>(&attr))
      for (const ir::Dim& d : *list) look(d);
  }

  std::vector<std::string> defects_;
  std::set<std::string> symbols_;
};

}  // namespace

std::vector<std::string> defects(const ir::Graph& graph) { return Verifier().run(graph); }

}  // namespace godwit::ops

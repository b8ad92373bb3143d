// One .pt2 program while it becomes a graph.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/pt2/pt2.h"
#include "frontends/aten/registry.h"
#include "frontends/pt2/sympy.h"

namespace godwit::frontends::pt2 {

using aten::TensorRef;
using aten::Value;
using aten::Values;
using formats::pt2::Argument;
using formats::pt2::Graph;
using formats::pt2::Node;

class Translation {
 public:
  Translation(ops::Builder& builder, std::string file) : session(builder), b(builder), file_(std::move(file)) {}

  // Runs a graph's nodes on its inputs; gives its outputs. Nested graphs see nothing of the outer names.
  Values run(const Graph& graph, const Values& inputs);

  // --- symbols ------------------------------------------------------------------------------------------------------
  void bind(const std::string& symbol, const ir::Dim& dim) { symbols_[symbol] = dim; }
  std::optional<ir::Dim> symbol(const std::string& name) const;
  // nullopt where a symbol is not bound yet.
  std::optional<ir::Dim> dim(const formats::pt2::SymInt& size) const;
  std::optional<ir::Type> type(const formats::pt2::TensorMeta& meta) const;

  aten::Session session;
  ops::Builder& b;

 private:
  // The names of one graph and the graph itself.
  struct Scope {
    const Graph& graph;
    std::map<std::string, Value> names;
    std::map<std::string, std::vector<int64_t>> levels;  // tensors inside vmap: see vmap.cpp
  };

  void run_node(const Node& node, Scope& scope);
  Values results_of(const Node& node, Scope& scope);
  std::optional<Values> translated(const Node& node, Scope& scope);
  bool is_blocked(const Node& node, const Scope& scope) const;
  Values unsupported(const Node& node, const Scope& scope, const std::string& name);
  void assign(const Node& node, const Argument& output, const Value& value, Scope& scope);
  void check_type(const Node& node, const std::string& name, const TensorRef& tensor, const Scope& scope);
  void expect_types(const Node& node, const Scope& scope);
  Value value_of(const Argument& argument, const Scope& scope) const;
  TensorRef tensor_named(const std::string& name, const Scope& scope) const;
  std::string describe(const Node& node) const;

  // higher_order.cpp
  std::optional<Values> higher_order(const Node& node, Scope& scope);
  Values inline_graph(const Node& node, Scope& scope, size_t graph_at);
  Values cond(const Node& node, Scope& scope);
  Values while_loop(const Node& node, Scope& scope);
  Values scan(const Node& node, Scope& scope, bool has_carried);
  const Graph& graph_operand(const Node& node, size_t i) const;
  Values list_operand(const Node& node, size_t i, const Scope& scope) const;
  std::vector<ir::Value*> read_all(const Values& values) const;

  // vmap.cpp
  using Levels = std::vector<int64_t>;
  // A tensor inside vmap with the levels whose axes the program does not see: its first ones, in this order.
  struct Hidden : aten::Opaque {
    ir::Value* value = nullptr;
    Levels levels;
  };
  static bool is_vmapped(const Node& node, const Scope& scope);
  Values vmapped(const Node& node, Scope& scope);
  Hidden hidden(const Node& node, const Scope& scope) const;
  Value with_levels(ir::Value* value, Levels levels);
  int64_t vmap_number(const Node& node, size_t operand, int64_t least, int64_t most) const;
  Value hide_axis(const Node& node, const Scope& scope);
  Value show_axis(const Node& node, const Scope& scope);
  Value expand_seen(const Node& node, const Scope& scope);
  Values mapped_operator(const Node& node, const Scope& scope);
  Value aligned(const Argument& argument, const Levels& levels, const Scope& scope);

  // scalar.cpp
  std::optional<Values> scalar(const Node& node, Scope& scope);

  std::map<std::string, ir::Dim> symbols_;
  std::string file_;
};

// A target as an operator's name and overload: "torch.ops.aten.add.Tensor" -> aten::add, Tensor.
std::optional<std::pair<std::string, std::string>> operator_of(const std::string& target);

// Arithmetic on numbers, known, symbolic or of the run: "add", "floordiv", "ge", "sym_max" ... nullopt: not known.
std::optional<Value> number_operator(aten::Session& session, const std::string& name, const Values& arguments);

}  // namespace godwit::frontends::pt2

// The run-time values of symbolic dimensions: of regions, of results of data-dependent shape, and of `bind`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "ops/op.h"

namespace godwit::executors {

class SymbolTable {
 public:
  explicit SymbolTable(const ir::Graph& graph);

  // The symbols of a region's parameters, which change from iteration to iteration.
  void rebind_input(const ir::Value& input, const ops::Datum& datum, ir::Dim::Env& env) const;
  // Binds the symbols that first occur in the node's outputs, and checks results against the inferred types.
  void bind_outputs(const ir::Node& node, const std::vector<ops::Datum>& results, ir::Dim::Env& env) const;

  // The same by the shapes of the results (none: a sequence); checks nothing.
  using Shapes = std::vector<std::optional<std::vector<int64_t>>>;
  void bind_shapes(const ir::Node& node, const Shapes& results, ir::Dim::Env& env) const;
  // Whether a size of the node's results is known only once it has run.
  bool defines(const ir::Node& node) const { return defined_by_.contains(&node); }

 private:
  struct Place {
    size_t output, axis;
    std::string symbol;
  };
  std::unordered_map<const ir::Node*, std::vector<Place>> defined_by_;
};

std::string describe_array(const mlx::core::array& array);  // "f32[2, 3]"

}  // namespace godwit::executors

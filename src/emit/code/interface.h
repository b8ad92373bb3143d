// What a list of nodes takes from around it and gives to what follows.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "emit/code/program.h"

namespace godwit::emit {

using Nodes = std::vector<const ir::Node*>;

struct Interface {
  std::vector<const ir::Value*> inputs;   // in order of first use; weights and constants left out
  std::vector<const ir::Value*> outputs;  // in order of definition
  bool closed = true;                     // no dimension that first appears inside is lost to what follows
};

// Knows who uses which value and symbol in a graph.
class Uses {
 public:
  explicit Uses(const ir::Graph& graph);

  Interface interface(const Nodes& nodes) const;
  // How many times the nodes, their regions included, read the value.
  static int count(const Nodes& nodes, const ir::Value* value);
  int total(const ir::Value* value) const;

 private:
  std::map<const ir::Value*, int> totals_;
  std::map<std::string, int> symbol_totals_;
  std::map<std::string, const ir::Value*> first_with_;  // the first value that has the symbol as a dimension
};

// Symbols in a node's attributes, without those of its regions.
std::vector<std::string> symbols_of(const ir::Node& node);

}  // namespace godwit::emit

// Checks that a graph is one: what every pass may rely on, whoever made the graph.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::ir {

// Every defect found, in words, the first 20 of them:
// - a value is read before it is made, or outside the region that makes it;
// - a value is made twice, or its producer is another node;
// - names of inputs, states or outputs are empty or occur twice; a weight is not declared under its own name;
// - a type has a negative dimension or a symbol that the text form cannot spell.
std::vector<std::string> defects(const Graph& graph);
// The same for all graphs, and: a weight that graphs declare is absent from the store, or of another type.
std::vector<std::string> defects(const Module& module);

// Throws InternalError with the defects; `after` says which step made the graph ("pass cse").
void verify(const Graph& graph, const std::string& after);

}  // namespace godwit::ir

// Fusion patterns as data: what to look for and what to put there, in the IR's own words.
//
//   %m = mean %x axes=$axes keepdims=true      %x binds a value, $axes binds an attribute
//   %d = subtract %x %m
//   %e = add %v $eps                           $eps as an operand binds a constant with one element
//   %h = multiply %e 0.5                       a number matches a constant with one element of that value (to 1e-6)
//   -> layer_norm %x _ _ axes_count=$count eps=$eps
//
// The last line before the arrow is the root. Values made inside may only be read inside. Operands of commutative
// ops match in either order. A hook may refuse a match or compute attributes that the replacement names.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "passes/rewrite.h"

namespace godwit::passes {

struct Match {
  std::map<std::string, ir::Value*> values;
  std::map<std::string, ir::Attr> attrs;

  ir::Value* value(const std::string& name) const { return values.at(name); }
  double number(const std::string& name) const { return std::get<double>(attrs.at(name)); }
};

struct Pattern {
  std::string_view name;
  std::string_view text;
  bool (*hook)(const ir::Module& module, Match& match) = nullptr;
};

// Tries every pattern at every node of the graph, in order, later nodes first seen after earlier ones were replaced.
bool apply_patterns(const std::vector<Pattern>& patterns, ir::Module& module, ir::Graph& root, ir::Graph& graph);

}  // namespace godwit::passes

// A module as a program to be written down: blocks with parameters and results, calls and loops over them.
//
// The module tree that sources record as scopes ("encoder.layers.0.attention") gives the structure: nodes of one
// scope that repeat, or that are too many for one function, become a block; consecutive calls of one block over an
// index become a loop. Blocks of equal structure are one block with several instances: they differ in weights only.
// No language is known here; the C++ and the Python writer render the same program.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::emit {

struct Block;

struct Statement {
  enum class Kind : uint8_t { node, call, repeat } kind = Kind::node;

  // node
  const ir::Node* node = nullptr;
  std::vector<std::vector<Statement>> regions;  // bodies, parallel to node->regions

  // call: one instance of a block; repeat: `count` instances, their scopes numbered from first_index on
  const Block* block = nullptr;
  std::vector<std::string> scope;  // of the instance; of a repeat: without the index
  int first_index = 0, count = 1;
  std::vector<const ir::Value*> arguments;  // of the first call
  std::vector<const ir::Value*> results;    // of the last call
  std::vector<std::string> symbols;         // dimensions handed over
  std::vector<int> carried;                 // repeat: for each parameter the result that feeds it, or -1
  std::vector<const ir::Node*> nodes;       // all nodes inside, as the source had them
};

struct Block {
  std::string name;  // "Layer"; of a root: the graph's name
  std::vector<std::string> scope;
  std::vector<const ir::Value*> parameters, results;  // of the first instance
  std::vector<std::string> symbols;                   // dimensions that no parameter tells
  std::vector<const ir::Value*> weights;              // its own, in order of first use; large constants included
  std::vector<Statement> body;
  bool mixed_shapes = false;  // instances differ in the shapes of parameters or results

  struct Instance {
    std::vector<std::string> scope;
    std::vector<const ir::Value*> weights;  // parallel to Block::weights
  };
  std::vector<Instance> instances;
};

struct Root {
  const ir::Graph* graph = nullptr;
  std::unique_ptr<Block> block;
};

struct Program {
  const ir::Module* module = nullptr;
  std::vector<std::unique_ptr<Block>> blocks;  // a block stands after those it calls
  std::vector<Root> roots;
  std::map<const ir::Value*, std::string> large_constants;  // kept in a file beside the code, under these names
};

// No block is called `class_name`. Throws UsageError when the module has unsupported ops.
Program outline(const ir::Module& module, const std::string& class_name = "Model");

// Constants of up to this many elements are written as literals.
inline constexpr int64_t literal_limit = 32;

bool is_constant(const ir::Value* value);
const Tensor& constant_value(const ir::Value* value);
bool is_weight(const Program& program, const ir::Value* value);  // or a large constant

std::vector<std::string> scope_parts(const std::string& scope);
std::string join(const std::vector<std::string>& parts, std::string_view separator = ".");

}  // namespace godwit::emit

// The IR: pure SSA values in graphs of nodes. One node is one op of the op table (ops/op.h).
//
// - Weights are values without a producer, named by their key in the module's weight store.
// - State (caches, recurrent buffers) is a pair of values: what a call reads and what it leaves behind.
// - If and Loop hold regions: graphs that may read any value made before the node, in any graph around it.
// - Every value knows its dtype and shape; a value of unknown type only occurs after an unsupported op.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/tensor.h"
#include "ir/dim.h"

namespace godwit::ir {

struct Type {
  DType dtype = DType::f32;
  std::optional<Shape> shape;  // unset: unknown, behind an unsupported op
  bool sequence = false;       // a list of such tensors (ONNX sequences; an optional is a list of at most one)
};

std::string str(const Type& type);  // "f32[B, 3]", "seq(f32[N])", "f32[?]"

struct Node;

struct Value {
  enum class Kind : uint8_t { node, input, weight, state };
  Kind kind = Kind::node;
  std::string name;  // inputs, weights, states: the source's name. Others: a hint, may be empty, need not be unique
  Type type;
  Node* producer = nullptr;
  // Elements of a small integer tensor where they are known as dimensions: shape arithmetic (set by inference).
  std::optional<Dims> content;

  const Shape& shape() const;  // throws InternalError where unknown
  int64_t rank() const { return static_cast<int64_t>(shape().size()); }
  DType dtype() const { return type.dtype; }
};

// Integers are always dimensions, so that every integer argument may be symbolic.
using Attr =
    std::variant<bool, Dim, double, std::string, DType, Dims, std::vector<double>, std::vector<std::string>, Tensor>;
using Attrs = std::map<std::string, Attr, std::less<>>;

struct Graph;

struct Node {
  std::string op;
  std::vector<Value*> inputs;  // null: an optional operand that is absent
  std::vector<Value*> outputs;
  Attrs attrs;
  std::vector<std::unique_ptr<Graph>> regions;
  std::string place;  // "stft.py:41" or the source node's name; for messages
  std::string scope;  // module path, "encoder.layers.0.attention"; for names in generated code

  Value* output(size_t i = 0) const { return outputs.at(i); }
  const Attr* find(std::string_view attr) const;
};

struct State {
  std::string name;
  Value* before = nullptr;        // kind state: what this call reads
  Value* after = nullptr;         // what the next call reads
  std::optional<Tensor> initial;  // unset: zeros of the declared shape
};

struct Graph {
  using Nodes = std::list<std::unique_ptr<Node>>;

  std::string name = "main";
  std::vector<Value*> inputs;
  std::vector<Value*> outputs;
  std::vector<std::string> output_names;  // parallel to outputs; empty in regions
  std::vector<State> states;
  Nodes nodes;
  std::map<std::string, Value*, std::less<>> weights;  // declared in the outermost graph only

  Graph() = default;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;

  Value* add_value(Value value);
  Value* add_input(std::string name, Type type);
  Value* add_state(std::string name, Type type, std::optional<Tensor> initial = std::nullopt);
  Value* weight(const std::string& name, const Type& type);  // the same value for the same name
  void add_output(std::string name, Value* value);
  // Becomes the owner of another graph's values, before its nodes move here.
  void adopt_values(Graph& other);

 private:
  std::deque<std::unique_ptr<Value>> values_;
};

// Named graphs and the tensors they refer to.
struct Module {
  std::map<std::string, Graph> graphs;
  std::map<std::string, Tensor> weights;
  std::map<std::string, std::string> metadata;  // "source", "format", ...

  Graph& main() { return graphs.at("main"); }
  const Graph& main() const { return graphs.at("main"); }
};

// Calls visit(node, graph) for every node, those of regions included, in execution order (a node before its regions).
void for_each_node(Graph& graph, const std::function<void(Node&, Graph&)>& visit);
void for_each_node(const Graph& graph, const std::function<void(const Node&, const Graph&)>& visit);
size_t node_count(const Graph& graph);

// Number of places that read each value: inputs of nodes, outputs and states of graphs, regions included.
std::map<const Value*, int> use_counts(const Graph& graph);

// Points every reader of a key at its mapped value, following chains.
void replace_uses(Graph& graph, const std::map<const Value*, Value*>& replacement);

// "conv1d (node encoder.conv1, model.py:41)": how messages name a node.
std::string describe(const Node& node);

}  // namespace godwit::ir

// Appends nodes to a graph, with types inferred as it goes. What frontends and architectures write with.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace godwit::ops {

class Builder {
 public:
  // `graph` is an outermost graph of the module: weights are declared there, also for its regions.
  Builder(ir::Module& module, ir::Graph& graph) : module_(module), root_(&graph), graph_(&graph) {}

  ir::Module& module() { return module_; }
  ir::Graph& graph() { return *graph_; }

  // Where the nodes that follow come from.
  void set_place(std::string place, std::string scope = "");

  // The node's first output, null where it has none. Throws UsageError (with op, place and shapes) when operands or
  // attributes do not fit.
  ir::Value* op(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs = {});
  // All outputs.
  std::vector<ir::Value*> ops(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs = {});

  // A constant: a `constant` node holding the tensor.
  ir::Value* constant(const Tensor& tensor);
  ir::Value* scalar(DType dtype, double value) { return constant(Tensor::scalar(dtype, value)); }
  ir::Value* ints(const std::vector<int64_t>& values) { return constant(Tensor::ints(values)); }
  // A tensor of the module's weight store.
  ir::Value* weight(const std::string& name, const Tensor& tensor);

  // Dimensions as an i64 tensor: [n] for a list, 0-d for one.
  ir::Value* dims(const ir::Dims& dims);
  ir::Value* dim(const ir::Dim& dim);
  // The elements of an integer tensor of known size as dimensions: its constant value, its inferred content, or
  // fresh symbols bound at run time by a `bind` node.
  ir::Dims read(ir::Value* value);
  ir::Dim read_one(ir::Value* value);

  ir::Value* cast(ir::Value* value, DType to);  // no node when it has that type already
  ir::Value* reshape(ir::Value* value, ir::Dims shape);

  // A node with regions (`if`, `loop`) whose output types the caller knows.
  std::vector<ir::Value*> region_op(std::string_view name, std::vector<ir::Value*> inputs, ir::Attrs attrs,
                                    std::vector<std::unique_ptr<ir::Graph>> regions, std::vector<ir::Type> outputs);
  // An op without a translator: outputs of the given (or unknown) types, reported together later.
  std::vector<ir::Value*> unsupported(std::string name, std::vector<ir::Value*> inputs, std::vector<ir::Type> outputs);

  // Writes into another graph (a region) while the guard lives.
  class Into {
   public:
    Into(Builder& builder, ir::Graph& graph) : builder_(builder), before_(builder.graph_) { builder.graph_ = &graph; }
    ~Into() { builder_.graph_ = before_; }
    Into(const Into&) = delete;

   private:
    Builder& builder_;
    ir::Graph* before_;
  };

 private:
  ir::Node& append(std::string_view op, std::vector<ir::Value*> inputs, ir::Attrs attrs);

  ir::Module& module_;
  ir::Graph* root_;
  ir::Graph* graph_;
  std::string place_, scope_;
};

// The tensor behind a `constant` node or a weight of the module; null for anything computed.
const Tensor* constant_of(const ir::Module& module, const ir::Value* value);

// Prefix of the op name of a node that has no row; the rest is the source's own name.
inline constexpr std::string_view unsupported_prefix = "unsupported.";

}  // namespace godwit::ops

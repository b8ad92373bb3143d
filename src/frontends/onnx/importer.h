// ONNX graphs to IR: names, scopes, functions, constants. The operators live in the families (registry.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/onnx/onnx.h"
#include "frontends/frontend.h"
#include "ops/builder.h"

namespace godwit::frontends::onnx {

namespace file = godwit::onnx;
class Call;
using ir::Value;
using Values = std::vector<Value*>;
using AttributeMap = std::map<std::string, const file::Attribute*, std::less<>>;

// Names visible at a place: those of a graph (or of a function's body) and, for a subgraph, of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  const file::Opsets* opsets = nullptr;
  const AttributeMap* arguments = nullptr;  // of the function being inlined; null outside of functions
  std::string prefix;                       // of the names of nodes and weights made here
  std::unordered_map<std::string, Value*> values;

  Value* find(const std::string& name) const;
};

class Importer {
 public:
  Importer(const file::Model& model, const ImportOptions& options, Imported& result);

  void run();

  ops::Builder& builder() { return builder_; }

  // The nodes of a subgraph into the builder's current graph; its outputs in order.
  // `arguments` are bound to the subgraph's inputs by position.
  Values inline_graph(const file::Graph& graph, const Scope& outer, const Values& arguments);

  // A tensor of the file: small integers and scalars as constants, the rest as weights.
  Value* tensor(const file::NamedTensor& tensor, const std::string& name);

  // What a value is, where that is known at import; null otherwise. Folds small pure computations.
  const Tensor* known(const Value* value);
  // The same as dimensions, where it is known or inferred.
  std::optional<ir::Dims> content(const Value* value);
  // Integers as dimensions: known, inferred, or symbols that the run binds.
  ir::Dims read(Value* value);

  // Sequences and optionals of known length: their elements.
  std::map<const Value*, Values> lists;
  struct Optional {
    bool of_sequence;
    std::optional<bool> present;  // unset: only the run tells
  };
  std::map<const Value*, Optional> optionals;
  // Marks a value that the file declares as optional.
  void note_type(const Value* value, const file::ValueType& type);

  // Values of a discarded region stay alive: they may be keys of what is known.
  void keep(std::unique_ptr<ir::Graph> region) { discarded_.push_back(std::move(region)); }

  // Symbols bound while a region is written are unknown outside of it.
  class Region {
   public:
    explicit Region(Importer& importer) : importer_(importer) { importer_.bound_.emplace_back(); }
    ~Region();
    Region(const Region&) = delete;

   private:
    Importer& importer_;
  };

  void warn(std::string text);

  // Thrown by translators of nodes with subgraphs whose results hang on something unsupported: there is nothing to
  // translate, and the regions are kept for the report.
  struct Blocked {
    std::vector<std::unique_ptr<ir::Graph>> regions;
  };

 private:
  friend class Call;

  void declare_input(const file::ValueInfo& info);
  ir::Type type_of(const file::ValueType& type, const std::string& name);
  void add_nodes(const std::vector<file::Node>& nodes, Scope& scope);
  void add_node(const file::Node& node, Scope& scope);
  Values call_function(const file::Function& function, const file::Node& node, const Values& inputs, Scope& scope);
  Values translate(const file::Node& node, const Values& inputs, Scope& scope);
  Blocked subgraphs_of(const Call& call);
  const file::Function* function_of(const file::Node& node) const;
  std::optional<Tensor> fold(const Value* value, int depth);
  const std::optional<Tensor>& fold_memo(const Value* value, int depth);

  const file::Model& model_;
  const ImportOptions& options_;
  Imported& result_;
  ops::Builder builder_;
  std::unordered_map<const Value*, std::optional<Tensor>> folded_;
  std::vector<std::vector<Value*>> bound_;    // values whose content a region's `bind` gave, per open region
  std::vector<const file::Function*> calls_;  // functions being inlined
  std::vector<std::unique_ptr<ir::Graph>> discarded_;
  std::set<std::string> warned_;
  int64_t nodes_ = 0;
};

// What comes out of something unsupported: nothing is known of it.
inline bool is_blocked(const Value* v) { return v && !v->type.shape && !v->type.sequence; }
bool is_any_blocked(const Values& values);

// A model that is already in memory.
Imported import_model(const file::Model& model, const ImportOptions& options = {});

}  // namespace godwit::frontends::onnx

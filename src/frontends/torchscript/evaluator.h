// A partial evaluator of TorchScript: runs the program with known constants, symbolic integers and graph tensors. What
// is known is computed now; what is not becomes nodes.
//
// Modules are inlined. Conditions that are known choose their branch, loops of known length unroll up to a limit; the
// rest becomes `if` and `loop` nodes (regions.cpp). Lists, dicts and objects are mutable boxes with identity.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "frontends/aten/context.h"
#include "frontends/torchscript/objects.h"
#include "frontends/torchscript/overloads.h"

namespace godwit::frontends::torchscript {

// The program raised: with known conditions this is the user's error, in a branch it is a check.
class Raised : public UsageError {
 public:
  using UsageError::UsageError;
};

// Something behind an unsupported operator was needed: the evaluation cannot go on.
class Blocked : public Error {
 public:
  using Error::Error;
};

class Evaluator {
 public:
  Evaluator(std::shared_ptr<script::Archive> archive, ops::Builder& builder);

  std::shared_ptr<ObjectBox> root() { return root_; }
  // Calls a method of an object.
  Value call_method(const std::shared_ptr<ObjectBox>& object, const std::string& method, Values arguments,
                    const Keywords& keywords = {});
  const script::Function* find_method(const ObjectBox& object, const std::string& method) const;

  // Attributes. `set` is what the program does; `override_attribute` replaces what the file says.
  Value get_attribute(const std::shared_ptr<ObjectBox>& object, const std::string& name);
  void set_attribute(const std::shared_ptr<ObjectBox>& object, const std::string& name, Value value);
  void override_attribute(const std::string& path, Value value);
  // Paths of attributes that were set, and what they hold now.
  struct Written {
    std::shared_ptr<ObjectBox> object;
    std::string name;
    Value before;           // the first write
    bool was_read = false;  // before it was written: what the last call left behind matters
  };
  const std::map<std::string, Written>& written() const { return written_; }
  // Tensors that attributes hold, as the call found them: to see which it wrote in place.
  struct Held {
    std::string path;
    aten::TensorRef ref;
    ir::Value* before;
    Tensor stored;  // where the file has it; no data for a state
  };
  const std::vector<Held>& held_tensors() const { return held_; }
  // The tensor that the file holds for an attribute; null when it is no tensor.
  const Tensor* pickled_tensor(const std::string& path) const;

  Value evaluate_default(const script::File& file, const script::Expr& expr);
  aten::Session& session() { return session_; }
  size_t source_nodes() const { return source_nodes_; }
  const script::Archive& archive() const { return *archive_; }

  // A tensor, number or truth value as one.
  std::optional<bool> known_truth(const Value& value) const;
  ir::Value* run_truth(const Value& value);  // bool, 0-d
  bool matches_type(const Value& value, const script::Expr& type) const;

  // --- for builtins
  // --------------------------------------------------------------------------------------------------- Before a list,
  // dict or attribute changes: so that branches of a run-time `if` can be taken back.
  void remember(const aten::List& list);
  void remember(const std::shared_ptr<DictBox>& dict);

 private:
  using Scope = std::map<std::string, Value, std::less<>>;
  struct Frame {
    const script::File* file = nullptr;
    Scope scope;
    std::string path;  // module path of self
  };
  struct Change {
    std::shared_ptr<ObjectBox> object;
    std::string attribute;
    Value before;
    aten::List list;
    Values list_before;
    std::shared_ptr<DictBox> dict;
    std::vector<std::pair<Value, Value>> dict_before;
  };
  class Deeper;

  // --- statements (evaluator.cpp) -----------------------------------------------------------------------------------
  std::optional<Value> run_block(const std::vector<script::Stmt>& block);
  std::optional<Value> run_statement(const script::Stmt& s);
  void assign(const script::Stmt& s);
  void assign_to(const script::Expr& target, Value value);
  std::optional<Value> run_if(const script::Stmt& s);
  void run_for(const script::Stmt& s);
  void run_while(const script::Stmt& s);
  void count_iteration(const script::Stmt& s);
  Value call_function(const script::File& file, const script::Function& function, Values arguments,
                      const Keywords& keywords, const std::string& path);

  // --- expressions (expressions.cpp) --------------------------------------------------------------------------------
  Value evaluate(const script::Expr& e);
  Value evaluate_number(const script::Expr& e) const;
  Value evaluate_attribute(const script::Expr& e);
  Value evaluate_subscript(const script::Expr& e);
  Value evaluate_call(const script::Expr& e);
  Values evaluate_items(const script::Expr& e, size_t from, Keywords* keywords);
  std::optional<Value> special_form(const std::string& name, const script::Expr& e);
  Value call_qualified(const std::string& name, const script::Expr& e);
  Value construct(const script::Definition& type, const std::string& name, Values arguments, const Keywords& keywords);
  std::optional<std::string> dotted(const script::Expr& e) const;
  Value subscript(const Value& base, const Value& index);

  // --- operators (calls.cpp) ----------------------------------------------------------------------------------------
  Value call_operator(const std::string& name, Values arguments, Keywords keywords);
  Value translate(const std::string& name, const Values& arguments, const Keywords& keywords);
  Value unsupported(const std::string& name, const Values& arguments, size_t results);
  void apply_version(const std::string& name, Values& arguments, Keywords& keywords);

  // --- binding (binding.cpp) ----------------------------------------------------------------------------------------
  Value bind(const formats::pickle::Node& node, const std::string& path, bool in_constants, int depth);
  Value bind_call(const formats::pickle::Node& node, const std::string& path, bool in_constants, int depth);
  Value bind_object(const formats::pickle::Node& node, const std::string& path, int depth);
  Value bind_tensor(const formats::pickle::Node& node, const std::string& path, bool in_constants);
  Value constant(size_t index);
  Value class_constant(const ObjectBox& object, const std::string& name, bool* found);

  // --- run-time control flow (regions.cpp) --------------------------------------------------------------------------
  void run_time_if(const script::Stmt& s, ir::Value* condition);
  void run_time_loop(const script::Stmt& s, const Value& count);  // None: a while loop
  struct Branch;
  void run_branch(const std::vector<script::Stmt>& block, Branch& branch);
  std::vector<Change> take_back(size_t from);
  void keep_merged(class Merger& merger, Branch& then, Branch& otherwise, const std::set<std::string>& names);

  Frame& frame() { return *frames_.back(); }
  void set_place(uint32_t offset);
  [[noreturn]] void fail(const std::string& why) const;

  std::shared_ptr<script::Archive> archive_;
  ops::Builder& builder_;
  aten::Session session_;
  std::shared_ptr<ObjectBox> root_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::map<const formats::pickle::Node*, Value> bound_;
  std::map<std::string, Tensor> pickled_tensors_;
  std::vector<Held> held_;
  std::map<std::string, Value> overrides_;
  std::map<std::string, Written> written_;
  std::set<std::string> read_;  // paths of attributes read before any write
  std::vector<Change> changes_;
  int open_regions_ = 0;
  int depth_ = 0;
  int64_t iterations_ = 0;
  size_t source_nodes_ = 0;
  std::string place_;
};

// Operators on numbers, texts, lists and dicts; nullopt where the arguments are for the tensor translators.
std::optional<Value> call_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments,
                                  const Keywords& keywords);
std::optional<Value> call_number_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments);
std::optional<Value> call_container_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments);
std::optional<Value> call_text_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments);
std::optional<Value> call_tensor_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments,
                                         const Keywords& keywords);
// A value as Python's str() shows it.
std::string text_of(const Value& value);

}  // namespace godwit::frontends::torchscript

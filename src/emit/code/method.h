// Writes the body of one block, statement by statement. The walk over names, dimensions and patterns is here; the
// languages derive from it and spell.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emit/code/names.h"
#include "emit/code/program.h"
#include "emit/code/spelling.h"
#include "ops/op.h"

namespace godwit::emit {

class MethodWriter {
 public:
  // `fields`: how the body refers to the block's weights, by parallel position. `depth` and `width` of the indent.
  MethodWriter(const Program& program, const Block& block, const std::vector<std::string>& fields,
               const Spelling& spelling, int depth, int width);
  virtual ~MethodWriter() = default;

  const std::string& text() const { return text_; }
  // How the value is written; what is asked for once counts as used.
  std::string value(const ir::Value* v);
  bool is_used(const ir::Value* v) const { return used_.count(v) > 0; }
  std::string dim(const ir::Dim& d);  // its symbols must have been declared
  void need(const std::vector<std::string>& symbols);
  void need(const ir::Shape& shape);
  const std::string& symbol_parameter(size_t i) const { return symbol_parameters_[i]; }

  void statements(const std::vector<Statement>& body);
  std::vector<std::string> values(const std::vector<const ir::Value*>& list);
  // What a value is to be called, should it get a name of its own.
  void prefer(const ir::Value* v, const std::string& name) { preferred_[v] = identifier(name); }
  std::string define_parameter(const ir::Value* v, const std::string& wanted);
  void line(const std::string& code);

 protected:
  // Spelling
  virtual std::string integer(int64_t value) const = 0;  // a size or an index
  virtual std::string absent() const = 0;
  virtual std::string size_of(const std::string& array, size_t axis) const = 0;
  virtual std::string binary(char op, const std::string& a, const std::string& b) const = 0;
  virtual std::string declare_symbol(const std::string& name, const std::string& source) const = 0;
  virtual const std::string& pattern(const ops::Op& op) const = 0;
  virtual std::string call(const ops::Op& op, const ir::Node& node, const std::vector<std::string>& arguments) = 0;
  // Statements
  virtual void node(const Statement& s) = 0;
  virtual void block_call(const Statement& s) = 0;
  virtual void block_loop(const Statement& s) = 0;
  virtual void branch(const Statement& s) = 0;
  virtual void loop(const Statement& s) = 0;
  virtual void bind(const Statement& s) = 0;
  virtual void check(const Statement& s) = 0;

  // The node as an expression: its row's pattern, or a call of the function of its name.
  std::string expression(const ir::Node& node);
  std::string name_for(const ir::Value* v, const ir::Node* node);  // either may be null
  std::string unique(const std::string& wanted) { return namer_.unique(wanted); }
  void set(const ir::Value* v, const std::string& code);  // v is written so from here on
  void set_symbol(const std::string& symbol, const std::string& source);
  void reserve(const std::string& name) { namer_.reserve(name); }

  // Names made inside live until the guard does.
  class Nested {
   public:
    explicit Nested(MethodWriter& w) : w_(w), sources_(w.symbol_sources_), symbols_(w.symbols_) { ++w_.depth_; }
    ~Nested() {
      w_.symbol_sources_ = std::move(sources_);
      w_.symbols_ = std::move(symbols_);
      --w_.depth_;
    }
    Nested(const Nested&) = delete;

   private:
    MethodWriter& w_;
    std::map<std::string, std::string> sources_, symbols_;
  };
  void rebind(const ir::Value* region_input, const std::string& code);  // its dimensions change from turn to turn

  const Program& program_;
  const Block& block_;
  const Spelling& spelling_;

 private:
  std::string argument(const ir::Node& node, const ops::Param& p, size_t& next, bool in_pattern);
  void count_scopes(const std::vector<Statement>& body);
  void note_sizes(const ir::Value* v, bool replace);

  std::string text_;
  int depth_, width_;
  Namer namer_;
  std::map<std::string, int> nodes_in_scope_;
  std::map<const ir::Value*, std::string> values_;
  std::set<const ir::Value*> used_;
  std::map<const ir::Value*, std::string> preferred_;
  std::map<std::string, std::string> symbol_sources_;  // symbol -> expression that tells it
  std::map<std::string, const ir::Value*> source_values_;
  std::map<std::string, std::string> symbols_;  // symbol -> declared identifier
  std::vector<std::string> symbol_parameters_;
};

}  // namespace godwit::emit

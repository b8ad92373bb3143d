// One block's body in Python.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "emit/code/method.h"
#include "emit/python/literals.h"

namespace godwit::emit {

class PythonMethod : public MethodWriter {
 public:
  // `functions` collects the names of the ops.py functions that the body calls.
  PythonMethod(const Program& program, const Block& block, const std::vector<std::string>& fields,
               const std::map<const Statement*, std::string>& members, std::set<std::string>& functions)
      : MethodWriter(program, block, fields, python, 2, 4), members_(members), functions_(functions) {}

 protected:
  std::string integer(int64_t value) const override;
  std::string absent() const override { return "None"; }
  std::string size_of(const std::string& array, size_t axis) const override;
  std::string binary(char op, const std::string& a, const std::string& b) const override;
  std::string declare_symbol(const std::string& name, const std::string& source) const override {
    return name + " = " + source;
  }
  const std::string& pattern(const ops::Op& op) const override { return op.python_pattern; }
  std::string call(const ops::Op& op, const ir::Node& node, const std::vector<std::string>& arguments) override;
  void node(const Statement& s) override;
  void block_call(const Statement& s) override;
  void block_loop(const Statement& s) override;
  void branch(const Statement& s) override;
  void loop(const Statement& s) override;
  void bind(const Statement& s) override;
  void check(const Statement& s) override;

 private:
  std::string subscript(const ir::Node& slice, const std::string& x);
  std::vector<std::string> call_arguments(const Statement& s);
  void turn(const Statement& s, const std::string& go);

  const std::map<const Statement*, std::string>& members_;
  std::set<std::string>& functions_;
};

}  // namespace godwit::emit

// One block's body in C++.
#pragma once

#include <string>
#include <vector>

#include "emit/code/method.h"
#include "emit/cpp/literals.h"

namespace godwit::emit {

class CppMethod : public MethodWriter {
 public:
  // `members`: for each called scope ("encoder.layers") the member that holds the block or the vector of blocks.
  CppMethod(const Program& program, const Block& block, const std::vector<std::string>& fields,
            const std::map<const Statement*, std::string>& members)
      : MethodWriter(program, block, fields, cpp, 1, 2), members_(members) {
    for (const auto& [statement, name] : members) reserve(name);
  }

  static std::string type_of(const ir::Value* v) { return v->type.sequence ? "Sequence" : "array"; }

 protected:
  std::string integer(int64_t value) const override { return cpp_int(value); }
  std::string absent() const override { return "std::nullopt"; }
  std::string size_of(const std::string& array, size_t axis) const override;
  std::string binary(char op, const std::string& a, const std::string& b) const override;
  std::string declare_symbol(const std::string& name, const std::string& source) const override;
  const std::string& pattern(const ops::Op& op) const override { return op.cpp_pattern; }
  std::string call(const ops::Op& op, const ir::Node& node, const std::vector<std::string>& arguments) override;
  void node(const Statement& s) override;
  void block_call(const Statement& s) override;
  void block_loop(const Statement& s) override;
  void branch(const Statement& s) override;
  void loop(const Statement& s) override;
  void bind(const Statement& s) override;
  void check(const Statement& s) override;

 private:
  std::vector<std::string> call_arguments(const Statement& s);
  void turn(const Statement& s, const std::string& go);
  std::string scan_result(const ir::Value* declared, const std::string& list);

  const std::map<const Statement*, std::string>& members_;
};

}  // namespace godwit::emit

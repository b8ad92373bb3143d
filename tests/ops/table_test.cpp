// The op table itself: names, signatures, defaults, code patterns.
#include <gtest/gtest.h>

#include <set>

#include "ops/op.h"

namespace godwit::ops {
namespace {

TEST(OpTable, RowsAreWhole) {
  std::set<std::string> names;
  for (const Op* op : all()) {
    SCOPED_TRACE(op->name);
    EXPECT_TRUE(names.insert(op->name).second);
    EXPECT_TRUE(op->infer != nullptr);
    EXPECT_TRUE(op->eval != nullptr);
    EXPECT_EQ(find(op->name), op);
    std::set<std::string> params;
    for (const Param& p : op->params) {
      EXPECT_TRUE(params.insert(p.name).second) << p.name;
      EXPECT_FALSE(p.name.empty());
      EXPECT_TRUE(!p.is_operand() || !p.fallback) << p.name << " is an operand with a default";
    }
  }
  EXPECT_GE(names.size(), 100u);
}

// Operands come before attributes, so that a node's inputs and a call's parameters have one order; an optional or
// variadic operand is followed by no required one.
TEST(OpTable, OperandsComeFirst) {
  for (const Op* op : all()) {
    SCOPED_TRACE(op->name);
    bool attributes = false, variadic = false;
    for (const Param& p : op->params) {
      EXPECT_FALSE(p.is_operand() && attributes) << p.name << " follows an attribute";
      EXPECT_FALSE(p.is_operand() && variadic) << p.name << " follows a variadic operand";
      attributes = attributes || !p.is_operand();
      variadic = variadic || p.kind == Param::Kind::operands;
    }
  }
}

// Patterns name parameters only.
TEST(OpTable, PatternsUseParameters) {
  for (const Op* op : all()) {
    for (const std::string& pattern : {op->cpp_pattern, op->python_pattern}) {
      for (size_t open = pattern.find('{'); open != std::string::npos; open = pattern.find('{', open + 1)) {
        const size_t close = pattern.find('}', open);
        ASSERT_NE(close, std::string::npos) << op->name << ": " << pattern;
        EXPECT_TRUE(op->find(pattern.substr(open + 1, close - open - 1))) << op->name << ": " << pattern;
      }
    }
  }
}

}  // namespace
}  // namespace godwit::ops

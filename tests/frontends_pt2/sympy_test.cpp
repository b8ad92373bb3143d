#include "frontends/pt2/sympy.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::frontends::pt2 {
namespace {

std::string parsed(const std::string& text) {
  auto d = parse_expression(text, [](const std::string& name) -> std::optional<ir::Dim> {
    if (name == "u9") return std::nullopt;
    return ir::Dim::symbol(name);
  });
  return d ? d->str() : "none";
}

TEST(Sympy, Expressions) {
  const std::string s = "Symbol('s10', positive=True, integer=True)";
  EXPECT_EQ(parsed(s), "s10");
  EXPECT_EQ(parsed("Integer(-3)"), "-3");
  EXPECT_EQ(parsed("Add(Mul(Integer(2), " + s + "), Integer(1))"), "2*s10 + 1");
  EXPECT_EQ(parsed("FloorDiv(" + s + ", Integer(2))"), "(s10)//(2)");
  EXPECT_EQ(parsed("Mod(" + s + ", Integer(4))"), mod(ir::Dim::symbol("s10"), ir::Dim(4)).str());
  EXPECT_EQ(parsed("Pow(" + s + ", Integer(2))"), (ir::Dim::symbol("s10") * ir::Dim::symbol("s10")).str());
  EXPECT_EQ(parsed("CeilToInt(IntTrueDiv(" + s + ", Integer(2)))"), ir::ceildiv(ir::Dim::symbol("s10"), 2).str());
  EXPECT_EQ(parsed("Max(Integer(1), " + s + ")"), max(ir::Dim(1), ir::Dim::symbol("s10")).str());
}

TEST(Sympy, WhatIsNoIntegerHasNoDimension) {
  EXPECT_EQ(parsed("Symbol('u9', integer=True)"), "none");
  EXPECT_EQ(parsed("Float('1.5', precision=53)"), "none");
  EXPECT_EQ(parsed("IntTrueDiv(Integer(3), Integer(2))"), "none");
  EXPECT_EQ(parsed("FloorDiv(Integer(3), Integer(0))"), "none");
}

TEST(Sympy, RefusesOtherText) {
  EXPECT_THROW(parsed(""), FileError);
  EXPECT_THROW(parsed("Add(Integer(1)"), FileError);
  EXPECT_THROW(parsed("Integer(99999999999999999999)"), FileError);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "Add(";
  EXPECT_THROW(parsed(deep), FileError);
}

TEST(Sympy, PlainSymbols) {
  EXPECT_EQ(plain_symbol("Symbol('s10', positive=True)"), "s10");
  EXPECT_EQ(plain_symbol("Add(Symbol('s10'), Integer(1))"), std::nullopt);
}

}  // namespace
}  // namespace godwit::frontends::pt2

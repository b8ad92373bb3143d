#include "frontends/input_value.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::frontends {
namespace {

ImportOptions::Input number(int64_t n) {
  return {.shape = ir::Shape{n}, .dtype = {}, .value = Tensor::of<int64_t>(DType::i64, {}, {n})};
}

TEST(GivenValue, TakesTheDeclaredType) {
  const auto flag = given_value(number(1), {DType::boolean, ir::Shape{}}, "flag");
  ASSERT_TRUE(flag);
  EXPECT_EQ(flag->dtype, DType::boolean);
  EXPECT_EQ(flag->integer(0), 1);
  EXPECT_EQ(given_value(number(3), {DType::f32, ir::Shape{}}, "x")->number(0), 3);
  EXPECT_EQ(given_value(number(3), {DType::i64, ir::Shape{}}, "x")->integer(0), 3);
}

TEST(GivenValue, ASingleNumberIsALengthWhereTheInputHasAnAxis) {
  EXPECT_FALSE(given_value(number(3), {DType::f32, ir::Shape{ir::Dim::symbol("n")}}, "x"));
  EXPECT_FALSE(given_value({.shape = ir::Shape{3}}, {DType::f32, ir::Shape{}}, "x"));
}

TEST(GivenValue, WhatTheTypeCannotHoldIsRefused) {
  EXPECT_THROW(given_value(number(300), {DType::u8, ir::Shape{}}, "x"), UsageError);
  EXPECT_THROW(given_value(number(2), {DType::boolean, ir::Shape{}}, "x"), UsageError);
  EXPECT_THROW(given_value({.value = Tensor::scalar(DType::f32, 1.5)}, {DType::i64, ir::Shape{}}, "x"), UsageError);
  EXPECT_THROW(given_value({.value = Tensor::ints({1, 2})}, {DType::i64, ir::Shape{}}, "x"), UsageError);
}

}  // namespace
}  // namespace godwit::frontends

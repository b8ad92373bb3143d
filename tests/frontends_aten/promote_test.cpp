#include "frontends/aten/promote.h"

#include <gtest/gtest.h>

namespace godwit::frontends::aten {
namespace {

TEST(Promote, Types) {
  EXPECT_EQ(promote_types(DType::u8, DType::i8), DType::i16);
  EXPECT_EQ(promote_types(DType::u8, DType::i32), DType::i32);
  EXPECT_EQ(promote_types(DType::f16, DType::bf16), DType::f32);
  EXPECT_EQ(promote_types(DType::i64, DType::f16), DType::f16);
  EXPECT_EQ(promote_types(DType::f64, DType::c64), DType::c128);
  EXPECT_EQ(promote_types(DType::boolean, DType::u8), DType::u8);
}

TEST(Promote, LaterPrioritiesOnlyCountInAHigherCategory) {
  Promotion half;  // f16[2] + f32[] + 1.5
  half.add_tensor(DType::f16, true);
  half.add_tensor(DType::f32, false);
  half.add_number(DType::f32);
  EXPECT_EQ(half.result(), DType::f16);
  Promotion ints;  // i32[2] + 1.5
  ints.add_tensor(DType::i32, true);
  ints.add_number(DType::f32);
  EXPECT_EQ(ints.result(), DType::f32);
  Promotion scalar;  // i8[] + 3
  scalar.add_tensor(DType::i8, false);
  scalar.add_number(DType::i64);
  EXPECT_EQ(scalar.result(), DType::i8);
}

}  // namespace
}  // namespace godwit::frontends::aten

// Shapes that exporters compute with ordinary ops, read back as dimensions.
#include <gtest/gtest.h>

#include <limits>

#include "ops/builder.h"
#include "ops/infer.h"

namespace godwit::ops {
namespace {

using ir::Dim;
using ir::Dims;
using ir::Value;

constexpr int64_t to_end = std::numeric_limits<int64_t>::max(), to_start = std::numeric_limits<int64_t>::min();

class Content : public testing::Test {
 protected:
  Content() {
    Dims shape;
    for (const char* name : {"B", "S", "H"}) shape.push_back(Dim::symbol(name));
    shape.push_back(8);
    x = b.graph().add_input("x", {DType::f32, shape});
    shape_of_x = b.op("shape", {x});
  }

  Value* slice(Value* v, Dim start, Dim stop, Dim step = 1) {
    return b.op("slice", {v},
                {{"axes", Dims{0}}, {"starts", Dims{start}}, {"stops", Dims{stop}}, {"steps", Dims{step}}});
  }
  Value* take(int64_t i) {
    return b.op("take", {shape_of_x, b.constant(Tensor::scalar(DType::i64, static_cast<double>(i)))});
  }
  Value* number(int64_t v) { return b.constant(Tensor::of<int64_t>(DType::i64, {}, {v})); }
  static std::string text(const Value* v) { return v->content ? ir::str(*v->content) : "unknown"; }

  ir::Module module;
  Builder b{module, module.graphs["main"]};
  Value *x = nullptr, *shape_of_x = nullptr;
};

TEST_F(Content, Slices) {
  EXPECT_EQ(text(slice(shape_of_x, -2, to_end)), "[H, 8]");
  EXPECT_EQ(text(slice(shape_of_x, to_end, to_start, -1)), "[8, H, S, B]");
  EXPECT_EQ(text(slice(shape_of_x, -1, -4, -2)), "[8, S]");
  EXPECT_EQ(text(slice(shape_of_x, -99, 2)), "[B, S]");
  EXPECT_EQ(text(slice(shape_of_x, 3, 1)), "[]");
  EXPECT_EQ(text(slice(shape_of_x, Dim::symbol("B"), to_end)), "unknown");
  EXPECT_EQ(text(b.op("slice_update", {shape_of_x, b.ints({5})},
                      {{"axes", Dims{0}}, {"starts", Dims{-1}}, {"stops", Dims{to_end}}})),
            "[B, S, H, 5]");
}

TEST_F(Content, PartsAndJoins) {
  auto parts = b.ops("split", {shape_of_x}, {{"sizes", Dims{1, 3}}, {"axis", Dim(0)}});
  EXPECT_EQ(text(parts[0]), "[B]");
  EXPECT_EQ(text(parts[1]), "[S, H, 8]");
  EXPECT_EQ(text(b.op("concat", {parts[1], b.ints({-1})}, {{"axis", Dim(0)}})), "[S, H, 8, -1]");
  EXPECT_EQ(text(b.op("flip", {shape_of_x}, {{"axes", Dims{0}}})), "[8, H, S, B]");
  EXPECT_EQ(text(take(-3)), "[S]");
  EXPECT_EQ(text(b.op("broadcast", {take(0)}, {{"shape", Dims{3}}})), "[B, B, B]");
}

TEST_F(Content, Arithmetic) {
  EXPECT_EQ(text(b.op("maximum", {take(1), number(1)})), "[max(1, S)]");
  EXPECT_EQ(text(b.op("minimum", {take(3), number(20)})), "[8]");
  EXPECT_EQ(text(b.op("divide", {take(1), number(2)})), "[(S)//(2)]");
  EXPECT_EQ(text(b.op("divide", {b.op("multiply", {take(1), number(-4)}), number(2)})), "[-2*S]");
  EXPECT_EQ(text(b.op("floor_divide", {b.op("subtract", {take(1), number(3)}), number(2)})), "[(S + 1)//(2) - 2]");
  EXPECT_EQ(text(b.op("divide", {number(-7), number(2)})), "[-3]");
  EXPECT_EQ(text(b.op("floor_divide", {number(-7), number(2)})), "[-4]");
  EXPECT_EQ(text(b.op("remainder", {take(0), number(0)})), "unknown");
  EXPECT_EQ(text(b.op("product", {shape_of_x}, {{"axes", Dims{0}}})), ir::str(Dims{ir::product(x->shape())}));
  EXPECT_EQ(text(b.op("sum", {shape_of_x}, {{"axes", Dims{0}}})), "[B + H + S + 8]");
  // Below zero rounding towards zero is rounding up.
  const Value* signed_quotients[] = {b.op("divide", {b.op("subtract", {take(1), number(3)}), number(2)}),
                                     b.op("divide", {b.op("subtract", {number(3), take(1)}), number(-2)})};
  for (const Value* quotient : signed_quotients)
    for (int64_t s : {0, 1, 2, 3, 4, 5, 8}) EXPECT_EQ(quotient->content->at(0).eval({{"S", s}}), (s - 3) / 2) << s;
  // -((-S) // 2) is S / 2 rounded up.
  Value* up = b.op("negative", {b.op("floor_divide", {b.op("negative", {take(1)}), number(2)})});
  for (int64_t s : {0, 1, 2, 7, 8}) EXPECT_EQ(up->content->at(0).eval({{"S", s}}), (s + 1) / 2);
}

TEST_F(Content, RealsRoundedBack) {
  auto real = [&](double v) { return b.scalar(DType::f32, v); };
  Value* s = b.cast(take(1), DType::f32);
  EXPECT_EQ(text(b.cast(b.op("floor", {b.op("multiply", {s, real(2)})}), DType::i64)), "[2*S]");
  EXPECT_EQ(text(b.cast(b.op("floor", {b.op("divide", {s, real(4)})}), DType::i64)), "[(S)//(4)]");
  Value* up = b.cast(b.op("ceil", {b.op("multiply", {s, real(0.5)})}), DType::i64);
  for (int64_t n : {1, 2, 9}) EXPECT_EQ(up->content->at(0).eval({{"S", n}}), (n + 1) / 2);
  EXPECT_EQ(text(b.cast(b.op("divide", {s, real(2)}), DType::i64)), "[(S)//(2)]");  // a cast rounds towards zero
  EXPECT_EQ(text(b.cast(b.op("multiply", {s, real(0.3)}), DType::i64)), "unknown");
  EXPECT_EQ(text(b.cast(b.op("exp", {s}), DType::i64)), "unknown");
}

TEST_F(Content, Choices) {
  Value* minus = b.ints({-1, -1, -1, -1});
  auto choose = [&](const char* op, Value* left, Value* right, Value* yes, Value* no) {
    return text(b.op("where", {b.op(op, {left, right}), yes, no}));
  };
  EXPECT_EQ(choose("equal", shape_of_x, minus, b.ints({7, 7, 7, 7}), shape_of_x), "[B, S, H, 8]");
  EXPECT_EQ(choose("equal", b.ints({-1}), b.ints({-1}), take(0), take(1)), "[B]");
  EXPECT_EQ(choose("less", take(0), number(0), number(1), take(0)), "[B]");
  EXPECT_EQ(choose("equal", take(0), number(1), take(0), take(1)), "unknown");
  EXPECT_EQ(choose("equal", take(0), number(1), take(2), take(2)), "[H]");  // either way
  EXPECT_EQ(choose("greater", b.op("add", {take(0), number(1)}), number(0), take(0), take(1)), "[B]");
  // What a run reads from a tensor may be negative.
  Value* read = b.graph().add_input("n", {DType::i64, ir::Shape{}});
  b.read(read);
  EXPECT_EQ(choose("less", read, number(0), number(1), read), "unknown");
}

TEST_F(Content, Counting) {
  EXPECT_EQ(text(b.op("arange", {}, {{"start", Dim(3)}, {"step", Dim(-1)}, {"count", Dim(3)}, {"dtype", DType::i64}})),
            "[3, 2, 1]");
  Value* all = b.op("range", {number(0), take(1), number(1)});
  EXPECT_EQ(ir::str(all->type), "i64[S]");
  EXPECT_EQ(text(b.op("range", {number(2), number(9), number(3)})), "[2, 5, 8]");
  EXPECT_EQ(ir::str(b.op("range", {number(9), number(2), number(3)})->type), "i64[0]");
  Value* inner = b.op("range", {number(2), take(1), number(1)});
  for (int64_t s : {0, 1, 2, 5}) EXPECT_EQ(inner->shape()[0].eval({{"S", s}}), std::max<int64_t>(s - 2, 0));
  Value* down = b.op("range", {take(1), number(0), number(-2)});
  for (int64_t s : {0, 1, 4, 5}) EXPECT_EQ(down->shape()[0].eval({{"S", s}}), (s + 1) / 2);
}

// A reshape whose target is computed at run time: neither -1 nor a huge number may end up as a dimension.
TEST_F(Content, RunTimeTargets) {
  Value* target = b.graph().add_input("target", {DType::i64, ir::Shape{2}});
  Value* y = b.op("reshape", {x}, {{"shape", b.read(target)}});
  ASSERT_EQ(y->rank(), 2);
  for (const Dim& d : y->shape()) EXPECT_FALSE(InferContext::is_read(*d.as_symbol()));
  Value* part = b.op("slice", {x}, {{"axes", Dims{0}}, {"starts", Dims{0}}, {"stops", Dims{b.read(target)[0]}}});
  EXPECT_FALSE(InferContext::is_read(*part->shape()[0].as_symbol()));
  EXPECT_EQ(ir::str(b.op("reshape", {x}, {{"shape", Dims{Dim::symbol("H"), -1, Dim::symbol("B")}}})->type),
            "f32[H, 8*S, B]");
}

}  // namespace
}  // namespace godwit::ops

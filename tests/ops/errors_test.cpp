// What the general rows refuse. Everything here may come from a hostile file: no crash, no foreign memory.
#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/create.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/linalg.h"
#include "ops/movement.h"
#include "ops/reduce.h"
#include "ops/sequence.h"

namespace godwit::ops {
namespace {

namespace mx = mlx::core;

// The message of building `op` over inputs of the given types; empty where it is accepted.
std::string refusal(const std::string& op, const std::vector<std::string>& inputs,
                    const std::map<std::string, std::string>& attrs = {}) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  Builder b(module, graph);
  b.set_place("model.py:41", "encoder.head");
  std::vector<ir::Value*> values;
  for (const std::string& text : inputs) {
    const size_t bracket = text.find('[');
    values.push_back(graph.add_input(
        "x", {*parse_dtype(text.substr(0, bracket)), std::get<ir::Dims>(ir::parse_attr(text.substr(bracket)))}));
  }
  ir::Attrs parsed;
  for (const auto& [key, value] : attrs) parsed.emplace(key, ir::parse_attr(value));
  try {
    b.ops(op, values, parsed);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Errors, NameOpShapesAndPlace) {
  EXPECT_EQ(
      refusal("add", {"f32[2, 3]", "f32[4]"}),
      "[add] shapes [2, 3] and [4] do not broadcast; operands: f32[2, 3], f32[4] (node encoder.head, model.py:41)");
  EXPECT_EQ(refusal("linear", {"f32[2, 3]", "f32[5, 4]"}),
            "[linear] weight [5, 4] expects 4 features, the input has 3; operands: f32[2, 3], f32[5, 4] (node "
            "encoder.head, model.py:41)");
}

TEST(Errors, Types) {
  EXPECT_NE(refusal("add", {"f32[2]", "f16[2]"}), "");
  EXPECT_NE(refusal("exp", {"i64[2]"}), "");
  EXPECT_NE(refusal("logical_and", {"f32[2]", "f32[2]"}), "");
  EXPECT_NE(refusal("bitwise_and", {"f32[2]", "f32[2]"}), "");
  EXPECT_NE(refusal("where", {"f32[2]", "f32[2]", "f32[2]"}), "");
  EXPECT_NE(refusal("take", {"f32[2]", "f32[2]"}), "");
  EXPECT_NE(refusal("real", {"f32[2]"}), "");
  EXPECT_NE(refusal("cast", {"f32[2]"}, {{"from", "i64"}, {"to", "f32"}}), "");
  EXPECT_NE(refusal("check", {"i64[]"}, {{"message", "\"m\""}}), "");
  EXPECT_EQ(refusal("check", {"bool[]"}, {{"message", "\"m\""}}), "");
}

TEST(Errors, Shapes) {
  EXPECT_NE(refusal("reshape", {"f32[2, 3]"}, {{"shape", "[-1, -1]"}}), "");
  EXPECT_NE(refusal("reshape", {"f32[2, 3]"}, {{"shape", "[4, -1]"}}), "");
  EXPECT_NE(refusal("reshape", {"f32[2, 3]"}, {{"shape", "[7]"}}), "");
  EXPECT_NE(refusal("transpose", {"f32[2, 3]"}, {{"axes", "[0, 0]"}}), "");
  EXPECT_NE(refusal("squeeze", {"f32[2, 3]"}, {{"axes", "[0]"}}), "");
  EXPECT_NE(refusal("concat", {"f32[2, 3]", "f32[2, 4]"}, {{"axis", "0"}}), "");
  EXPECT_NE(refusal("split", {"f32[5]"}, {{"sizes", "[2, 2]"}, {"axis", "0"}}), "");
  EXPECT_NE(refusal("slice", {"f32[5]"}, {{"axes", "[0]"}, {"starts", "[0]"}, {"stops", "[1]"}, {"steps", "[0]"}}), "");
  EXPECT_NE(refusal("pad", {"f32[5]"}, {{"low", "[-3]"}, {"high", "[-3]"}}), "");
  EXPECT_NE(refusal("matmul", {"f32[2, 3]", "f32[2, 3]"}), "");
  EXPECT_NE(refusal("topk", {"f32[3]"}, {{"k", "4"}}), "");
  EXPECT_NE(refusal("sum", {"f32[3]"}, {{"axes", "[1]"}}), "");
  EXPECT_NE(refusal("einsum", {"f32[2, 3]", "f32[2, 3]"}, {{"equation", "\"ij,jk\""}}), "");
  EXPECT_NE(refusal("einsum", {"f32[2, 3]"}, {{"equation", "\"i]\""}}), "");
  EXPECT_NE(refusal("scatter_nd", {"f32[2, 3]", "i64[1, 3]", "f32[1]"}), "");
}

// Indices that leave their axis stop at its ends.
TEST(Safety, IndicesStayInside) {
  array x({1.0f, 2.0f, 3.0f}), far = array({int64_t{99}, int64_t{-99}, int64_t{1} << 40});
  EXPECT_TRUE(mx::array_equal(ops::take(x, far, 0), array({3.0f, 1.0f, 3.0f})).item<bool>());
  EXPECT_TRUE(mx::array_equal(ops::take_along(x, far, 0), array({3.0f, 1.0f, 3.0f})).item<bool>());
  array placed = ops::scatter(x, far, array({7.0f, 8.0f, 9.0f}), 0, "none");
  EXPECT_TRUE(mx::array_equal(placed, array({8.0f, 2.0f, 9.0f})).item<bool>());
  EXPECT_THROW(ops::take(mx::zeros({0, 2}), far, 0), UsageError);
  EXPECT_THROW(ops::as_strided(x, {2, 2}, {2, 1}, 1), UsageError);
  EXPECT_THROW(ops::as_strided(x, {2}, {-1}, 0), UsageError);
}

TEST(Safety, SizesAreBounded) {
  EXPECT_THROW(ops::full(array(1.0f), {1 << 30, 1 << 30}), Error);
  EXPECT_THROW(ops::full(array(1.0f), {-1}), Error);
  EXPECT_THROW(ops::range(array(0.0f), array(1e30f), array(1.0f)), UsageError);
  EXPECT_THROW(ops::range(array(0), array(5), array(0)), UsageError);
  EXPECT_THROW(ops::reshape(array({1.0f, 2.0f}), {-1, 0}, false), UsageError);
  EXPECT_THROW(ops::argmax(mx::zeros({0}), 0, false, false), UsageError);
}

// The processor traps on these divisions.
TEST(Safety, IntegerDivision) {
  for (mx::Dtype type : {mx::int8, mx::int32, mx::int64}) {
    array smallest = mx::left_shift(array(1, type), array(static_cast<int>(8 * type.size()) - 1, type));
    array x = mx::stack({smallest, smallest, array(5, type)}),
          y = mx::stack({array(-1, type), array(0, type), array(0, type)});
    for (auto f : {&ops::floor_divide, &ops::trunc_divide, &ops::remainder, &ops::fmod}) {
      array z = f(x, y);
      z.eval();
      EXPECT_EQ(z.size(), 3u);
    }
    EXPECT_EQ(mx::astype(mx::take(ops::remainder(x, y), 0, 0), mx::int64).item<int64_t>(), 0);
  }
}

// Sums and products beyond what a double holds.
TEST(Exactness, Int64) {
  const int64_t odd = (int64_t{1} << 53) + 1;
  array x = array({odd, int64_t{2}, int64_t{-5}});
  EXPECT_EQ(ops::sum(x, {0}, false).item<int64_t>(), odd - 3);
  EXPECT_EQ(ops::matmul(x, array({int64_t{1}, int64_t{1}, int64_t{1}})).item<int64_t>(), odd - 3);
  EXPECT_EQ(ops::max(x, {0}, false).item<int64_t>(), odd);
  EXPECT_EQ(ops::power(array(int64_t{3}), array(int64_t{39})).item<int64_t>(), 4052555153018976267);
  EXPECT_EQ(mx::take(ops::cumsum(x, 0, false, false), 2, 0).item<int64_t>(), odd - 3);
  EXPECT_EQ(ops::arange(1 << 30, 1 << 30, 3, DType::i64).size(), 3u);
  array last = mx::take(ops::arange(1 << 30, 1 << 30, 3, DType::i64), 2, 0);
  EXPECT_EQ(last.item<int64_t>(), int64_t{3} << 30);
}

TEST(Sequences, InsertEraseSplit) {
  auto at = [](int64_t i) { return array(i, mx::int64); };
  auto value = [&](const Sequence& s, int64_t i) { return ops::sequence_at(s, at(i)).item<float>(); };
  Sequence s = ops::sequence({array(1.0f), array(2.0f)});
  EXPECT_EQ(value(ops::sequence_insert(s, array(9.0f), std::nullopt), 2), 9.0f);
  EXPECT_EQ(value(ops::sequence_insert(s, array(9.0f), at(-1)), 1), 9.0f);
  EXPECT_EQ(value(ops::sequence_insert(s, array(9.0f), at(0)), 0), 9.0f);
  EXPECT_EQ(value(ops::sequence_erase(s, at(-2)), 0), 2.0f);
  EXPECT_EQ(value(ops::sequence_erase(s, std::nullopt), -1), 1.0f);
  EXPECT_EQ(ops::sequence_length(s).item<int64_t>(), 2);
  EXPECT_THROW(ops::sequence_at(s, at(2)), UsageError);
  EXPECT_THROW(ops::sequence_insert(s, array(9.0f), at(-3)), UsageError);
  EXPECT_THROW(ops::sequence_concat(ops::sequence({}), 0, false), UsageError);
  Sequence parts = ops::sequence_split(mx::reshape(mx::arange(0, 6), {3, 2}), 0, {1, 2});
  EXPECT_EQ(parts.items.at(1).shape(), (mx::Shape{2, 2}));
  EXPECT_EQ(ops::sequence_concat(parts, 0, false).shape(), (mx::Shape{3, 2}));
  EXPECT_EQ(ops::sequence_concat(s, 0, true).shape(), (mx::Shape{2}));
}

// Elements that differ in a dimension: each one taken has a symbol of its own.
TEST(Sequences, Types) {
  ir::Module module;
  Builder b(module, module.graphs["main"]);
  ir::Value* x = b.graph().add_input("x", {DType::f32, ir::Shape{7, 2}});
  ir::Value* seq = b.op("sequence_split", {x}, {{"axis", ir::Dim(0)}, {"sizes", ir::Dims{3, 4}}});
  ASSERT_TRUE(seq->type.sequence);
  ir::Value* first = b.op("sequence_at", {seq, b.scalar(DType::i64, 0)});
  ir::Value* second = b.op("sequence_at", {seq, b.scalar(DType::i64, 1)});
  EXPECT_FALSE(first->type.sequence);
  EXPECT_NE(first->shape()[0], second->shape()[0]);
  EXPECT_TRUE(first->shape()[1].is(2));
  ir::Value* grown = b.op("sequence_insert", {b.op("sequence", {}), b.scalar(DType::i64, 1)});
  EXPECT_EQ(grown->dtype(), DType::i64);
}

}  // namespace
}  // namespace godwit::ops

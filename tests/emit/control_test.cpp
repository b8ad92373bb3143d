// Branches, loops, reads of sizes, state and large constants in generated code.
#include <gtest/gtest.h>

#include "base/error.h"
#include "emit/code/program.h"
#include "emit/generated.h"
#include "ir/text.h"
#include "ops/builder.h"

namespace godwit::emit {
namespace {

void expect_same_numbers(const std::string& name, const ir::Module& module, const std::map<std::string, int64_t>& sizes,
                         int steps = 0) {
  const auto dir = testing::package_folder(name, module, sizes, steps);
  const Options options{.class_name = name, .golden_steps = steps};
  write_cpp(module, dir / "cpp", options);
  write_python(module, dir / "python", options);
  const testing::Run cpp = testing::build_and_test_cpp(dir);
  EXPECT_EQ(cpp.status, 0) << cpp.output;
  EXPECT_NE(cpp.output.find("largest error"), std::string::npos) << cpp.output;
  if (!testing::has_python_mlx())
    GTEST_SKIP() << "no Python with mlx: the Python half is not run (GODWIT_PYTHON names one)";
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
}

TEST(GeneratedControl, BranchesLoopsReadsAndSizesOfResults) {
  ir::Module module;
  module.graphs["main"] = ir::parse_graph(R"(
graph main(x: f32[B, 4], n: i64[], flag: bool[], rows: f32[T, 4], mask: bool[T]) -> (branch = %6, carried = %20, scanned = %22, picked = %25, swapped = %41, places = %61, found = %64, flat = %65)
  %5 = constant value=f32[]{2}  : f32[]
  %6 = if %flag  : f32[B, 4] {
    %7 = multiply %x, %5  : f32[B, 4]
    yield %7
  } {
    %8 = reshape %x shape=[4, B]  : f32[4, B]
    %9 = transpose %8 axes=[1, 0]  : f32[B, 4]
    yield %9
  }
  %10 = constant value=i64[]{5}  : i64[]
  %11 = constant value=bool[]{1}  : bool[]
  %20, %21, %22 = loop %10, %11, %x, %5 carried=2  : f32[B, 4], f32[], f32[S, B, 4] {
    (%30: i64[], %31: f32[B, 4], %32: f32[])
    %33 = add %31, %32  : f32[B, 4]
    %34 = cast %30 from=i64 to=f32  : f32[]
    %35 = add %32, %34  : f32[]
    %36 = constant value=f32[]{6}  : f32[]
    %37 = less %35, %36  : bool[]
    yield %37, %33, %35, %31
  }
  %40, %41 = loop %n, _, %x, %20 carried=2  : f32[B, 4], f32[B, 4] {
    (%50: i64[], %51: f32[B, 4], %52: f32[B, 4])
    %53 = constant value=bool[]{1}  : bool[]
    yield %53, %52, %51
  }
  bind %n symbols=["k"]
  %23 = add %n, %10  : i64[]
  %24 = less %n, %23  : bool[]
  check %24 message="n is \"large\""
  %25 = slice %x axes=[1] starts=[k] stops=[3]  : f32[B, u7]
  %61 = nonzero %mask  : i64[u1, 1]
  %62 = reshape %61 shape=[u1]  : i64[u1]
  %63 = take %rows, %62  : f32[u1, 4]
  %64 = reshape %63 shape=[2*u1, 2]  : f32[2*u1, 2]
  %65 = reshape %rows shape=[(4*T)//2, 2]  : f32[(4*T)//2, 2]
end
)");
  expect_same_numbers("Control", module, {{"B", 3}, {"T", 6}});
}

TEST(GeneratedControl, StateAndLargeConstants) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  std::vector<float> table(48), start(4);
  for (size_t i = 0; i < table.size(); ++i) table[i] = 0.01f * static_cast<float>(i);
  for (size_t i = 0; i < start.size(); ++i) start[i] = static_cast<float>(i) - 1.5f;
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 12}});
  ir::Value* sum = graph.add_state("sum", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 4}});
  ir::Value* shift = graph.add_state("shift", {DType::f32, ir::Shape{4}}, Tensor::of(DType::f32, {4}, start));
  ir::Value* y = b.op("matmul", {x, b.constant(Tensor::of(DType::f32, {12, 4}, table))});
  ir::Value* next = b.op("add", {sum, y});
  graph.states[0].after = next;
  graph.states[1].after = b.op("negative", {shift});
  graph.add_output("y", b.op("add", {next, shift}));
  expect_same_numbers("State", module, {{"B", 2}}, 3);
}

TEST(GeneratedControl, WritingTwiceGivesTheSameText) {
  ir::Module module;
  module.graphs["main"] =
      ir::parse_graph("graph main(x: f32[B, 4]) -> (y = %1)\n  %1 = softmax %x axis=1  : f32[B, 4]\nend\n");
  const std::filesystem::path dir = std::filesystem::path(GODWIT_WORK) / "twice";
  for (const Emitter& e : emitters) {
    if (e.name == "mlxfn") continue;  // a binary format of MLX's
    e.write(module, dir / "a" / e.name, {});
    e.write(module, dir / "b" / e.name, {});
  }
  const testing::Run same = testing::run("diff -r " + (dir / "a").string() + " " + (dir / "b").string());
  EXPECT_EQ(same.status, 0) << same.output;
}

}  // namespace
}  // namespace godwit::emit

// Long sums of products in stock MLX, whose wheels add them on a CPU one after the other: what was written keeps digits
// that one chain would lose (5e-6 to 1e-5 of the scale here).
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "emit/generated.h"
#include "ops/builder.h"

namespace godwit::emit {
namespace {

constexpr double tolerance = 2e-6;

Tensor noise(const std::vector<int64_t>& shape) {
  static std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::zeros(DType::f32, shape);
  std::vector<float> values(static_cast<size_t>(t.size()));
  for (float& v : values) v = normal(generator);
  return Tensor::of(DType::f32, shape, values);
}

ir::Module long_sums() {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  const auto input = [&](const char* name, std::vector<int64_t> shape) {
    return graph.add_input(name, {DType::f32, ir::dims(shape)});
  };
  const ir::Dims one{1}, none{0};
  ir::Value *rows = input("rows", {8, 40000}), *sound = input("sound", {1, 640, 90});
  graph.add_output("linear", b.op("linear", {rows, b.weight("linear.weight", noise({16, 40000}))}));
  graph.add_output("matmul", b.op("matmul", {rows, b.weight("matmul.weight", noise({40000}))}));
  graph.add_output("conv", b.op("conv", {sound, b.weight("conv.weight", noise({16, 640, 64}))},
                                {{"stride", one}, {"low", ir::Dims{3}}, {"high", none}, {"dilation", one}}));
  ir::Value* wide = input("wide", {1, 40000, 5});
  graph.add_output(
      "conv_transpose",
      b.op("conv_transpose", {wide, b.weight("up.weight", noise({40000, 3, 2}))},
           {{"stride", ir::Dims{2}}, {"low", none}, {"high", none}, {"output_padding", none}, {"dilation", one}}));
  return module;
}

TEST(LongSums, KeepTheirDigitsInStockMlx) {
  if (!testing::has_python_mlx()) GTEST_SKIP() << "no Python with mlx (GODWIT_PYTHON names one)";
  const ir::Module module = long_sums();
  const auto dir = testing::package_folder("long_sums", module);
  write_python(module, dir / "python", {.tolerance = tolerance});
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
  write_mlxfn(module, dir, {.tolerance = tolerance});
  std::ofstream(dir / "check.py") << "import sys\nimport mlx.core as mx\n"
                                     "sys.path.insert(0, sys.argv[1] + '/python')\n"
                                     "from test_model import TOLERANCE, relative_error\n"
                                     "golden = mx.load(sys.argv[1] + '/golden.safetensors')\n"
                                     "model = mx.import_function(sys.argv[1] + '/model.mlxfn')\n"
                                     "names = ['linear', 'matmul', 'conv', 'conv_transpose']\n"
                                     "results = model(*[golden['input/' + n] for n in ['rows', 'sound', 'wide']])\n"
                                     "for name, y in zip(names, results, strict=True):\n"
                                     "    error = relative_error(y, golden['output/' + name])\n"
                                     "    assert error <= TOLERANCE, (name, error)\n";
  const testing::Run function = testing::run_python(dir / "check.py", dir.string());
  EXPECT_EQ(function.status, 0) << function.output;
}

}  // namespace
}  // namespace godwit::emit

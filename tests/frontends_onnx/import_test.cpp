#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "frontends/frontend.h"

namespace godwit::frontends {
namespace {

using executors::HostValue;
using executors::MlxExecutor;

const std::string data = "tests/data/onnx/";

HostValue floats(std::vector<float> values, std::vector<int64_t> shape) {
  return {{Tensor::of(DType::f32, std::move(shape), values)}, false};
}

size_t count(const ir::Module& module, std::string_view op) {
  size_t n = 0;
  ir::for_each_node(module.main(), [&](const ir::Node& node, const ir::Graph&) { n += node.op == op; });
  return n;
}

TEST(OnnxImport, LocalFunctionsAreInlinedWithTheirAttributes) {
  Imported imported = import_onnx(data + "functions.onnx");
  EXPECT_EQ(imported.format, "onnx");
  MlxExecutor executor(imported.module);
  const Tensor y = executor.run({{"x", floats({-4, -1, 0, 2}, {4})}}).at("y").items[0];
  for (int64_t i = 0; i < 4; ++i) {
    const double x = std::vector<double>{-4, -1, 0, 2}[static_cast<size_t>(i)];
    const double t = x < 0 ? 0.25 * x : x;                // Slope with the alpha that the caller gives
    const double a = t + (t < 0 ? std::expm1(t) : t);     // Elu without its attribute: alpha 1
    EXPECT_NEAR(y.number(i), a < 0 ? 0.5 * a : a, 1e-6);  // Slope with its own default
  }
}

TEST(OnnxImport, RunTimeConditionsStayRegions) {
  Imported imported = import_onnx(data + "branches.onnx");
  EXPECT_EQ(count(imported.module, "if"), 1u);
  EXPECT_EQ(count(imported.module, "loop"), 1u);
  MlxExecutor executor(imported.module);
  for (bool flag : {false, true})
    for (int64_t n : {0, 3}) {
      auto out = executor.run({{"x", floats({1, 2}, {2})},
                               {"flag", {{Tensor::scalar(DType::boolean, flag)}, false}},
                               {"n", {{Tensor::scalar(DType::i64, static_cast<double>(n))}, false}}});
      const double step = flag ? -1 : 1;
      EXPECT_EQ(out["y"].items[0].number(1), 2 + static_cast<double>(n) * step * 2);
      EXPECT_EQ(out["all"].items[0].shape, (std::vector<int64_t>{n, 2}));
    }
}

TEST(OnnxImport, GivenValuesFoldConditions) {
  ImportOptions options;
  options.inputs["flag"].value = Tensor::scalar(DType::boolean, 1);
  Imported imported = import_onnx(data + "branches.onnx", options);
  EXPECT_EQ(count(imported.module, "if"), 0u);
  EXPECT_EQ(imported.module.main().inputs.size(), 2u);
}

TEST(OnnxImport, SymbolsComeFromTheFile) {
  Imported imported = import_onnx(data + "external.onnx");
  EXPECT_EQ(ir::str(imported.module.main().inputs[0]->type), "f32[N, 4]");
  EXPECT_EQ(imported.module.weights.size(), 1u);
  MlxExecutor executor(imported.module);
  const Tensor y = executor.run({{"x", floats({1, 1, 1, 1, 2, 2, 2, 2}, {2, 4})}}).at("y").items[0];
  EXPECT_EQ(y.number(3), 4);
  EXPECT_EQ(y.number(7), 8);
}

TEST(OnnxImport, WrongOptionsAreTheCallersFault) {
  ImportOptions options;
  options.inputs["nobody"].shape = ir::Shape{1};
  EXPECT_THROW(import_onnx(data + "branches.onnx", options), UsageError);
  ImportOptions rank;
  rank.inputs["x"].shape = ir::Shape{1, 2, 3};
  EXPECT_THROW(import_onnx(data + "branches.onnx", rank), UsageError);
  EXPECT_THROW(import_onnx("tests/CMakeLists.txt"), FileError);
}

}  // namespace
}  // namespace godwit::frontends

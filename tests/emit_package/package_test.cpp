#include "emit/package.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/output_file.h"
#include "executors/mlx/executor.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ops/hoist.h"

namespace godwit::emit {
namespace {

namespace fs = std::filesystem;

class PackageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("godwit_package_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string content(const fs::path& p) {
    std::ifstream in(p, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path root_;
};

// y = relu(x w + large), the large constant in a branch
ir::Module sample() {
  ir::Module m;
  std::string ones = "1";
  for (int i = 1; i < 100; ++i) ones += ", 1";
  m.graphs.emplace("main", ir::parse_graph(fmt::format(R"(graph main(x: f32[B, 2], flag: bool[]) -> ("y:0" = %4)
  state h: f32[2] -> $h = f32[2]{{1, 2}}
  weight @net.w: f32[100, 2]
  %0 = linear %x, @net.w  : f32[B, 100]   # net.py:3 | net
  %1 = if %flag  : f32[B, 100] {{
    %2 = constant value=f32[100]{{{}}}  : f32[100]   # | net
    %3 = add %0, %2  : f32[B, 100]
    yield %3
  }} {{
    yield %0
  }}
  %4 = relu %1  : f32[B, 100]
end
)",
                                                       ones)));
  std::vector<float> w(200);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i) / 100 - 1;
  m.weights["net.w"] = Tensor::of<float>(DType::f32, {100, 2}, w);
  m.weights["unused"] = Tensor::zeros(DType::f32, {5});
  m.metadata["source"] = "a test";
  return m;
}

std::vector<float> run(const ir::Module& m) {
  executors::MlxExecutor executor(m);
  auto out = executor.run({{"x", {{Tensor::of<float>(DType::f32, {1, 2}, {1, -1})}, false}},
                           {"flag", {{Tensor::of<uint8_t>(DType::boolean, {}, {1})}, false}}});
  auto values = out.at("y:0").items.at(0).values<float>();
  return {values.begin(), values.end()};
}

TEST_F(PackageTest, RunsAsBefore) {
  ir::Module m = sample();
  const std::vector<float> before = run(m);
  write_package(m, root_);
  write_golden(root_, {{"input/x", Tensor::zeros(DType::f32, {1, 2})}});
  ir::Module back = read_package(root_);
  EXPECT_EQ(run(back), before);
  EXPECT_EQ(back.metadata.at("source"), "a test");
  EXPECT_EQ(back.weights.count("unused"), 0u);
  EXPECT_EQ(ir::print(back.main()), ir::print(m.main()));
}

TEST_F(PackageTest, LargeConstantsBecomeWeights) {
  ir::Module m = sample();
  const std::vector<float> before = run(m);
  ops::hoist_constants(m);
  EXPECT_EQ(m.weights.at("net.constant").size(), 100);
  EXPECT_EQ(ir::print(m.main()).find("= constant"), std::string::npos);
  EXPECT_EQ(run(m), before);
}

TEST_F(PackageTest, OnlyPackagesMayBeReplaced) {
  check_replaceable(root_ / "new");
  check_replaceable(root_);
  write_file(root_ / "thesis.txt", "years of work");
  EXPECT_THROW(check_replaceable(root_), UsageError);
  EXPECT_THROW(check_replaceable(root_ / "thesis.txt"), UsageError);
  write_package(sample(), root_);
  check_replaceable(root_);
}

TEST_F(PackageTest, ABrokenGraphIsNotWritten) {
  ir::Module m = sample();
  m.weights["net.w"] = Tensor::zeros(DType::f32, {3});
  EXPECT_THROW(write_package(m, root_), InternalError);
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(PackageTest, RefusesDamage) {
  auto refused = [&](const fs::path& file, const std::string& from, const std::string& to) -> std::string {
    write_package(sample(), root_ / "model");
    std::string text = content(root_ / "model" / file);
    EXPECT_NE(text.find(from), std::string::npos);
    write_file(root_ / "model" / file, text.replace(text.find(from), from.size(), to));
    try {
      read_package(root_ / "model");
    } catch (const FileError& e) {
      return e.what();
    }
    return "accepted";
  };
  auto expect = [](const std::string& told, const std::string& reason) {
    EXPECT_NE(told.find(reason), std::string::npos) << told;
  };
  EXPECT_EQ(refused("graphs/main.gir", "relu", "relu"), "accepted");
  expect(refused("graphs/main.gir", "relu", "rely"), "[rely] the op table has no such row");
  expect(refused("graphs/main.gir", "relu %1", "relu"), "operand x is absent");
  expect(refused("graphs/main.gir", "relu %1", "relu %1, %1"), "2 operands, at most 1 fit");
  expect(refused("graphs/main.gir", "relu %1", "relu %1 a=3"), "there is no attribute a");
  expect(refused("graphs/main.gir", "relu %1", "expand_dims %1 axes=[Z]"), "nothing gives the symbol Z a value");
  expect(refused("graphs/main.gir", "relu %1", "softmax %1 axis=0.5"), "axis is missing or of another kind");
  expect(refused("graphs/main.gir", "f32[100, 2]", "f32[100, 3]"), "declared as f32[100, 3]");
  expect(refused("model.json", "\"godwit\": 1", "\"godwit\": 9"), "version 9");
  expect(refused("model.json", "\"main\"", "\"../main\""), "is no graph name");
  EXPECT_THROW(read_package(root_), FileError);
}

}  // namespace
}  // namespace godwit::emit

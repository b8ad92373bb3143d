// A program outside of the project finds the installed godwit, builds, loads a package and runs it.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "emit/package.h"
#include "ops/builder.h"

namespace godwit {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int status;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome out{-1, ""};
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> block{};
  while (size_t n = fread(block.data(), 1, block.size(), pipe)) out.output.append(block.data(), n);
  out.status = pclose(pipe);
  return out;
}

TEST(Install, AProgramBuildsAndRunsAModel) {
  const fs::path work = GODWIT_WORK;
  fs::remove_all(work);
  fs::create_directories(work / "package");
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{ir::Dim::symbol("B"), 3}});
  ir::Value* weight = b.weight("head.weight", Tensor::of<float>(DType::f32, {1, 3}, {1, 10, 100}));
  graph.add_output("y", b.op("linear", {x, weight}));
  emit::write_package(module, work / "package");

  // The prefix may be moved: nothing in it names the place where it was installed.
  const std::string prefix = (work / "moved").string();
  ASSERT_EQ(run("cp -al " + std::string(GODWIT_INSTALLED) + " " + prefix).status, 0);
  const std::string sanitize = GODWIT_SANITIZE[0] ? std::string("-fsanitize=") + GODWIT_SANITIZE : "";
  const Outcome configured = run(std::string(GODWIT_CMAKE) + " -S tests/install/program -B " +
                                 (work / "build").string() + " -DCMAKE_PREFIX_PATH=" + prefix +
                                 " -DCMAKE_CXX_COMPILER=" + GODWIT_CXX + " '-DCMAKE_CXX_FLAGS=" + sanitize + "'");
  ASSERT_EQ(configured.status, 0) << configured.output;
  const Outcome built = run(std::string(GODWIT_CMAKE) + " --build " + (work / "build").string());
  ASSERT_EQ(built.status, 0) << built.output;
  const Outcome ran = run((work / "build" / "program").string() + " " + (work / "package").string());
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("321 654 sum 975 refused: input x expects f32[B, 3]"), std::string::npos) << ran.output;
}

TEST(Install, TheBinaryRunsFromThePrefix) {
  const Outcome ran = run(std::string(GODWIT_INSTALLED) + "/bin/godwit --version");
  EXPECT_EQ(ran.status, 0) << ran.output;
  const Outcome by_other_name = run(std::string(GODWIT_INSTALLED) + "/bin/pytorch_to_mlx analyze --help");
  EXPECT_EQ(by_other_name.status, 0) << by_other_name.output;
}

}  // namespace
}  // namespace godwit

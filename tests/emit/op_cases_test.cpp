// Every row of the op table in generated C++ and in generated Python, against the MLX executor.
#include "emit/op_cases.h"

#include <gtest/gtest.h>

#include "emit/generated.h"
#include "emit/python/support.h"
#include "ops/op.h"

namespace godwit::emit {
namespace {

const char* const case_file = "tests/data/emit/cases.txt";

TEST(OpCases, EveryRowHasACase) {
  const testing::OpCases cases = testing::read_op_cases(case_file);
  std::string missing, later;
  for (const ops::Op* op : ops::all()) {
    const bool is_statement =
        op->name == "constant" || op->name == "if" || op->name == "loop" || op->name == "bind" || op->name == "check";
    if (!is_statement && !cases.covered.count(op->name)) missing += " " + op->name;
  }
  for (const std::string& name : cases.later) later += " " + name;
  EXPECT_EQ(missing, "") << "add a line to " << case_file;
  EXPECT_EQ(later, "") << "no row of that name";
}

TEST(OpCases, EveryRowWithoutAPatternHasAPythonTwin) {
  std::string missing;
  for (const ops::Op* op : ops::all()) {
    const bool is_statement =
        op->name == "constant" || op->name == "if" || op->name == "loop" || op->name == "bind" || op->name == "check";
    if (!is_statement && op->python_pattern.empty() && !has_twin(op->name)) missing += " " + op->name;
  }
  EXPECT_EQ(missing, "") << "add a function to src/emit/python/ops";
}

TEST(OpCases, GeneratedCodeComputesEveryRow) {
  const testing::OpCases cases = testing::read_op_cases(case_file);
  const auto dir = testing::package_folder("op_cases", cases.module, {{"B", 3}});
  write_cpp(cases.module, dir / "cpp");
  write_python(cases.module, dir / "python");
  const testing::Run cpp = testing::build_and_test_cpp(dir);
  EXPECT_EQ(cpp.status, 0) << cpp.output;
  if (!testing::has_python_mlx())
    GTEST_SKIP() << "no Python with mlx: the Python half is not run (GODWIT_PYTHON names one)";
  const testing::Run python = testing::test_python(dir);
  EXPECT_EQ(python.status, 0) << python.output;
}

}  // namespace
}  // namespace godwit::emit

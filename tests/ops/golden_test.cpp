// Every general row against torch, NumPy and onnx, recorded by tools/goldens/ops.py.
#include <gtest/gtest.h>

#include "support/golden_cases.h"

namespace godwit::test {
namespace {

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, MatchesTheReference) {
  EXPECT_EQ(failures(std::string("tests/data/ops/") + GetParam() + ".safetensors"), std::vector<std::string>{});
}

TEST_P(Golden, HalfTypesHaveTheSameKernels) {
  EXPECT_EQ(half_failures(std::string("tests/data/ops/") + GetParam() + ".safetensors"), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Families, Golden,
                         testing::Values("elementwise", "integers", "activation", "create", "movement", "index",
                                         "reduce", "linalg", "cast"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace godwit::test

// Every neural row against torch and onnxruntime, recorded by tools/goldens/nn_ops.py.
#include <gtest/gtest.h>

#include "support/golden_cases.h"

namespace godwit::test {
namespace {

class NeuralGolden : public testing::TestWithParam<const char*> {};

TEST_P(NeuralGolden, MatchesTheReference) {
  EXPECT_EQ(failures(std::string("tests/data/nn_ops/") + GetParam() + ".safetensors"), std::vector<std::string>{});
}

TEST_P(NeuralGolden, HalfTypesHaveTheSameKernels) {
  EXPECT_EQ(half_failures(std::string("tests/data/nn_ops/") + GetParam() + ".safetensors"), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Families, NeuralGolden,
                         testing::Values("conv", "pool", "norm", "attention", "recurrent", "resize", "signal",
                                         "quantize", "affine", "detection"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace godwit::test

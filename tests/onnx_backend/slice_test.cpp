// A fixed slice of ONNX's backend suite. The whole suite: tools/sweeps/onnx_backend.py.
#include <gtest/gtest.h>

#include "onnx_backend/case.h"

namespace godwit::onnx_backend {
namespace {

void expect_all_pass(const std::string& zip, size_t least) {
  const std::vector<Case> cases = read_cases(zip);
  EXPECT_GE(cases.size(), least);
  for (const Case& test : cases) {
    Outcome outcome;
    try {
      outcome = run_case(test);
    } catch (const std::exception& e) {
      outcome.reason = e.what();
    }
    EXPECT_EQ(outcome.status, Outcome::Status::passed) << test.name << ": " << outcome.reason;
  }
}

TEST(OnnxBackend, SlicePasses) { expect_all_pass("tests/data/onnx/backend_slice.zip", 150); }

// Recorded by tools/goldens/onnx_activations.py.
TEST(OnnxBackend, NGramsAndPowersOfTwoPass) { expect_all_pass("tests/data/onnx/n_grams.zip", 9); }
TEST(OnnxBackend, RecurrentActivationsPass) { expect_all_pass("tests/data/onnx/recurrent_activations.zip", 4); }

// com.microsoft operators against onnxruntime (tools/goldens/onnx_microsoft.py).
TEST(OnnxBackend, MicrosoftOperatorsPass) { expect_all_pass("tests/data/onnx/microsoft.zip", 30); }

}  // namespace
}  // namespace godwit::onnx_backend

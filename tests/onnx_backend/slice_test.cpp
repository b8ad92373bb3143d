// A fixed slice of ONNX's backend suite. The whole suite: tools/sweeps/onnx_backend.py.
#include <gtest/gtest.h>

#include "onnx_backend/case.h"

namespace godwit::onnx_backend {
namespace {

TEST(OnnxBackend, SlicePasses) {
  const std::vector<Case> cases = read_cases("tests/data/onnx/backend_slice.zip");
  EXPECT_GE(cases.size(), 150u);
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

}  // namespace
}  // namespace godwit::onnx_backend

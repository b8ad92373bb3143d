// One case of ONNX's backend test suite: a model with inputs and the outputs expected of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/onnx/onnx.h"
#include "frontends/frontend.h"

namespace godwit::onnx_backend {

using Blob = std::vector<std::byte>;

struct DataSet {
  std::vector<Blob> inputs, outputs;  // serialised TensorProto, SequenceProto or OptionalProto
};

struct Case {
  std::string name;
  Blob model;
  std::vector<DataSet> data_sets;
};

// CASE/model.onnx, CASE/test_data_set_K/{input,output}_I.pb
Case read_case(const std::filesystem::path& folder);
// All cases of a zip archive with such folders.
std::vector<Case> read_cases(const std::filesystem::path& archive);

struct Outcome {
  enum class Status { passed, failed, refused };
  Status status = Status::failed;
  std::string reason;                    // why it did not pass
  std::vector<std::string> specialised;  // inputs whose value the import needed
  std::vector<std::string> fallbacks;    // of the CPU plan
};

// Imports, runs with both executors, and compares by the suite's rules: dtype and shape exact, rtol 1e-3, atol 1e-7,
// bfloat16 in float32 with rtol 2^-6. An import that hangs on the value of a small input is repeated with that
// value, as a user would with --input NAME=VALUE.
Outcome run_case(const Case& test);

}  // namespace godwit::onnx_backend

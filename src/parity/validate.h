// Does a graph compute what its source computes? Outputs against a golden, or against the source run in its own
// framework; with `layers` also node by node, to name where the two first part.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "parity/golden.h"
#include "parity/tolerance.h"

namespace godwit::parity {

struct ValidateOptions {
  std::string graph = "main";
  std::string executor = "mlx";  // or "cpu"; layers are always those of MLX
  bool layers = false;
  // Each replaces its part of the tolerance that tolerance_for() chooses; giving atol or rtol alone switches the
  // share of the scale off.
  std::optional<double> scaled, atol, rtol;
};

// One node whose result the reference knows by name.
struct LayerError {
  std::string name, op, place;
  double scaled_error = 0;
  double max_abs = 0;
  bool passed = false;
  std::string reason;
};

// One golden of several.
struct GoldenVerdict {
  std::string name;  // "test_data_set_0"
  bool passed = false;
  double max_error = 0;
};

struct ValidateResult {
  bool passed = false;
  Tolerance tolerance;
  std::string tolerance_why;
  double max_error = 0;   // largest error as a share of its output's scale; infinite where elements cannot be compared
  std::string reference;  // "onnxruntime 1.31.1", "golden (torch 2.13.0)"
  std::vector<Comparison> outputs;     // by name; of several goldens or steps the worst stands for an output
  std::vector<GoldenVerdict> goldens;  // in the order given
  std::vector<LayerError> layers;      // in execution order: the error growth curve
  int layers_unmatched = 0;            // reference tensors that no value of the graph is named after
  std::optional<LayerError> first_divergence;
  double seconds = 0;
};

// Throws UsageError where the golden lacks an input of the graph. An output that the golden lacks is a failure, as is
// an output of the golden that the graph lacks.
ValidateResult validate(const ir::Module& module, const std::vector<Golden>& goldens, const ValidateOptions& options);

nlohmann::json to_json(const Comparison& comparison);
nlohmann::json to_json(const ValidateResult& result);

}  // namespace godwit::parity

// Recorded cases of op rows: tests/data/{ops,nn_ops}/FAMILY.safetensors, written by tools/goldens/{ops,nn_ops}.py.
#pragma once

#include <mlx/array.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::test {

struct GoldenCase {
  std::string name, op;
  ir::Attrs attrs;
  std::vector<std::optional<mlx::core::array>> inputs;
  std::vector<DType> input_types;
  std::vector<mlx::core::array> outputs;
  std::vector<DType> output_types;
  double tolerance = 0;  // part of the output's scale
  bool symbolic = true;  // infer with symbols too
};

std::vector<GoldenCase> load_cases(const std::string& path);

// Runs the row on its own; also checks that the inferred types, with numbers and with symbols for every axis of
// operand 0, are those of the results. Returns a description of what is wrong, empty when nothing is.
std::string check_case(const GoldenCase& golden);

// What is wrong with the cases of a file, a line each.
std::vector<std::string> failures(const std::string& path);

// Cases of float32 that have kernels must have them in half types, too, and give the same within an epsilon.
std::vector<std::string> half_failures(const std::string& path);

}  // namespace godwit::test

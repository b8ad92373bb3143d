// Runs a graph on both executors, over random inputs and weights, and compares.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::test {

struct Agreement {
  std::vector<std::string> fallbacks;  // of the CPU plan
};

// `text` is a graph in text form; `sizes` gives symbols their values. Largest difference over the largest magnitude of
// each output must stay below `tolerance`. `calls` runs in a row carry states over.
Agreement expect_agreement(const std::string& text, const ir::Dim::Env& sizes = {}, double tolerance = 1e-5,
                           int calls = 1);

// The same, and everything must have had a kernel; then again with every float32 of the graph as float16 and as
// bfloat16. There the plan must be within one epsilon of the graph in float32 over the same values: half an epsilon for
// the last rounding, the other for a rounding on the way. It must agree with MLX in the half type as
// src/parity/tolerance.h allows, which is `half_roundings` epsilons.
void expect_kernels(const std::string& text, const ir::Dim::Env& sizes = {}, double tolerance = 1e-5,
                    int half_roundings = 4);

// The half types alone, `among` strewn over the inputs.
void expect_half_kernels(const std::string& text, DType half, const ir::Dim::Env& sizes = {}, int roundings = 4,
                         const std::vector<float>& among = {});

}  // namespace godwit::test

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

// The same, and everything must have had a kernel.
void expect_kernels(const std::string& text, const ir::Dim::Env& sizes = {}, double tolerance = 1e-5);

}  // namespace godwit::test

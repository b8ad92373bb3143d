// Which instruction set the kernels use: the best that the machine has, or the one that GODWIT_ISA names.
#pragma once

#include <string>
#include <vector>

namespace godwit::kernels {

std::string isa();  // "avx512", "avx2", "neon" or "baseline"
std::vector<std::string> available_isas();
void set_isa(const std::string& name);  // for tests; throws UsageError where the machine lacks it
// Reads GODWIT_ISA once; called before the first kernel is chosen.
void choose_isa();

}  // namespace godwit::kernels

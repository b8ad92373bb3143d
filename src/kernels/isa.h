// Which instruction set the kernels use: the best that the machine has, or the one that GODWIT_ISA names.
#pragma once

#include <string>
#include <vector>

namespace godwit::kernels {

// "amx", "avx512_vnni", "avx512", "avx2", "neon" or "baseline"; each of the first three holds the next.
std::string isa();
std::vector<std::string> available_isas();
void set_isa(const std::string& name);  // for tests; throws UsageError where the machine lacks it
// Reads GODWIT_ISA once; called before the first kernel is chosen.
void choose_isa();

// Parts of AVX-512 that only the kernels of quantised weights use.
bool uses_int8_dots();  // VNNI
bool uses_tiles();      // AMX with bfloat16

}  // namespace godwit::kernels

// Elementwise functions over small pieces of float32 that lie in cache: the instructions of a Program (program.h).
// Booleans are 0 and 1. Comparisons and minimum, maximum, clip follow NumPy where NaN is concerned.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace godwit::kernels {

// out[i] = f(a[i], b[i], c[i]; p, q); operands that a function does not take are not read. out may be an operand.
using TileFunction = void (*)(float* out, const float* a, const float* b, const float* c, int64_t n, float p, float q);

struct NamedTileFunction {
  const char* name;
  TileFunction function;
};

// By the name that the op table uses: "add", "silu", "where" ...; null where there is none. For the chosen ISA.
TileFunction tile_function(std::string_view name);

}  // namespace godwit::kernels

// Index arrays brought into range and turned into places of the flat array. Shared by gathers and scatters.
#pragma once

#include <mlx/ops.h>

#include "ops/infer.h"
#include "ops/op.h"

namespace godwit::ops::places {

// MLX does not check indices: these are counted from the front and clamped to the axis of n elements.
array inside(const array& indices, int n);
int axis_of(int axis, const array& x, const char* op);

// i64 places in the flat form of axes of the given sizes, one index array per axis; the arrays broadcast.
array flat(const std::vector<array>& indices, const std::vector<int>& sizes);
// The columns of indices (..., k) as k arrays (...).
std::vector<array> columns(const array& indices);
int64_t volume(const mlx::core::Shape& shape, size_t first, size_t last);

// The layout of index and index_put: the indexed axes in front, the others behind.
struct Indexed {
  std::vector<int> order, inverse;  // transposition and its inverse
  std::vector<int> sizes;           // of the indexed axes
  mlx::core::Shape rest;            // the other axes
  int place;                        // where the broadcast index axes stand in the result
};
Indexed indexed(const array& x, const Ints& axes, size_t count, const char* op);

}  // namespace godwit::ops::places

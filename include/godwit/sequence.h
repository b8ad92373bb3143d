// A list of arrays as one value (ONNX sequences; an optional is a list of at most one).
#pragma once

#include <mlx/array.h>

#include <vector>

namespace godwit::ops {

struct Sequence {
  std::vector<mlx::core::array> items;
};

}  // namespace godwit::ops

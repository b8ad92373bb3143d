// The tolerances that comparisons start from: written down here before a comparison is run, never loosened to pass.
//
//   least precise float type     feed-forward     recurrent (lstm, gru, rnn, loop, state) or more than 100 layers
//   float64                      1e-5             1e-4      (MLX has float64 on the CPU only; parts run in float32)
//   float32                      1e-5             1e-4
//   float16   (epsilon 2^-10)    4 epsilon        16 epsilon
//   bfloat16  (epsilon 2^-7)     4 epsilon        16 epsilon
//
//   weights of 8 bits                 5e-2
//   weights of 4 bits                 3e-1
//
// Each is a share of the output's scale (its largest magnitude). A layer is a node with a matrix product or
// convolution. In half types a result is one rounding away from a neighbour in each of the few sums that lie between a
// layer's input and its output, hence 4; depth adds roundings as a random walk, hence 4 times more.
// Quantised weights are no parity: 8 bits of normally distributed weights turn a layer's output by 0.6 % of its root
// mean square, 4 bits by 10 %, and depth adds those, too. Within the tolerance means that nothing is broken; what
// quantisation costs is what its report says (quantization.h).
#pragma once

#include <string>

#include "ir/graph.h"
#include "parity/compare.h"

namespace godwit::parity {

struct ChosenTolerance {
  Tolerance tolerance;
  std::string why;  // "float32, recurrent"
};

ChosenTolerance tolerance_for(const ir::Graph& graph);

// The same for one dtype; `hard` for recurrent or deep graphs.
double scaled_tolerance(DType dtype, bool hard);
double quantized_tolerance(int64_t bits);

}  // namespace godwit::parity

// Which ops have kernels: one row an op, one file a family. A row returns false where it has no kernel for this case
// (a dtype, a mode); the node then runs through MLX.
#pragma once

#include <string_view>
#include <vector>

#include "executors/cpu_plan/lowering.h"

namespace godwit::executors::plan {

struct Row {
  std::string_view op;
  bool (*lower)(Lowering&, const ir::Node&);
};
using Rows = std::vector<Row>;

Rows movement_rows();   // views and copies
Rows matmul_rows();     // matmul, linear
Rows quantized_rows();  // products with 4- and 8-bit weights
Rows conv_rows();       // convolutions and pools
Rows reduce_rows();     // sum, mean, max, ...
Rows norm_rows();       // softmax, layer_norm, ...
Rows recurrent_rows();  // lstm, gru
Rows attention_rows();
Rows index_rows();     // take, index, ..., pad
Rows scatter_rows();   // scatter, index_put, ...
Rows order_rows();     // sort, topk, argmax, cumsum, ...
Rows resample_rows();  // resize, grid_sample
Rows einsum_rows();
Rows overlap_rows();  // fold, overlap_add
Rows spread_rows();   // variance, logsumexp, ...
Rows integer_rows();  // elementwise, exact
Rows control_rows();  // if

// sum, max and min of integers.
bool reduce_integers(Lowering& l, const ir::Node& node);

const Row* find_row(std::string_view op);

}  // namespace godwit::executors::plan

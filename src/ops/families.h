// The families of the op table, each in the file of its name. A new family is one line here.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

Rows elementwise_rows();
Rows activation_rows();
Rows create_rows();
Rows movement_rows();
Rows index_rows();
Rows scatter_rows();
Rows order_rows();
Rows reduce_rows();
Rows linalg_rows();
Rows conv_rows();
Rows pool_rows();
Rows norm_rows();
Rows attention_rows();
Rows recurrent_rows();
Rows resize_rows();
Rows signal_rows();
Rows quantize_rows();
Rows affine_rows();
Rows sequence_rows();
Rows detection_rows();
Rows control_rows();

inline constexpr Rows (*families[])() = {
    elementwise_rows, activation_rows, create_rows,   movement_rows, index_rows,    reduce_rows,    scatter_rows,
    order_rows,       linalg_rows,     conv_rows,     pool_rows,     norm_rows,     attention_rows, recurrent_rows,
    resize_rows,      signal_rows,     quantize_rows, affine_rows,   sequence_rows, detection_rows, control_rows,
};

}  // namespace godwit::ops

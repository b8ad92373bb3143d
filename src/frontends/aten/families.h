// The families of operators, each in the file of its name. A new family is one line here.
#pragma once

#include "frontends/aten/registry.h"

namespace godwit::frontends::aten {

Rows elementwise_rows();
Rows activation_rows();
Rows reduce_rows();
Rows conv_rows();
Rows pool_rows();
Rows norm_rows();
Rows linalg_rows();
Rows attention_rows();
Rows native_transformer_rows();
Rows index_rows();
Rows view_rows();
Rows slice_rows();
Rows overlap_rows();
Rows shape_rows();
Rows create_rows();
Rows rnn_rows();
Rows resize_rows();
Rows signal_rows();
Rows misc_rows();
Rows loss_rows();
Rows backward_rows();

inline constexpr Rows (*families[])() = {
    elementwise_rows, activation_rows, reduce_rows,
    conv_rows,        pool_rows,       norm_rows,
    linalg_rows,      attention_rows,  native_transformer_rows,
    index_rows,       view_rows,       slice_rows,
    overlap_rows,     shape_rows,      create_rows,
    rnn_rows,         resize_rows,     signal_rows,
    misc_rows,        loss_rows,       backward_rows,
};

}  // namespace godwit::frontends::aten

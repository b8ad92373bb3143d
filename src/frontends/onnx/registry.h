// Which operator is translated by what. One file per family; a new family is one line here.
#pragma once

#include <string_view>

#include "frontends/onnx/call.h"

namespace godwit::frontends::onnx {

Rows elementwise_rows();
Rows activation_rows();
Rows create_rows();
Rows movement_rows();
Rows pad_rows();
Rows index_rows();
Rows reduce_rows();
Rows linear_rows();
Rows conv_rows();
Rows pool_rows();
Rows norm_rows();
Rows attention_rows();
Rows linear_attention_rows();
Rows recurrent_rows();
Rows resize_rows();
Rows signal_rows();
Rows quantize_rows();
Rows sequence_rows();
Rows control_rows();
Rows scan_rows();
Rows loss_rows();
Rows detection_rows();
Rows n_gram_rows();

Rows microsoft_rows();  // com.microsoft
Rows microsoft_attention_rows();
Rows microsoft_quantized_rows();
Rows ml_rows();        // ai.onnx.ml
Rows training_rows();  // ai.onnx.preview.training
Rows preview_rows();   // ai.onnx.preview

// Null where the table has none.
const Translator* find_translator(std::string_view domain, std::string_view op);

}  // namespace godwit::frontends::onnx

#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows microsoft_quantized_rows() { return {}; }

}  // namespace godwit::frontends::onnx

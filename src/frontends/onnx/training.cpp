#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows training_rows() { return {}; }

}  // namespace godwit::frontends::onnx

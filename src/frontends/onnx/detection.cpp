#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows detection_rows() { return {}; }

}  // namespace godwit::frontends::onnx

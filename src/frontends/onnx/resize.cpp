#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows resize_rows() { return {}; }

}  // namespace godwit::frontends::onnx

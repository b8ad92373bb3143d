#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows ml_rows() { return {}; }

}  // namespace godwit::frontends::onnx

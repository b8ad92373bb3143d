#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows signal_rows() { return {}; }

}  // namespace godwit::frontends::onnx

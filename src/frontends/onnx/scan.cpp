#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows scan_rows() { return {}; }

}  // namespace godwit::frontends::onnx

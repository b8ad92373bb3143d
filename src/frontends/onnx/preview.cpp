#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows preview_rows() { return {}; }

}  // namespace godwit::frontends::onnx

#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {

Rows sequence_rows() { return {}; }

}  // namespace godwit::frontends::onnx

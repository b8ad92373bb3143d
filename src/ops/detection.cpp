#include "ops/families.h"

namespace godwit::ops {

Rows detection_rows() { return {}; }

}  // namespace godwit::ops

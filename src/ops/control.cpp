#include "ops/families.h"

namespace godwit::ops {

Rows control_rows() { return {}; }

}  // namespace godwit::ops

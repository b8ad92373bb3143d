#include "ops/families.h"

namespace godwit::ops {

Rows movement_rows() { return {}; }

}  // namespace godwit::ops

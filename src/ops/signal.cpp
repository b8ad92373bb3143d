#include "ops/families.h"

namespace godwit::ops {

Rows signal_rows() { return {}; }

}  // namespace godwit::ops

#include "ops/families.h"

namespace godwit::ops {

Rows attention_rows() { return {}; }

}  // namespace godwit::ops

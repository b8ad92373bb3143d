#pragma once

#include <optional>

#include "ir/dim.h"

namespace godwit::ops {

// a / b rounded towards zero; unset where the sign of b is unknown.
std::optional<ir::Dim> truncated_quotient(const ir::Dim& a, const ir::Dim& b);

}  // namespace godwit::ops

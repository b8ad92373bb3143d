// The families of operators, each in the file of its name. A new family is one line here.
#pragma once

#include "frontends/aten/registry.h"

namespace godwit::frontends::aten {

Rows elementwise_rows();
Rows activation_rows();

inline constexpr Rows (*families[])() = {elementwise_rows, activation_rows};

}  // namespace godwit::frontends::aten

// Symbols that nobody wrote.
#pragma once

#include "ir/dim.h"

namespace godwit::ir {

// `prefix` and a number. No symbol that this process made or read before (a loaded package's) has that name.
Dim fresh_symbol(char prefix);

}  // namespace godwit::ir

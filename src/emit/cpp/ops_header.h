// The text of godwit/ops.h: the op table as C++ declarations for generated models.
#pragma once

#include <string>

namespace godwit::emit {

std::string ops_header();

}  // namespace godwit::emit

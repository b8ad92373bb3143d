// Prints a syntax tree as torch's own printer would: parse and print is the identity on what torch writes.
#pragma once

#include <string>

#include "formats/torchscript/ast.h"

namespace godwit::formats::torchscript {

std::string print(const Expr& expr);
std::string print(const File& file);

}  // namespace godwit::formats::torchscript

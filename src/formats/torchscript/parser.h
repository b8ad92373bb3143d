// Reads serialized TorchScript into a syntax tree. Strict: the language is only ever written by torch's printer.
#pragma once

#include <string>
#include <string_view>

#include "formats/torchscript/ast.h"

namespace godwit::formats::torchscript {

// Throws FileError naming path and line. Nesting is limited.
File parse(std::string_view source, const std::string& path);

}  // namespace godwit::formats::torchscript

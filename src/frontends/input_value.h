// What `--input NAME=16000` means for an input whose type the source declares.
#pragma once

#include <optional>
#include <string>

#include "frontends/frontend.h"

namespace godwit::frontends {

// The constant that the input becomes, in the declared dtype. None where the user gives no value, or a single number
// that can only be the length of an axis. Throws UsageError where dtype or shape cannot hold the value.
std::optional<Tensor> given_value(const ImportOptions::Input& given, const ir::Type& declared, const std::string& name);

}  // namespace godwit::frontends

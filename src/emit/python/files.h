// What stands beside a generated Python model.
#pragma once

#include <string>

#include "emit/emitter.h"

namespace godwit::emit {

// A script that compares the model with the golden of its package.
std::string python_test(const ir::Module& module, const std::string& class_name, const Options& options);

}  // namespace godwit::emit

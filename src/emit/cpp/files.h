// What stands beside a generated C++ class.
#pragma once

#include <string>

#include "emit/emitter.h"

namespace godwit::emit {

struct CppNames {
  std::string class_name, name_space;
  bool has_constants;
};

std::string cpp_cmake(const CppNames& names);
// A program that compares the class with the golden of its package.
std::string cpp_test(const ir::Module& module, const CppNames& names, const Options& options);

}  // namespace godwit::emit

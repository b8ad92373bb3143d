// A module that runs, from a package or a source file.
#pragma once

#include <filesystem>

#include "emit/package.h"
#include "frontends/frontend.h"
#include "passes/pass.h"

namespace godwit::demo {

inline ir::Module load_model(const std::filesystem::path& path) {
  if (emit::is_package(path)) return emit::read_package(path);
  ir::Module module = std::move(frontends::import_model(path).module);
  passes::optimize(module);
  return module;
}

}  // namespace godwit::demo

// Errors from inside a file name the place; which file it was is known further out.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace godwit {

// What `work` returns; a FileError or UsageError that does not name the file gets its path in front.
template <class F>
auto naming(const std::filesystem::path& path, const F& work) {
  const auto named = [&path](std::string_view message) {
    const bool has_name = message.find(path.filename().string()) != message.npos;
    return has_name ? std::string(message) : fmt::format("{}: {}", path.string(), message);
  };
  try {
    return work();
  } catch (const FileError& e) {
    throw FileError(named(e.what()));
  } catch (const UsageError& e) {
    throw UsageError(named(e.what()));
  }
}

}  // namespace godwit

// ops.py: the functions that a generated Python model calls, out of the twins of the op table in python/ops/*.py.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::emit {

// A top-level definition of the twins: a function or a named constant, with the comments above it.
struct Twin {
  std::string name, text;
  std::set<std::string> needs;  // other twins that it names
};
const std::vector<Twin>& twins();
bool has_twin(std::string_view name);

// The text of ops.py with these functions and what they need. Throws InternalError for a name without a twin.
std::string ops_py(const std::set<std::string>& functions);

// The text of the files under python/ops, one after the other (written by the build).
extern const char* const twin_sources;

}  // namespace godwit::emit

// JSON from files that nobody vouches for.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace godwit {

using Json = nlohmann::json;

// Throws FileError beginning with `what` (a file's name): bad syntax, nesting deeper than max_depth, a key that
// stands twice in one object.
Json parse_json(std::string_view text, const std::string& what, int max_depth = 64);

// A member of an object; throws FileError when it is absent or of another kind.
const Json& json_member(const Json& object, const char* key, const std::string& what);
// Exact: a number with a fraction, or outside int64, is refused.
int64_t json_int(const Json& value, const std::string& what);
const std::string& json_text(const Json& value, const std::string& what);

}  // namespace godwit

#include "base/json.h"

#include <limits>
#include <set>
#include <vector>

#include "base/error.h"

namespace godwit {

namespace {

constexpr size_t kMaxValues = 16'000'000;  // a value takes 16 bytes and more, two of its text

// nlohmann's messages quote what was read last, which may be the whole text.
std::string shortened(std::string message) {
  constexpr size_t limit = 200;
  if (message.size() > limit) message.replace(limit, message.npos, "...");
  return message;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& what, int max_depth) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  size_t values = 0;
  auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    require<FileError>(depth <= max_depth, "{}: JSON nested deeper than {}", what, max_depth);
    require<FileError>(++values <= kMaxValues, "{}: JSON of more than {} values", what, kMaxValues);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key)
      require<FileError>(keys.back().insert(parsed.get<std::string>()).second, "{}: key {} stands twice", what,
                         parsed.dump(-1, ' ', true, Json::error_handler_t::replace));
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& e) {
    raise<FileError>("{}: no valid JSON ({})", what, shortened(e.what()));
  }
}

const Json& json_member(const Json& object, const char* key, const std::string& what) {
  require<FileError>(object.is_object(), "{}: an object is expected", what);
  auto found = object.find(key);
  require<FileError>(found != object.end(), "{}: '{}' is missing", what, key);
  return *found;
}

int64_t json_int(const Json& value, const std::string& what) {
  require<FileError>(value.is_number_integer(), "{}: an integer is expected", what);
  if (value.is_number_unsigned())
    require<FileError>(value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
                       "{}: an integer is out of range", what);
  return value.get<int64_t>();
}

const std::string& json_text(const Json& value, const std::string& what) {
  require<FileError>(value.is_string(), "{}: a text is expected", what);
  return value.get_ref<const std::string&>();
}

}  // namespace godwit

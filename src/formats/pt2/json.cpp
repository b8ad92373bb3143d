#include "formats/pt2/json.h"

#include <cmath>

namespace godwit::formats::pt2 {

Place Place::operator[](std::string_view key) const {
  static const Json null;
  if (!json_->is_object()) fail("an object is expected");
  auto found = json_->find(key);
  return Place(found == json_->end() ? null : *found, *this, key);
}

size_t Place::size() const {
  if (!json_->is_array()) fail("a list is expected");
  return json_->size();
}

const Json::object_t& Place::object() const {
  if (!json_->is_object()) fail("an object is expected");
  return json_->get_ref<const Json::object_t&>();
}

const std::string& Place::text() const {
  if (!json_->is_string()) fail("a text is expected");
  return json_->get_ref<const std::string&>();
}

int64_t Place::integer() const {
  if (json_->is_number_unsigned()) {
    if (json_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) fail("an integer is too large");
  } else if (!json_->is_number_integer()) {
    fail("an integer is expected");
  }
  return json_->get<int64_t>();
}

bool Place::flag() const {
  if (!json_->is_boolean()) fail("true or false is expected");
  return json_->get<bool>();
}

double Place::real() const {
  if (json_->is_number()) return json_->get<double>();
  if (json_->is_string()) {
    if (text() == "Infinity") return INFINITY;
    if (text() == "-Infinity") return -INFINITY;
    if (text() == "NaN") return NAN;
  }
  fail("a number is expected");
}

std::string Place::path() const {
  std::string here = index_ != SIZE_MAX ? fmt::format("[{}]", index_) : std::string(key_);
  if (!parent_) return here.empty() ? "root" : here;
  std::string above = parent_->parent_ ? parent_->path() : "";
  return above.empty() || here.starts_with('[') ? above + here : above + "." + here;
}

}  // namespace godwit::formats::pt2

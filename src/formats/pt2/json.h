// Checked access to the JSON of an archive: every failure is a FileError that says where.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace godwit::formats::pt2 {

// Expressions and nested graphs go deeper than other JSON.
inline constexpr int max_json_depth = 500;

// A JSON value and the path that led to it.
class Place {
 public:
  Place(const Json& json, const std::string& where) : json_(&json), where_(where), parent_(nullptr), key_("") {}
  Place(const Json& json, const Place& parent, std::string_view key, size_t index = SIZE_MAX)
      : json_(&json), where_(parent.where_), parent_(&parent), key_(key), index_(index) {}

  const Json& json() const { return *json_; }
  bool is_null() const { return json_->is_null(); }
  // A member; null where it is absent.
  Place operator[](std::string_view key) const;
  bool has(std::string_view key) const { return !(*this)[key].is_null(); }
  Place at(size_t i) const { return Place(json_->at(i), *this, "", i); }

  size_t size() const;  // of an array
  const Json::object_t& object() const;
  const std::string& text() const;
  std::string text_or(std::string_view fallback) const { return is_null() ? std::string(fallback) : text(); }
  int64_t integer() const;
  int64_t integer_or(int64_t fallback) const { return is_null() ? fallback : integer(); }
  bool flag() const;
  double real() const;  // "Infinity", "-Infinity" and "NaN" are texts

  template <class F>
  void each(const F& visit) const {
    for (size_t i = 0, n = size(); i < n; ++i) visit(at(i));
  }

  std::string path() const;
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw FileError(fmt::format("{}: {}: {}", where_, path(), fmt::format(format, std::forward<Args>(args)...)));
  }

 private:
  const Json* json_;
  const std::string& where_;
  const Place* parent_;
  std::string_view key_;
  size_t index_ = SIZE_MAX;
};

}  // namespace godwit::formats::pt2

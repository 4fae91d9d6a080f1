// One value of a JSON document on its way into the model, with the path by which errors name it. Internal to
// the reading of JSON. The getters return the value, or note what is wrong and return a default: the first
// error noted is the one that counts, so callers read on and look once, at the end.
//
// Objects are read by tables (name, setter): a field that no table names is an error. One thread at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "aggregator/http/json.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::http {

// Parses a whole text. An error says where (line and column) and what; also for a key that an object has
// twice, for arrays and objects nested deeper than kDepthMax, and for numbers that a double cannot hold.
inline constexpr int kDepthMax = 32;
Parsed<nlohmann::json> parse_json(std::string_view text);

class Value {
 public:
  // Borrows the three. `path` is empty for the whole document.
  Value(const nlohmann::json& json, std::string path, std::optional<FieldError>& error)
      : json_(json), path_(std::move(path)), error_(error) {}

  std::string text() const;
  double number() const;
  // The number, which must be whole and lie from 0 (or from `min`) to `max`.
  std::uint64_t count(std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) const;
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  Nanos instant() const;
  Nanos seconds() const;  // not negative
  Uuid uuid() const;      // not nil
  State state() const;
  FailureKind failure_kind() const;

  // Calls visit(key, Value) for every field; an error if this is no object.
  template <typename Visit>
  void object(Visit visit) const {
    if (!is(json_.is_object(), "an object")) return;
    for (const auto& [key, field] : json_.items()) visit(key, Value(field, child(key), error_));
  }
  // Calls visit(Value) for every element; an error if this is no array.
  template <typename Visit>
  void array(Visit visit) const {
    if (!is(json_.is_array(), "an array")) return;
    for (std::size_t i = 0; i < json_.size(); ++i) {
      visit(Value(json_[i], path_ + "[" + std::to_string(i) + "]", error_));
    }
  }
  // An object read by a table of {name, set}; set(Value, target) is called for every field that is there.
  template <typename Table, typename Target>
  void fields(const Table& table, Target& target) const {
    object([&](const std::string& key, const Value& value) {
      for (const auto& field : table) {
        if (key == field.name) return field.set(value, target);
      }
      value.fail("field " + value.shown() + " is not known");
    });
  }

  void fail(std::string detail) const;
  // The path in quotes, or words for the whole document.
  std::string shown() const;

 private:
  bool is(bool right, std::string_view wanted) const;
  std::string child(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const nlohmann::json& json_;
  std::string path_;
  std::optional<FieldError>& error_;
};

// A line of a table of fields.
template <typename Target>
struct Field {
  std::string_view name;
  void (*set)(const Value&, Target&);
};
// Of fields that only answers have.
template <typename Target>
void ignore(const Value&, Target&) {}

inline std::uint32_t uint32_of(const Value& v) {
  return static_cast<std::uint32_t>(v.count(std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace kleptometrics::aggregator::http

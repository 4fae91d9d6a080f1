// Holds JSON to a JSON Schema (2020-12), as far as the documents of this project use it: type, enum, properties,
// patternProperties and additionalProperties, required, items, maxItems, minimum, maximum, pattern, oneOf, and $ref
// within the document. A keyword that it does not know is a fault, so that nothing is asked for and never checked.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace kleptometrics::tests {

class JsonSchema {
 public:
  using Json = nlohmann::json;
  explicit JsonSchema(const Json& document) : document_(document) {}

  // The first fault, with the place in `value`; empty if there is none.
  std::string fault(const Json& schema, const Json& value, const std::string& place = "") const {
    for (const auto& [keyword, asked] : schema.items()) {
      std::string found = check(schema, keyword, asked, value, place);
      if (!found.empty()) return found;
    }
    return "";
  }

 private:
  static bool is(const std::string& type, const Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }

  std::string check(const Json& schema, const std::string& keyword, const Json& asked, const Json& value,
                    const std::string& place) const {
    const auto unless = [&](bool fine) {
      return fine ? "" : place + ": " + keyword + " " + asked.dump() + " is not met by " + value.dump();
    };
    if (keyword == "$ref")
      return fault(document_.at(Json::json_pointer(asked.get<std::string>().substr(1))), value, place);
    if (keyword == "type") return unless(is(asked, value));
    if (keyword == "enum") return unless(std::find(asked.begin(), asked.end(), value) != asked.end());
    if (keyword == "minimum") return unless(!value.is_number() || value >= asked);
    if (keyword == "maximum") return unless(!value.is_number() || value <= asked);
    if (keyword == "maxLength") return unless(!value.is_string() || value.get<std::string>().size() <= asked);
    if (keyword == "maxItems") return unless(!value.is_array() || value.size() <= asked);
    if (keyword == "pattern")
      return unless(!value.is_string() ||
                    std::regex_search(value.get<std::string>(), std::regex(asked.get<std::string>())));
    if (keyword == "oneOf") {
      return unless(1 == std::count_if(asked.begin(), asked.end(),
                                       [&](const Json& each) { return fault(each, value, place).empty(); }));
    }
    if (keyword == "required") return required(asked, value, place);
    if (keyword == "items") return items(asked, value, place);
    if (keyword == "properties") return properties(asked, value, place);
    if (keyword == "additionalProperties") return others(schema, asked, value, place);
    if (keyword == "format") return unless(!value.is_string() || is_of_format(asked, value));
    for (const char* const word : {"description", "default", "examples", "contentMediaType"}) {
      if (keyword == word) return "";
    }
    return place + ": the keyword " + keyword + " is not known here";
  }

  static bool is_of_format(const std::string& format, const std::string& text) {
    static const std::regex instant(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z)");
    static const std::regex uuid("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    return std::regex_match(text, format == "uuid" ? uuid : instant);
  }

  static std::string required(const Json& asked, const Json& value, const std::string& place) {
    for (const std::string name : asked) {
      if (value.is_object() && !value.contains(name)) return place + ": " + name + " is missing";
    }
    return "";
  }

  std::string items(const Json& asked, const Json& value, const std::string& place) const {
    for (std::size_t at = 0; value.is_array() && at < value.size(); ++at) {
      std::string found = fault(asked, value[at], place + "/" + std::to_string(at));
      if (!found.empty()) return found;
    }
    return "";
  }

  std::string properties(const Json& asked, const Json& value, const std::string& place) const {
    for (const auto& [name, schema] : asked.items()) {
      if (!value.is_object() || !value.contains(name)) continue;
      std::string found = fault(schema, value.at(name), place + "/" + name);
      if (!found.empty()) return found;
    }
    return "";
  }

  std::string others(const Json& schema, const Json& asked, const Json& value, const std::string& place) const {
    if (!value.is_object()) return "";
    for (const auto& [name, member] : value.items()) {
      if (schema.contains("properties") && schema.at("properties").contains(name)) continue;
      if (asked == false) return place + ": " + name + " is not in the document";
      std::string found = fault(asked, member, place + "/" + name);
      if (!found.empty()) return found;
    }
    return "";
  }

  const Json& document_;
};

}  // namespace kleptometrics::tests

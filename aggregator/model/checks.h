// What the door checks of runs and of jobs have in common: texts, and how a fault is told. For validate.cc and
// validate_job.cc alone. Pure, any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "aggregator/model/run.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::checks {

using Fault = std::optional<FieldError>;

inline Fault fault(std::string field, std::string detail) { return FieldError{std::move(field), std::move(detail)}; }

inline Fault check_text(const std::string& field, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return fault(field, field + " has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(bytes_max) +
                            " are allowed");
  }
  if (!valid_utf8(text)) return fault(field, field + " is " + quoted(text) + ", which is not UTF-8");
  return std::nullopt;
}

// A name that users type and scripts match: not empty, no control characters.
inline Fault check_name(const std::string& field, std::string_view name, std::size_t bytes_max) {
  if (name.empty()) return fault(field, "a name in " + field + " is empty");
  if (auto error = check_text(field, name, bytes_max)) return error;
  if (has_control(name)) return fault(field, "the name " + quoted(name) + " has a control character");
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator::checks

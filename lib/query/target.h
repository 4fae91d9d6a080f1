// The target of a request under construction: path and parameters, percent-encoded (RFC 3986). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kleptometrics/query.h"

namespace kleptometrics::query {

class Target {
 public:
  explicit Target(std::string_view route) : text_("/api/v1/" + std::string(route)) {}

  // Another part of the path. Before all parameters.
  Target& segment(std::string_view text);
  // Parameters. What is empty is not asked for.
  Target& add(std::string_view name, std::string_view value);
  Target& add(std::string_view name, std::optional<WallTime> at);
  Target& add(std::string_view name, const std::vector<State>& states);
  Target& add(const Filter& filter);
  Target& add(const Page& page);
  Target& add(const StatsQuestion& question);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  char separator_ = '?';
};

// hour, day, week or month.
std::string_view name_of(BucketWidth width);
// median, p95, max, total, failures or delays.
std::string_view name_of(RankBy by);

}  // namespace kleptometrics::query

#include "lib/query/target.h"

#include <array>

#include "lib/base/instant.h"

namespace kleptometrics::query {
namespace {

// The unreserved characters of RFC 3986, section 2.3, and the colon of job names and measures.
bool stands_for_itself(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~' || c == ':';
}

std::string encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (stands_for_itself(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
  }
  return out;
}

std::string_view name_of(State state) {
  constexpr std::array<std::string_view, 5> kNames = {"running", "succeeded", "failed", "canceled", "crashed"};
  const auto at = static_cast<std::size_t>(state);
  return at < kNames.size() ? kNames[at] : "unknown";
}

Nanos nanos_of(WallTime at) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

}  // namespace

std::string_view name_of(BucketWidth width) {
  constexpr std::array<std::string_view, 4> kNames = {"hour", "day", "week", "month"};
  const auto at = static_cast<std::size_t>(width);
  return at < kNames.size() ? kNames[at] : "unknown";
}

std::string_view name_of(RankBy by) {
  constexpr std::array<std::string_view, 6> kNames = {"median", "p95", "max", "total", "failures", "delays"};
  const auto at = static_cast<std::size_t>(by);
  return at < kNames.size() ? kNames[at] : "unknown";
}

Target& Target::segment(std::string_view text) {
  text_ += "/" + encoded(text);
  return *this;
}

Target& Target::add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  text_ += separator_ + encoded(name) + "=" + encoded(value);
  separator_ = '&';
  return *this;
}

Target& Target::add(std::string_view name, std::optional<WallTime> at) {
  return at ? add(name, instant_text(nanos_of(*at))) : *this;
}

Target& Target::add(std::string_view name, const std::vector<State>& states) {
  std::string list;
  for (const State state : states) {
    if (!list.empty()) list += ',';
    list += name_of(state);
  }
  return add(name, list);
}

Target& Target::add(const Filter& filter) {
  add("since", filter.since).add("until", filter.until);
  add("host", filter.host).add("version", filter.version).add("build_id", filter.build_id);
  for (const auto& [key, value] : filter.labels) {
    // An empty value is a value: the label is there and says nothing.
    text_ += separator_ + encoded("label." + key) + "=" + encoded(value);
    separator_ = '&';
  }
  return *this;
}

Target& Target::add(const Page& page) { return add("limit", std::to_string(page.limit)).add("page_token", page.token); }

Target& Target::add(const StatsQuestion& question) {
  add("measure", question.measure).add("step", question.step).add("outcome", question.outcomes);
  return add(question.filter);
}

}  // namespace kleptometrics::query

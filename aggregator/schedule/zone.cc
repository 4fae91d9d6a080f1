#include "aggregator/schedule/zone.h"

#include <sys/stat.h>

#include <cstddef>
#include <cstdlib>
#include <string>

namespace kleptometrics::aggregator::schedule {
namespace {

constexpr std::size_t kZoneNameBytesMax = 64;

// Words of [A-Za-z0-9_+-] with a '/' between them: no path that leaves the database, no rule.
bool zone_name(std::string_view name) {
  if (name.empty() || name.size() > kZoneNameBytesMax || name.back() == '/') return false;
  char before = '/';
  for (const char c : name) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '+' && c != '-' && (c != '/' || before == '/')) return false;
    before = c;
  }
  return true;
}

// Abseil keeps every name that it was ever asked for; unknown ones must not get there.
bool in_database(const std::string& name) {
  const char* const dir = std::getenv("TZDIR");
  struct stat info {};
  return ::stat(((dir == nullptr ? "/usr/share/zoneinfo/" : std::string(dir) + "/") + name).c_str(), &info) == 0 &&
         S_ISREG(info.st_mode);
}

}  // namespace

std::optional<absl::TimeZone> find_time_zone(std::string_view name) {
  if (name == "UTC") return absl::UTCTimeZone();
  const std::string text(name);
  absl::TimeZone zone;
  if (!zone_name(name) || !in_database(text) || !absl::LoadTimeZone(text, &zone)) return std::nullopt;
  return zone;
}

}  // namespace kleptometrics::aggregator::schedule

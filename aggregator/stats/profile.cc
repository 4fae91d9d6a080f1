#include "aggregator/stats/profile.h"

#include <array>
#include <utility>

#include "aggregator/stats/peaks.h"

namespace kleptometrics::aggregator::stats {

std::string_view name_of_weekday(std::size_t weekday) {
  constexpr std::array<std::string_view, kWeekdays> kNames = {"monday", "tuesday",  "wednesday", "thursday",
                                                              "friday", "saturday", "sunday"};
  return weekday < kNames.size() ? kNames[weekday] : "unknown";
}

Profile profile_of(std::vector<Cell> cells, std::uint64_t min_count) {
  Profile profile;
  profile.cells = std::move(cells);
  std::erase_if(profile.cells, [](const Cell& cell) { return none_ended(cell.stats); });
  const Peaks found = peaks_of(profile.cells, min_count);
  profile.peak = found.peak;
  profile.low = found.low;
  return profile;
}

}  // namespace kleptometrics::aggregator::stats

// Statistics by the clock on the wall: when in the week a job is slow. Which hour of which weekday a run belongs to is
// for the calendar of whoever asks (aggregator/query). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

inline constexpr std::size_t kWeekdays = 7;
inline constexpr std::size_t kHoursOfDay = 24;
// `monday` for 0 to `sunday` for 6.
std::string_view name_of_weekday(std::size_t weekday);

// The runs that started in that hour of that weekday, of all weeks.
struct Cell {
  std::size_t weekday = 0;  // from Monday
  std::size_t hour = 0;     // 0 to 23
  Stats stats;
};

struct Profile {
  std::vector<Cell> cells;               // by weekday and hour; those without a run that ended are left out
  std::optional<std::size_t> peak, low;  // indexes: the highest and the lowest median, of equal ones the first
  Rounded rounded;
};

// `cells` by weekday and hour. Peak and low are sought among those with at least `min_count` values.
Profile profile_of(std::vector<Cell> cells, std::uint64_t min_count);

}  // namespace kleptometrics::aggregator::stats

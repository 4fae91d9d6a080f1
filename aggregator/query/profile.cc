// Statistics by weekday and hour of day: pieces, or where more is asked than they know single runs, each put into the
// hour of the week at which it starts.
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/civil_time.h"
#include "aggregator/query/add_up.h"
#include "aggregator/query/parts.h"
#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {
namespace {

constexpr std::size_t kCells = stats::kWeekdays * stats::kHoursOfDay;

std::size_t cell_of(Nanos at, const absl::TimeZone& zone) {
  const absl::CivilHour hour = absl::ToCivilHour(absl::FromUnixNanos(at), zone);
  const auto weekday = static_cast<std::size_t>(absl::GetWeekday(absl::CivilDay(hour)));  // from Monday
  return weekday * stats::kHoursOfDay + static_cast<std::size_t>(hour.hour());
}

template <typename Contents>
using Week = std::vector<std::optional<Contents>>;  // by cell

class PlaceInWeek final : public Places {
 public:
  explicit PlaceInWeek(const absl::TimeZone& zone) : zone_(zone), week_(kCells) {}
  void clear() override { week_.assign(kCells, std::nullopt); }
  stats::Rollup* of(const std::string&, Nanos at) override {
    auto& cell = week_[cell_of(at, zone_)];
    return cell ? &*cell : &cell.emplace();
  }
  Week<stats::Rollup>& week() { return week_; }

 private:
  const absl::TimeZone& zone_;
  Week<stats::Rollup> week_;
};

template <typename Contents, typename StatsOf>
std::vector<stats::Cell> cells_of(Week<Contents>& week, StatsOf stats_of) {
  std::vector<stats::Cell> cells;
  for (std::size_t at = 0; at < week.size(); ++at) {
    if (week[at]) cells.push_back({at / stats::kHoursOfDay, at % stats::kHoursOfDay, stats_of(*week[at])});
  }
  return cells;
}

}  // namespace

absl::StatusOr<stats::Profile> Query::profile(const ProfileRequest& request) {
  const StatsRequest& of = request.of;
  std::vector<stats::Cell> cells;
  stats::Rounded rounded;
  if (from_rollups(of.filter)) {
    PlaceInWeek places(request.zone);
    const Cut cut = cut_by(Calendar(request.zone, Unit::kHour), of.filter);
    const auto plan = add_up(store_, of.filter.job, series_of(of), cut, places);
    if (!plan.ok()) return plan.status();
    cells = cells_of(places.week(), [&of](const stats::Rollup& sum) { return stats::stats_of(sum, of.outcomes); });
    rounded = rounded_of(*plan, of.filter.since, of.filter.until);
  } else {
    Week<stats::Accumulator> week(kCells);
    const auto seen = scan(of, [&](const Run& run) {
      auto& cell = week[cell_of(run.started_at, request.zone)];
      if (!cell) cell.emplace(of.measure, of.step, of.outcomes, kGraceDefault);
      cell->add(run);
    });
    if (!seen.ok()) return seen.status();
    cells = cells_of(week, [](stats::Accumulator& values) { return values.finish(); });
    rounded = *seen;
  }
  if (auto missing = require_unless(!cells.empty(), of.filter.job); !missing.ok()) return missing;
  stats::Profile profile = stats::profile_of(std::move(cells), request.min_count);
  profile.rounded = rounded;
  return profile;
}

}  // namespace kleptometrics::aggregator::query

#include "aggregator/stats/profile.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

Cell cell(std::size_t weekday, std::size_t hour, std::uint64_t count, double median) {
  Cell cell{weekday, hour, {}};
  cell.stats.count = count;
  cell.stats.succeeded = count;
  if (count > 0) cell.stats.median = median;
  return cell;
}

TEST_CASE("weekdays begin with Monday") {
  CHECK(name_of_weekday(0) == "monday");
  CHECK(name_of_weekday(6) == "sunday");
  CHECK(name_of_weekday(7) == "unknown");
}

TEST_CASE("hours of the week without runs are left out, peak and low are the first of equal ones") {
  const Profile profile = profile_of(
      {cell(0, 1, 3, 5), cell(0, 2, 0, 0), cell(3, 4, 3, 9), cell(5, 6, 3, 9), cell(6, 7, 1, 99), cell(6, 8, 3, 5)}, 2);
  REQUIRE(profile.cells.size() == 5);
  CHECK(profile.cells[*profile.peak].weekday == 3);
  CHECK(profile.cells[*profile.low].weekday == 0);
  CHECK_FALSE(profile_of({}, 1).peak);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats

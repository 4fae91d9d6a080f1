#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;
using Lines = std::vector<std::string>;

struct Kept {
  fakes::FaultyStore store;
  Query query{store};
  std::uint32_t number = 0;

  void ran(const std::string& start, double duration, State state = State::kSucceeded, const std::string& host = {}) {
    Run run = started("job", ++number, at(start));
    run.host = host;
    if (terminal(state)) run = finished(run, seconds(duration), state);
    REQUIRE(store.commit({run}, 0).ok());
  }
  ProfileRequest of_job(const char* zone) {
    ProfileRequest request;
    request.of.filter.job = "job";
    request.zone = *find_time_zone(zone);
    return request;
  }
};

// `weekday hour: count` of every cell.
Lines lines(const absl::StatusOr<stats::Profile>& profile) {
  REQUIRE(profile.ok());
  Lines out;
  for (const stats::Cell& cell : profile->cells) {
    out.push_back(std::string(stats::name_of_weekday(cell.weekday)) + " " + std::to_string(cell.hour) + ": " +
                  std::to_string(cell.stats.count));
  }
  return out;
}

TEST_CASE("runs of the same hour of a weekday are together, whatever the week") {
  Kept kept;
  kept.ran("2024-01-07T23:59:59Z", 1);  // a Sunday
  kept.ran("2024-01-01T00:00:00Z", 2);  // a Monday
  kept.ran("2024-01-08T00:30:00Z", 4);
  kept.ran("2024-01-08T01:30:00Z", 9, State::kRunning);
  const auto profile = kept.query.profile(kept.of_job("UTC"));
  CHECK(lines(profile) == Lines{"monday 0: 2", "sunday 23: 1"});
  CHECK(profile->cells[*profile->peak].hour == 0);
  CHECK(profile->cells[*profile->low].hour == 23);
  CHECK_FALSE(profile->rounded.approximate);
}

TEST_CASE("the hour is that of the clock on the wall, summer and winter, whole hours off or not") {
  Kept kept;
  kept.ran("2024-01-01T06:30:00Z", 1);
  kept.ran("2024-07-01T05:30:00Z", 1);
  CHECK(lines(kept.query.profile(kept.of_job("Europe/Berlin"))) == Lines{"monday 7: 2"});
  CHECK(lines(kept.query.profile(kept.of_job("Asia/Kolkata"))) == Lines{"monday 11: 1", "monday 12: 1"});
  CHECK(lines(kept.query.profile(kept.of_job("Pacific/Kiritimati"))) == Lines{"monday 19: 1", "monday 20: 1"});
}

TEST_CASE("a profile measures what statistics measure, of the same runs") {
  Kept kept;
  kept.ran("2024-01-01T10:00:00Z", 10);
  kept.ran("2024-01-02T10:00:00Z", 20, State::kFailed, "h");
  kept.ran("2024-01-03T10:00:00Z", 30, State::kSucceeded, "h");
  ProfileRequest request = kept.of_job("UTC");
  request.of.filter.since = at("2024-01-02T00:00:00Z");
  CHECK(lines(kept.query.profile(request)) == Lines{"tuesday 10: 0", "wednesday 10: 1"});
  request.of.outcomes = {State::kFailed};
  request.min_count = 2;
  CHECK(lines(kept.query.profile(request)) == Lines{"tuesday 10: 1", "wednesday 10: 0"});
  CHECK_FALSE(kept.query.profile(request)->peak);
  request = kept.of_job("UTC");
  request.of.filter.host = "h";
  CHECK(lines(kept.query.profile(request)) == Lines{"tuesday 10: 0", "wednesday 10: 1"});
  request.of.filter.host = "nobody";
  CHECK(lines(kept.query.profile(request)).empty());
  request.of.filter.job = "other";
  CHECK(absl::IsNotFound(kept.query.profile(request).status()));
  request.of.filter.host.clear();
  CHECK(absl::IsNotFound(kept.query.profile(request).status()));
}

}  // namespace
}  // namespace kleptometrics::aggregator::query

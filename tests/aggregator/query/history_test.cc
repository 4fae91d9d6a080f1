#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;

struct Kept {
  fakes::FaultyStore store;
  Query query{store};
  std::uint32_t number = 0;

  void ran(const std::string& start, double duration, State state = State::kSucceeded) {
    Run run = started("job", ++number, at(start));
    if (terminal(state)) run = finished(run, seconds(duration), state);
    const std::vector<Run> one = {run};
    REQUIRE(store.commit(one, 0).ok());
  }
  stats::History history(const char* zone, Unit unit, std::uint64_t min_count = 1) {
    HistoryRequest request;
    request.of.filter.job = "job";
    request.calendar = Calendar(*find_time_zone(zone), unit);
    request.min_count = min_count;
    auto history = query.history(request);
    REQUIRE(history.ok());
    return *std::move(history);
  }
};

// `start: count median` of every bucket.
std::vector<std::string> lines(const stats::History& history) {
  std::vector<std::string> out;
  for (const stats::Bucket& bucket : history.buckets) {
    const std::string median = bucket.stats.median ? std::to_string(static_cast<int>(*bucket.stats.median)) : "-";
    out.push_back(instant_text(bucket.start) + ": " + std::to_string(bucket.stats.count) + " " + median);
  }
  return out;
}
using Lines = std::vector<std::string>;

TEST_CASE("runs are counted in the bucket of their start, and empty buckets are left out") {
  Kept kept;
  kept.ran("2024-01-01T23:59:59.999Z", 10);
  kept.ran("2024-01-02T00:00:00Z", 30);
  kept.ran("2024-01-02T10:00:00Z", 20);
  kept.ran("2024-01-05T10:00:00Z", 50);
  kept.ran("2024-01-08T10:00:00Z", 5, State::kRunning);
  const stats::History history = kept.history("UTC", Unit::kDay);
  CHECK(lines(history) ==
        Lines{"2024-01-01T00:00:00Z: 1 10", "2024-01-02T00:00:00Z: 2 20", "2024-01-05T00:00:00Z: 1 50"});
  CHECK(*history.peak == 2);
  CHECK(*history.low == 0);
  CHECK(*kept.history("UTC", Unit::kDay, 2).low == 1);
  CHECK(lines(kept.history("UTC", Unit::kMonth)) == Lines{"2024-01-01T00:00:00Z: 4 20"});
}

TEST_CASE("a night of Berlin lies in the day of Berlin, on both sides of a change of the clock") {
  Kept kept;
  kept.ran("2024-03-30T22:59:00Z", 1);  // 23:59 of the 30th
  kept.ran("2024-03-30T23:00:00Z", 2);  // 00:00 of the 31st, in winter time
  kept.ran("2024-03-31T21:59:00Z", 3);  // 23:59 of the 31st, in summer time
  kept.ran("2024-03-31T22:00:00Z", 4);  // 00:00 of the 1st
  CHECK(lines(kept.history("Europe/Berlin", Unit::kDay)) ==
        Lines{"2024-03-29T23:00:00Z: 1 1", "2024-03-30T23:00:00Z: 2 2", "2024-03-31T22:00:00Z: 1 4"});
}

TEST_CASE("the hour that New York has twice is two buckets") {
  Kept kept;
  kept.ran("2024-11-03T05:30:00Z", 1);  // 01:30 in summer time
  kept.ran("2024-11-03T06:30:00Z", 2);  // 01:30 in winter time
  kept.ran("2024-11-03T06:45:00Z", 4);
  CHECK(lines(kept.history("America/New_York", Unit::kHour)) ==
        Lines{"2024-11-03T05:00:00Z: 1 1", "2024-11-03T06:00:00Z: 2 2"});
  CHECK(lines(kept.history("America/New_York", Unit::kDay)) == Lines{"2024-11-03T04:00:00Z: 3 2"});
}

TEST_CASE("whatever order runs arrive in, buckets stand in order of time") {
  Kept kept;
  for (const int day : {5, 1, 9, 3, 7, 1, 9}) kept.ran("2024-01-0" + std::to_string(day) + "T12:00:00Z", day);
  CHECK(lines(kept.history("UTC", Unit::kDay)) == Lines{"2024-01-01T00:00:00Z: 2 1", "2024-01-03T00:00:00Z: 1 3",
                                                        "2024-01-05T00:00:00Z: 1 5", "2024-01-07T00:00:00Z: 1 7",
                                                        "2024-01-09T00:00:00Z: 2 9"});
}

TEST_CASE("two runs a thousand years of hours apart are two buckets") {
  Kept kept;
  kept.ran("1970-01-01T00:00:00Z", 1);
  kept.ran("2260-01-01T00:00:00Z", 2);
  CHECK(kept.history("America/New_York", Unit::kHour).buckets.size() == 2);
}

TEST_CASE("history measures what statistics measure, of the same runs") {
  Kept kept;
  kept.ran("2024-01-01T10:00:00Z", 10);
  kept.ran("2024-01-01T11:00:00Z", 70, State::kFailed);
  kept.ran("2024-01-02T11:00:00Z", 80, State::kFailed);
  HistoryRequest request;
  request.of.filter.job = "job";
  request.of.outcomes = {State::kFailed};
  CHECK(lines(*kept.query.history(request)) == Lines{"2024-01-01T00:00:00Z: 1 70", "2024-01-02T00:00:00Z: 1 80"});
  request.of.filter.until = at("2024-01-02T00:00:00Z");
  CHECK(kept.query.history(request)->buckets.size() == 1);
  CHECK(kept.query.history(request)->buckets[0].stats.succeeded == 1);
  request.of.filter.job = "other";
  CHECK(absl::IsNotFound(kept.query.history(request).status()));
  const auto busy = absl::UnavailableError("busy");
  kept.store.summarize_error = busy;
  CHECK(kept.query.history(request).status() == busy);
  request.of.filter.version = "2";
  kept.store.summarize_error = absl::OkStatus();
  kept.store.scan_error = busy;
  CHECK(kept.query.history(request).status() == busy);
}

}  // namespace
}  // namespace kleptometrics::aggregator::query

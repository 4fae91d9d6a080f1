#include <cmath>
#include <string>
#include <vector>

#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/aggregator/stats/noise.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::Level;
using fakes::seconds;
using fakes::started;
using stats::kDay;
using stats::kHour;
using Texts = std::vector<std::string>;

// Runs at levels, `apart` from each other; each level has a version and a build of its own.
struct Levels {
  fakes::FaultyStore store;
  Query query{store};
  Nanos begin = at("2024-01-01T00:10:00Z");
  std::vector<Run> all;

  Levels(const std::vector<Level>& levels, Nanos apart, double sigma = 0.1) {
    std::size_t level = 0;
    for (const double duration : fakes::noisy(levels, sigma, 1)) {
      const auto number = static_cast<std::uint32_t>(all.size());
      if (number == levels[level].until) ++level;
      Run run = finished(started("job", number + 1, begin + number * apart), seconds(duration));
      run.version = "v" + std::to_string(level);
      run.build_id = "b" + std::to_string(level);
      run.counters["rows"] = 100;
      run.steps.push_back({"load", 1, 0, static_cast<std::uint64_t>(seconds(duration / 2)), 0, 0, {}});
      all.push_back(run);
    }
    REQUIRE(store.commit(all, begin).ok());
  }
  stats::ChangePoints changes(const ChangesRequest& request) {
    const auto found = query.changes(request);
    REQUIRE(found.ok());
    return *found;
  }
};

ChangesRequest of_job() {
  ChangesRequest request;
  request.filter.job = "job";
  return request;
}

TEST_CASE("a change is found with the versions and builds on both sides") {
  Levels kept({{100, 40}, {150, 60}, {230, 50}}, kHour, 0.05);
  const auto found = kept.changes(of_job());
  CHECK(found.points == 230);
  REQUIRE(found.changes.size() == 2);
  CHECK(found.changes[0].at == kept.all[100].started_at);
  CHECK(found.changes[0].versions_before == Texts{"v0"});
  CHECK(found.changes[0].versions_after == Texts{"v1"});
  CHECK(found.changes[0].build_ids_before == Texts{"b0"});
  CHECK(found.changes[0].build_ids_after == Texts{"b1"});
  CHECK(found.changes[0].runs_before == 100);
  CHECK(found.changes[0].runs_after == 50);
  CHECK(found.changes[0].verdict == stats::Verdict::kSlower);
  CHECK(found.changes[1].at == kept.all[150].started_at);
  CHECK(found.changes[1].versions_before == Texts{"v1"});
  CHECK(found.changes[1].versions_after == Texts{"v2"});
  CHECK(found.changes[1].verdict == stats::Verdict::kFaster);
}

TEST_CASE("changes are those of the runs, the time and the measure that were asked for") {
  Levels kept({{100, 40}, {200, 60}}, kHour, 0.05);
  ChangesRequest request = of_job();
  request.filter.since = kept.all[110].started_at;
  CHECK(kept.changes(request).changes.empty());
  CHECK(kept.changes(request).points == 90);
  request.filter.since = kept.all[60].started_at;
  request.filter.until = kept.all[140].started_at;
  CHECK(kept.changes(request).changes.at(0).runs_before == 40);
  request = of_job();
  request.filter.version = "v1";
  CHECK(kept.changes(request).points == 100);
  request = of_job();
  request.measure = *stats::Measure::parse("counter:rows");
  CHECK(kept.changes(request).points == 200);
  CHECK(kept.changes(request).changes.empty());
  request.measure = {};
  request.step = "load";
  REQUIRE(kept.changes(request).changes.size() == 1);
  CHECK(*kept.changes(request).changes[0].ratio > 1.4);
  request.filter.job = "unknown";
  CHECK(absl::IsNotFound(kept.query.changes(request).status()));
  kept.store.scan_error = absl::UnavailableError("busy");
  CHECK(absl::IsUnavailable(kept.query.changes(of_job()).status()));
}

TEST_CASE("a job of few runs, or none that succeeded, has no changes") {
  Levels kept({{9, 40}}, kHour);
  CHECK(kept.changes(of_job()).points == 9);
  CHECK(kept.changes(of_job()).changes.empty());
}

TEST_CASE("runs that have expired have their changes by the hour or day, and are told by those that are left") {
  Levels kept({{1000, 40}, {3000, 60}}, kHour / 4, 0.05);
  REQUIRE(kept.store.put_job("job", {.retention_days = 24}).ok());
  const Nanos now = kept.all.back().started_at + kHour;
  for (bool more = true; more;) {
    const auto done = kept.store.maintain(now, true);
    REQUIRE(done.ok());
    more = done->more;
  }
  REQUIRE(*kept.store.complete_since("job") > kept.begin);
  REQUIRE(*kept.store.complete_since("job") < kept.all[1000].started_at);
  auto found = kept.changes(of_job());
  CHECK(found.points == 750);
  REQUIRE(found.changes.size() == 1);
  CHECK(found.changes[0].runs_before + found.changes[0].runs_after == 3000);
  CHECK(std::abs(found.changes[0].at - kept.all[1000].started_at) <= kHour);
  CHECK(found.changes[0].versions_before == Texts{"v0"});
  CHECK(found.changes[0].versions_after.back() == "v1");
  ChangesRequest step = of_job();
  step.step = "load";
  found = kept.changes(step);
  CHECK(found.points == 32);
  REQUIRE(found.changes.size() == 1);
  CHECK(std::abs(found.changes[0].at - kept.all[1000].started_at) <= kDay);
}

TEST_CASE("more runs than are read one by one are looked at by the hour, and then more closely") {
  Levels kept({{15'010, 40}, {21'000, 60}}, 5 * 60 * kNanosPerSecond, 0.1);
  const auto found = kept.changes(of_job());
  CHECK(found.points == 876);  // two hours each
  REQUIRE(found.changes.size() == 1);
  const stats::ChangePoint& change = found.changes[0];
  CHECK(change.at == kept.all[15'010].started_at);
  CHECK(change.runs_before + change.runs_after == 21'000);
  CHECK(change.versions_before == Texts{"v0"});
  CHECK(change.versions_after == Texts{"v1"});
}

}  // namespace
}  // namespace kleptometrics::aggregator::query

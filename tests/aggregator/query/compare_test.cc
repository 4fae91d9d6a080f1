#include "aggregator/query/query.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using Field = std::optional<std::string>;

// Runs a second apart; the duration of the n-th is n seconds, so that min and max say which runs were taken.
struct Kept {
  fakes::FaultyStore store;
  Query query{store};

  explicit Kept(int runs) {
    for (int i = 1; i <= runs; ++i) keep(i, State::kSucceeded);
  }
  Run keep(int number, State state) {
    const Run run =
        finished(started("job", static_cast<std::uint32_t>(number), kStart + seconds(number)), seconds(number), state);
    const std::vector<Run> one = {run};
    REQUIRE(store.commit(one, 0).ok());
    return run;
  }
  stats::Difference compare(const CompareRequest& request) {
    REQUIRE_FALSE(overlap(request));
    const auto comparison = query.compare(request);
    REQUIRE(comparison.ok());
    return comparison->total;
  }
};

CompareRequest of_job() {
  CompareRequest request;
  request.filter.job = "job";
  return request;
}
Nanos at(int number) { return kStart + seconds(number); }

std::string range(const stats::Stats& stats) {
  if (stats.count == 0) return "none";
  return std::to_string(static_cast<int>(*stats.min)) + " to " + std::to_string(static_cast<int>(*stats.max));
}
std::string sides(const stats::Difference& difference) {
  return range(difference.window) + " against " + range(difference.baseline);
}

TEST_CASE("asked for nothing else, the last 30 runs are compared with the 200 before") {
  CHECK(sides(Kept(300).compare(of_job())) == "271 to 300 against 71 to 270");
  CHECK(sides(Kept(100).compare(of_job())) == "71 to 100 against 1 to 70");
  CHECK(sides(Kept(20).compare(of_job())) == "1 to 20 against none");
}

TEST_CASE("a window in time is compared with the 200 before it") {
  Kept kept(300);
  CompareRequest request = of_job();
  request.filter.since = at(250);
  CHECK(sides(kept.compare(request)) == "250 to 300 against 50 to 249");
  request.filter.until = at(260);
  CHECK(sides(kept.compare(request)) == "250 to 259 against 50 to 249");
  request.filter.since.reset();
  CHECK(sides(kept.compare(request)) == "230 to 259 against 30 to 229");
  request.filter.until = at(1);
  CHECK(sides(kept.compare(request)) == "none against none");
  request.filter.since = at(400);
  request.filter.until.reset();
  CHECK(sides(kept.compare(request)) == "none against 101 to 300");
}

TEST_CASE("a baseline in time is all that started in it") {
  Kept kept(300);
  CompareRequest request = of_job();
  request.baseline_since = at(10);
  CHECK(sides(kept.compare(request)) == "271 to 300 against 10 to 270");
  request.baseline_until = at(20);
  CHECK(sides(kept.compare(request)) == "271 to 300 against 10 to 19");
  request.baseline_until = at(290);
  CHECK(sides(kept.compare(request)) == "290 to 300 against 10 to 289");
  request.baseline_since.reset();
  CHECK(sides(kept.compare(request)) == "290 to 300 against 90 to 289");
}

TEST_CASE("a baseline may lie after its window") {
  Kept kept(300);
  CompareRequest request = of_job();
  request.filter.since = at(10);
  request.filter.until = at(20);
  request.baseline_since = at(20);
  request.baseline_until = at(30);
  CHECK(sides(kept.compare(request)) == "10 to 19 against 20 to 29");
  request.filter.since.reset();
  CHECK(sides(kept.compare(request)) == "1 to 19 against 20 to 29");
}

TEST_CASE("among equal starts no run is on both sides") {
  Kept kept(0);
  for (std::uint32_t i = 1; i <= 100; ++i) {
    const std::vector<Run> one = {(finished(started("job", i), seconds(i)))};
    REQUIRE(kept.store.commit(one, 0).ok());
  }
  CHECK(sides(kept.compare(of_job())) == "71 to 100 against 1 to 70");
}

TEST_CASE("runs that did not succeed, and those of other filters, are on neither side") {
  Kept kept(50);
  for (int i = 51; i <= 60; ++i) kept.keep(i, State::kFailed);
  CHECK(sides(kept.compare(of_job())) == "21 to 50 against 1 to 20");
  CompareRequest request = of_job();
  request.filter.version = "2";
  CHECK(sides(kept.compare(request)) == "none against none");
  request.filter.job = "other";
  CHECK(absl::IsNotFound(kept.query.compare(request).status()));
  kept.store.runs_error = absl::UnavailableError("busy");
  CHECK(absl::IsUnavailable(kept.query.compare(of_job()).status()));
}

// 60 runs of version 1, then 60 of version 2, the last 20 of 1 again: rolled back. Builds a, b, a.
struct Versions : Kept {
  Versions() : Kept(0) {
    for (int i = 1; i <= 140; ++i) {
      Run run = finished(started("job", static_cast<std::uint32_t>(i), kStart + seconds(i)), seconds(i));
      const bool second = i > 60 && i <= 120;
      run.version = second ? "2" : "1";
      run.build_id = second ? "b" : "a";
      REQUIRE(store.commit({run}, 0).ok());
    }
  }
};

TEST_CASE("one version is compared with another, whichever came first") {
  Versions kept;
  CompareRequest request = of_job();
  request.filter.version = "2";
  request.baseline_version = "1";
  CHECK(sides(kept.compare(request)) == "91 to 120 against 1 to 140");
  request.filter.version = "1";
  request.baseline_version = "2";
  CHECK(sides(kept.compare(request)) == "51 to 140 against 61 to 120");
  request.filter.since = at(121);
  CHECK(sides(kept.compare(request)) == "121 to 140 against 61 to 120");
  request.filter.since.reset();
  request.baseline_until = at(100);
  CHECK(sides(kept.compare(request)) == "51 to 140 against 61 to 99");
  CompareRequest builds = of_job();
  builds.filter.build_id = "a";
  builds.baseline_build_id = "b";
  CHECK(sides(kept.compare(builds)) == "51 to 140 against 61 to 120");
}

TEST_CASE("what is newest is compared with a version before it, and no run is on both sides") {
  Versions kept;
  CompareRequest request = of_job();
  request.baseline_version = "1";
  CHECK(sides(kept.compare(request)) == "111 to 140 against 1 to 60");
  request.baseline_version = "2";
  CHECK(sides(kept.compare(request)) == "111 to 140 against 61 to 110");
}

TEST_CASE("a baseline of the same version or build is refused") {
  CompareRequest request = of_job();
  request.filter.version = request.baseline_version = "2";
  CHECK(overlap(request)->field == "baseline_version");
  request.baseline_build_id = "b";
  CHECK_FALSE(overlap(request));
  CompareRequest builds = of_job();
  builds.filter.build_id = builds.baseline_build_id = "b";
  CHECK(overlap(builds)->field == "baseline_build_id");
  builds.filter.build_id = "a";
  CHECK_FALSE(overlap(builds));
  builds.filter.since = at(1);
  builds.baseline_until = at(9);
  CHECK_FALSE(overlap(builds));  // builds keep them apart, not the time
  builds.filter.build_id.clear();
  CHECK(overlap(builds)->field == "baseline_until");
}

// The parameter at fault of a window and a baseline, each from and to.
Field fault(std::optional<int> since, std::optional<int> until, std::optional<int> from, std::optional<int> to) {
  const auto instant = [](std::optional<int> number) {
    return number ? std::optional<Nanos>(at(*number)) : std::nullopt;
  };
  CompareRequest request = of_job();
  request.filter.since = instant(since);
  request.filter.until = instant(until);
  request.baseline_since = instant(from);
  request.baseline_until = instant(to);
  const auto error = overlap(request);
  return error ? Field(error->field) : std::nullopt;
}

TEST_CASE("a run must not be on both sides") {
  const auto none = std::nullopt;
  CHECK_FALSE(fault(none, none, none, none));
  CHECK_FALSE(fault(10, 20, 1, 10));
  CHECK_FALSE(fault(10, 20, 20, 30));
  CHECK_FALSE(fault(10, none, none, 10));
  CHECK_FALSE(fault(10, none, 9, none));
  CHECK_FALSE(fault(none, 20, 1, 10));
  CHECK_FALSE(fault(none, 20, 20, 30));
  CHECK_FALSE(fault(none, 20, 19, none));
  CHECK_FALSE(fault(none, none, 1, 10));
  CHECK(fault(10, 20, 1, 11) == "baseline_until");
  CHECK(fault(10, 20, 19, 30) == "baseline_until");
  CHECK(fault(10, 20, 12, 15) == "baseline_until");
  CHECK(fault(10, none, 20, 30) == "baseline_until");
  CHECK(fault(10, none, none, 11) == "baseline_until");
  CHECK(fault(none, 20, 1, 20) == "baseline_until");
  CHECK(fault(none, 20, none, 30) == "baseline_until");
  CHECK(fault(10, none, 10, none) == "baseline_since");
  CHECK(fault(none, 20, 20, none) == "baseline_since");
  CHECK(fault(10, 20, 25, none) == "baseline_since");
  CHECK(fault(none, none, 5, 4) == "baseline_since");
}

}  // namespace
}  // namespace kleptometrics::aggregator::query

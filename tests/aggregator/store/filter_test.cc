// Questions: every member of RunFilter, alone and together, over every store.
#include <functional>

#include "aggregator/store/sqlite/connection.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

// Two jobs, all states, a second apart, with texts to tell them apart.
std::vector<Run> mixture() {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < 40; ++i) {
    Run run = started(i % 3 == 0 ? "export" : "import", i, kStart + seconds(i));
    const auto state = static_cast<State>(1 + i % 5);
    if (state != State::kRunning) run = finished(run, seconds(i), state);
    run.host = i % 2 == 0 ? "alpha" : "beta";
    run.version = "v" + std::to_string(i % 4);
    run.build_id = "b" + std::to_string(i % 6);
    run.labels = {{"region", i % 2 == 0 ? "eu" : "us"}, {"shard", std::to_string(i % 3)}};
    runs.push_back(run);
  }
  return runs;
}

void expect_only(Shop& shop, const RunFilter& filter, const std::function<bool(const Run&)>& wanted) {
  std::vector<Run> expected;
  for (const Run& run : mixture()) {
    REQUIRE(matches(filter, run) == wanted(run));
    if (wanted(run)) expected.insert(expected.begin(), run);
  }
  REQUIRE(shop.list(filter) == expected);
  REQUIRE(shop.list(filter, 3) == expected);
  REQUIRE(shop.scan(filter) == expected);
}

TEST_CASE("filters select what they say") {
  Shop shop(GENERATE(from_range(kinds())));
  shop.commit(mixture());
  expect_only(shop, {}, [](const Run&) { return true; });
  expect_only(shop, {.job = "export"}, [](const Run& run) { return run.job == "export"; });
  expect_only(shop, {.job = "nobody"}, [](const Run&) { return false; });
  expect_only(shop, {.job = "exp"}, [](const Run&) { return false; });
  expect_only(shop, {.host = "beta"}, [](const Run& run) { return run.host == "beta"; });
  expect_only(shop, {.version = "v3"}, [](const Run& run) { return run.version == "v3"; });
  expect_only(shop, {.build_id = "b5"}, [](const Run& run) { return run.build_id == "b5"; });
  expect_only(shop, {.labels = {{"region", "eu"}}}, [](const Run& run) { return run.labels.at("region") == "eu"; });
  expect_only(shop, {.labels = {{"region", "eu"}, {"shard", "1"}}},
              [](const Run& run) { return run.labels.at("region") == "eu" && run.labels.at("shard") == "1"; });
  expect_only(shop, {.labels = {{"region", "eu"}, {"region", "us"}}}, [](const Run&) { return false; });
  expect_only(shop, {.labels = {{"no", ""}}}, [](const Run&) { return false; });
}

TEST_CASE("every set of states selects its own, with a job and without") {
  Shop shop(GENERATE(from_range(kinds())));
  shop.commit(mixture());
  for (unsigned set = 1; set < 32; ++set) {
    RunFilter filter;
    for (unsigned state = 1; state <= 5; ++state) {
      if ((set >> (state - 1)) & 1U) filter.states.push_back(static_cast<State>(state));
    }
    const auto in_set = [&](const Run& run) { return ((set >> (static_cast<unsigned>(run.state) - 1)) & 1U) != 0; };
    expect_only(shop, filter, in_set);
    filter.job = "import";
    expect_only(shop, filter, [&](const Run& run) { return in_set(run) && run.job == "import"; });
  }
}

TEST_CASE("since is in and until is out") {
  Shop shop(GENERATE(from_range(kinds())));
  shop.commit(mixture());
  const Nanos since = kStart + seconds(10);
  const Nanos until = kStart + seconds(20);
  const auto within = [=](const Run& run) { return run.started_at >= since && run.started_at < until; };
  expect_only(shop, {.since = since, .until = until}, within);
  expect_only(shop, {.since = since}, [=](const Run& run) { return run.started_at >= since; });
  expect_only(shop, {.until = until}, [=](const Run& run) { return run.started_at < until; });
  expect_only(shop, {.since = until, .until = since}, [](const Run&) { return false; });
  expect_only(shop, {.since = since, .until = since}, [](const Run&) { return false; });
  expect_only(shop, {.job = "import", .states = {State::kFailed}, .since = since, .until = until, .host = "alpha"},
              [=](const Run& run) {
                return within(run) && run.job == "import" && run.state == State::kFailed && run.host == "alpha";
              });
}

TEST_CASE("until and a cursor together keep to both") {
  Shop shop(GENERATE(from_range(kinds())));
  const std::vector<Run> runs = mixture();
  shop.commit(runs);
  const RunFilter filter{.until = runs[20].started_at};
  REQUIRE(shop.page(filter, RunCursor{runs[30].started_at, runs[30].id}, 1).runs.at(0) == runs[19]);
  REQUIRE(shop.page(filter, RunCursor{runs[10].started_at, runs[10].id}, 1).runs.at(0) == runs[9]);
}

TEST_CASE("a run that ends leaves the list of running ones") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run run = started("import", 1);
  shop.commit(run);
  REQUIRE(shop.list({.states = {State::kRunning}}).size() == 1);
  shop.commit(finished(run, seconds(1), State::kFailed));
  REQUIRE(shop.list({.states = {State::kRunning}}).empty());
  REQUIRE(shop.list({.states = {State::kFailed}}).size() == 1);
  REQUIRE(shop.list({.job = "import", .states = {State::kFailed, State::kCrashed}}).size() == 1);
}

}  // namespace
}  // namespace kleptometrics::aggregator

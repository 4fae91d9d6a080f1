// What every store promises (aggregator/store/store.h), over every store.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/aggregator/model/full_run.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::full_run;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

using All = std::vector<Applied>;
constexpr auto kAccepted = Applied::kAccepted;
constexpr auto kDuplicate = Applied::kDuplicate;

// Runs 0 to count - 1 of one job, a second apart.
std::vector<Run> series(std::uint32_t count, const std::string& job = "import") {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < count; ++i) runs.push_back(started(job, i, kStart + seconds(i)));
  return runs;
}

std::vector<Run> newest_first(std::vector<Run> runs) {
  std::ranges::reverse(runs);
  return runs;
}

TEST_CASE("an empty store answers with nothing") {
  Shop shop(GENERATE(from_range(kinds())));
  REQUIRE(shop.commit(std::vector<Run>()).empty());
  REQUIRE_FALSE(shop.run(id_of(1)));
  REQUIRE(shop.list().empty());
  REQUIRE(shop.scan().empty());
  REQUIRE(shop.jobs().empty());
  REQUIRE(shop.store().ready().ok());
}

TEST_CASE("a run comes back whole") {
  Shop shop(GENERATE(from_range(kinds())));
  REQUIRE(shop.commit(full_run()) == kAccepted);
  REQUIRE(shop.run(full_run().id) == full_run());
  REQUIRE(shop.list() == std::vector<Run>{full_run()});
  REQUIRE(shop.jobs() == std::vector<std::string>{"nightly-billing"});
}

TEST_CASE("the same snapshot is applied once") {
  Shop shop(GENERATE(from_range(kinds())));
  REQUIRE(shop.commit(full_run()) == kAccepted);
  REQUIRE(shop.commit(full_run()) == kDuplicate);
  REQUIRE(shop.commit({full_run(), full_run()}) == All{kDuplicate, kDuplicate});
  shop.reopen();
  REQUIRE(shop.commit(full_run()) == kDuplicate);
  REQUIRE(shop.list().size() == 1);
}

TEST_CASE("snapshots of one run within one commit are applied in order") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run first = started("import", 1);
  Run second = first;
  second.revision = 2;
  const Run last = finished(second, seconds(5));
  REQUIRE(shop.commit({first, second, first, last, second, last}) ==
          All{kAccepted, kAccepted, kDuplicate, kAccepted, kDuplicate, kDuplicate});
  REQUIRE(shop.run(first.id) == last);
  REQUIRE(shop.list().size() == 1);
}

TEST_CASE("what was added to a run outlives every snapshot, in whatever order they arrive") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run first = started("import", 0);
  Run second = first;
  second.revision = 2;
  const Run dead = verdict_on(second);
  const Run ended = finished(second, seconds(6));
  // Additions were made to different snapshots; the second of them knows the first.
  const std::vector<Run> parts = {first, annotated(first, 1, "41"), annotated(dead, 2, "42"), dead, ended};
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  std::uint32_t number = 0;
  do {
    Run expected = annotated(ended, 2, "42");
    expected.id = id_of(++number);
    for (const std::size_t at : order) {
      Run part = parts[at];
      part.id = expected.id;
      shop.commit(part);
    }
    REQUIRE(shop.run(expected.id) == expected);
    REQUIRE(shop.commit(expected) == kDuplicate);
  } while (std::ranges::next_permutation(order).found);
  shop.reopen();
  REQUIRE(shop.run(id_of(1))->annotations.revision == 2);
  RunFilter filter;
  filter.labels = {{"ticket", "42"}};
  REQUIRE(shop.list(filter).size() == number);
  filter.labels = {{"ticket", "41"}};
  REQUIRE(shop.list(filter).empty());
}

TEST_CASE("an addition alone changes a run, and the same again does not") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run run = finished(started("import", 1), seconds(5));
  REQUIRE(shop.commit(run) == kAccepted);
  REQUIRE(shop.commit(annotated(run, 1)) == kAccepted);
  REQUIRE(shop.commit(annotated(run, 1)) == kDuplicate);
  REQUIRE(shop.commit(run) == kDuplicate);
  REQUIRE(shop.run(run.id) == annotated(run, 1));
}

TEST_CASE("in whatever order the snapshots of a run arrive, the same is stored") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run first = started("import", 0);
  Run second = first;
  second.revision = 2;
  second.counters["rows"] = 10;
  const Run dead = verdict_on(second);
  Run twin = finished(second, seconds(5));
  Run ended = finished(second, seconds(6));
  const std::string newest = std::max(wire::encode_run(twin), wire::encode_run(ended));
  std::vector<Run> snapshots = {first, second, dead, twin, ended};
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  std::uint32_t number = 0;
  do {
    const Uuid id = id_of(++number);
    for (const std::size_t at : order) {
      Run snapshot = snapshots[at];
      snapshot.id = id;
      shop.commit(snapshot);
    }
    Run expected = must(wire::decode_run(newest));
    expected.id = id;
    REQUIRE(shop.bytes(id) == wire::encode_run(expected));
  } while (std::ranges::next_permutation(order).found);
  REQUIRE(number == 120);
}

TEST_CASE("a verdict ends a running run and is overruled by its reporter") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run open = started("import", 1);
  Run later = open;
  later.revision = 50;
  const Run dead = verdict_on(open);
  const Run said = finished(open, seconds(9));
  REQUIRE(shop.commit(open) == kAccepted);
  REQUIRE(shop.commit(dead) == kAccepted);
  REQUIRE(shop.commit(later) == kDuplicate);
  REQUIRE(shop.run(open.id) == dead);
  REQUIRE(shop.commit(said) == kAccepted);
  REQUIRE(shop.commit(dead) == kDuplicate);
  REQUIRE(shop.run(open.id) == said);
  REQUIRE(shop.list({.states = {State::kCrashed}}).empty());
  REQUIRE(shop.list({.states = {State::kRunning}}).empty());
}

TEST_CASE("of equal revisions the larger bytes stay") {
  Shop shop(GENERATE(from_range(kinds())));
  Run one = finished(started("import", 1), seconds(5));
  Run other = finished(started("import", 1), seconds(6));
  if (wire::encode_run(one) < wire::encode_run(other)) std::swap(one, other);
  REQUIRE(shop.commit({other, one, other}) == All{kAccepted, kAccepted, kDuplicate});
  REQUIRE(shop.run(one.id) == one);
}

TEST_CASE("revisions are compared as unsigned numbers") {
  Shop shop(GENERATE(from_range(kinds())));
  Run high = started("import", 1);
  high.revision = std::uint64_t{1} << 63U;
  Run low = started("import", 1);
  REQUIRE(shop.commit({high, low}) == All{kAccepted, kDuplicate});
  shop.reopen();
  REQUIRE(shop.commit(low) == kDuplicate);
  REQUIRE(shop.run(low.id) == high);
}

TEST_CASE("a known id under another job or start is rejected and changes nothing") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run known = started("import", 1);
  shop.commit(known);
  Run other_job = finished(known, seconds(1));
  other_job.job = "export";
  Run other_start = finished(known, seconds(1));
  other_start.started_at += 1;
  REQUIRE(shop.commit({other_job, other_start, known}) == All{Applied::kOtherJob, Applied::kOtherStart, kDuplicate});
  REQUIRE(shop.list() == std::vector<Run>{known});
  REQUIRE(shop.jobs() == std::vector<std::string>{"import"});
  REQUIRE(shop.commit({started("a", 2), started("b", 2)}) == All{kAccepted, Applied::kOtherJob});
}

TEST_CASE("lists show the newest start first, and of equal starts the larger id") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run old = started("import", 9, kStart);
  const Run low = started("import", 3, kStart + seconds(1));
  const Run high = started("export", 4, kStart + seconds(1));
  shop.commit({low, old, high});
  for (const std::size_t limit : {1U, 2U, 3U, 4U}) {
    REQUIRE(shop.list({}, limit) == std::vector<Run>{high, low, old});
  }
}

TEST_CASE("pages of every size give the same list, and the last has no next") {
  Shop shop(GENERATE(from_range(kinds())));
  const std::vector<Run> runs = series(25);
  shop.commit(runs);
  for (const std::size_t limit :
       {std::size_t{1}, std::size_t{7}, std::size_t{24}, std::size_t{25}, std::size_t{26}, ~std::size_t{0}}) {
    CAPTURE(limit);
    REQUIRE(shop.list({}, limit) == newest_first(runs));
    REQUIRE(shop.list({.job = "import"}, limit) == newest_first(runs));
  }
  REQUIRE_FALSE(shop.page({}, std::nullopt, 25).next);
  REQUIRE(shop.page({}, std::nullopt, 24).next == RunCursor{runs[1].started_at, runs[1].id});
  REQUIRE(shop.page({}, RunCursor{0, {}}, 5).runs.empty());
  REQUIRE(absl::IsInvalidArgument(shop.store().runs({}, std::nullopt, 0).status()));
}

TEST_CASE("paging neither repeats nor skips while runs arrive and change") {
  Shop shop(GENERATE(from_range(kinds())));
  const std::vector<Run> runs = series(30);
  shop.commit(runs);
  std::vector<Run> seen;
  std::optional<RunCursor> after;
  std::uint32_t number = 1000;
  do {
    const RunPage page = shop.page({}, after, 4);
    for (const Run& run : page.runs) {
      if (run.id < id_of(1000)) seen.push_back(run);
    }
    after = page.next;
    shop.commit({started("import", number, kStart + seconds(100)),    // before what was read
                 started("import", number + 1, kStart - seconds(1)),  // far behind
                 finished(runs[number % 30], seconds(1))});           // anywhere
    number += 2;
  } while (after && number < 2000);
  REQUIRE(seen.size() == 30);
  for (std::size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i].id == runs[29 - i].id);
}

TEST_CASE("a cursor whose run is gone or never was is a position all the same") {
  Shop shop(GENERATE(from_range(kinds())));
  const std::vector<Run> runs = series(3);
  shop.commit(runs);
  const RunCursor between{runs[1].started_at + 1, id_of(77)};
  REQUIRE(shop.page({}, between, 10).runs == std::vector<Run>{runs[1], runs[0]});
  const RunCursor above_equal{runs[1].started_at, id_of(77)};
  REQUIRE(shop.page({}, above_equal, 10).runs == std::vector<Run>{runs[1], runs[0]});
  const RunCursor exact{runs[1].started_at, runs[1].id};
  REQUIRE(shop.page({}, exact, 10).runs == std::vector<Run>{runs[0]});
}

TEST_CASE("jobs are listed bytewise, each once") {
  Shop shop(GENERATE(from_range(kinds())));
  shop.commit({started("b", 1), started("a:z", 2), started("B", 3), started("a", 4), started("a", 5)});
  REQUIRE(shop.jobs() == std::vector<std::string>{"B", "a", "a:z", "b"});
}

TEST_CASE("what a job is meant to be comes back whole, and is replaced whole") {
  Shop shop(GENERATE(from_range(kinds())));
  JobSpec spec;
  spec.description = "bills";
  spec.tags = {"a", "b"};
  spec.retention_days = 7;
  spec.cron = "0 6 * * mon-fri";
  spec.timezone = "Europe/Berlin";
  spec.grace = 0;
  spec.max_duration = seconds(60);
  spec.min_duration = seconds(1);
  spec.failures_before_alert = 2;
  spec.successes_before_recovery = 3;
  spec.maintenance = {{kStart, kStart + seconds(5), "", 0}, {0, 0, "@weekly", seconds(9)}};
  spec.paused_until = kNanosEnd;
  const auto stored = [&shop] { return shop.store().jobs("import")->front().spec; };
  REQUIRE(shop.store().put_job("import", spec).ok());
  REQUIRE(stored() == spec);
  shop.reopen();
  REQUIRE(stored() == spec);
  REQUIRE(shop.store().put_job("import", JobSpec{}).ok());
  shop.reopen();
  REQUIRE(stored() == JobSpec{});
}

TEST_CASE("what was acknowledged is there after a reopening") {
  Shop shop(GENERATE(from_range(kinds())));
  std::vector<Run> runs = series(10);
  shop.commit(runs);
  for (int round = 0; round < 3; ++round) {
    shop.reopen();
    REQUIRE(shop.list() == newest_first(runs));
    REQUIRE(shop.scan() == newest_first(runs));
    runs[4].revision += 1;
    REQUIRE(shop.commit(runs[4]) == kAccepted);
  }
}

// Runs of one commit share a revision, so a reader that saw half of a commit would see two.
TEST_CASE("readers see all of a commit or nothing of it") {
  Shop shop(GENERATE(from_range(kinds())));
  constexpr std::uint64_t rounds = 60;
  std::vector<Run> runs = series(20);
  shop.commit(runs);
  std::atomic<std::uint64_t> acknowledged{1};
  std::atomic<int> faults{0};
  std::atomic<int> reads{0};
  const auto read = [&] {
    while (acknowledged < rounds) {
      const std::uint64_t before = acknowledged;
      std::set<std::uint64_t> revisions;
      std::size_t count = 0;
      const auto look = [&](const Run& run) { ++count, revisions.insert(run.revision); };
      const bool fine = shop.store().scan({}, look).ok() && shop.store().ready().ok() &&
                        shop.store().run(runs[0].id).ok() && shop.store().jobs().ok();
      const auto page = shop.store().runs({.job = "import"}, std::nullopt, 50);
      std::set<std::uint64_t> paged;
      if (page.ok()) std::ranges::for_each(page->runs, [&](const Run& run) { paged.insert(run.revision); });
      if (!fine || count != 20 || revisions.size() != 1 || *revisions.begin() < before || paged.size() != 1) {
        ++faults;
      }
      ++reads;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 6; ++i) readers.emplace_back(read);
  for (std::uint64_t revision = 2; revision <= rounds || reads < 20; ++revision) {
    for (Run& run : runs) run.revision = revision;
    shop.commit(runs);
    acknowledged = std::min(revision, reads < 20 ? rounds - 1 : rounds);
  }
  for (std::thread& reader : readers) reader.join();
  REQUIRE(faults == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator

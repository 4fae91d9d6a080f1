// Delays, alerts and the state of watching, over every store: put, kept, listed, counted and forgotten.
#include <functional>
#include <map>
#include <random>
#include <set>

#include "tests/aggregator/store/fixture.h"
#include "tests/fakes/findings.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::closed;
using fakes::delayed;
using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::raised;
using fakes::seconds;
using fakes::started;

void record(Shop& shop, const Findings& findings) { REQUIRE(shop.store().record(findings) == absl::OkStatus()); }
void record(Shop& shop, std::vector<Alert> alerts) { record(shop, Findings{.alerts = std::move(alerts)}); }
void record(Shop& shop, std::vector<Delay> delays) { record(shop, Findings{.delays = std::move(delays)}); }

auto page(Shop& shop, const AlertFilter& filter, const std::optional<FindingCursor>& after, std::size_t limit) {
  return must(shop.store().alerts(filter, after, limit));
}
auto page(Shop& shop, const DelayFilter& filter, const std::optional<FindingCursor>& after, std::size_t limit) {
  return must(shop.store().delays(filter, after, limit));
}

// All of them, in pages of `limit`; `between` is called behind every page.
template <typename Filter>
auto list(
    Shop& shop, const Filter& filter, std::size_t limit = 1000, const std::function<void()>& between = [] {}) {
  decltype(page(shop, filter, std::nullopt, limit).items) all;
  std::optional<FindingCursor> after;
  do {
    const auto found = page(shop, filter, after, limit);
    REQUIRE((found.next ? found.items.size() == limit : found.items.size() <= limit));
    all.insert(all.end(), found.items.begin(), found.items.end());
    after = found.next;
    between();
  } while (after);
  return all;
}
std::vector<Alert> alerts(Shop& shop, const AlertFilter& filter = {}) { return list(shop, filter); }
std::vector<Delay> delays(Shop& shop, const DelayFilter& filter = {}) { return list(shop, filter); }
std::optional<Alert> alert(Shop& shop, std::uint32_t number) { return must(shop.store().alert(id_of(number))); }

Alert full_alert() {
  Alert alert = closed(raised("import", 7, kStart, AlertKind::kOverrun), kStart + seconds(9));
  alert.run_id = id_of(70);
  alert.acknowledged_at = kStart + seconds(5);
  alert.message = "took 9 s, 4 s more than the 5 s allowed";
  alert.expected = seconds(5);
  alert.actual = seconds(9);
  return alert;
}

Delay full_delay() {
  Delay delay = closed(delayed("import", 7, kStart, DelayKind::kLateStart), kStart + seconds(30));
  delay.run_id = id_of(70);
  delay.actual = seconds(90);
  return delay;
}

TEST_CASE("a store without findings answers with none") {
  Shop shop(GENERATE(from_range(kinds())));
  record(shop, Findings{});
  CHECK(alerts(shop).empty());
  CHECK(delays(shop).empty());
  CHECK_FALSE(alert(shop, 1));
  CHECK(must(shop.store().alert_counts({})).empty());
  CHECK(must(shop.store().delay_counts({})).empty());
  CHECK(must(shop.store().watch_states()).empty());
  CHECK(shop.jobs().empty());
}

TEST_CASE("delays and alerts come back whole, also after a reopening") {
  Shop shop(GENERATE(from_range(kinds())));
  // The same id may stand for a delay and for an alert.
  record(shop, Findings{{full_delay(), delayed("export", 8)}, {full_alert(), raised("export", 8)}});
  for (int round = 0; round < 2; ++round) {
    CHECK(alerts(shop) == std::vector<Alert>{raised("export", 8), full_alert()});
    CHECK(delays(shop) == std::vector<Delay>{delayed("export", 8), full_delay()});
    CHECK(alert(shop, 7) == full_alert());
    shop.reopen();
  }
}

TEST_CASE("findings about a job make it known, and it may have runs, too") {
  Shop shop(GENERATE(from_range(kinds())));
  record(shop, {raised("b", 1)});
  record(shop, {delayed("a", 1)});
  record(shop, Findings{.watch_states = {{"c", "x"}}});
  CHECK(shop.jobs() == std::vector<std::string>{"a", "b", "c"});
  shop.commit(finished(started("b", 1), seconds(1)));
  shop.reopen();
  CHECK(shop.jobs() == std::vector<std::string>{"a", "b", "c"});
  CHECK(shop.list().size() == 1);
}

TEST_CASE("what is found again replaces what was, under its id") {
  Shop shop(GENERATE(from_range(kinds())));
  record(shop, {delayed("import", 1)});
  Delay late = closed(delayed("import", 1, kStart, DelayKind::kLateStart), kStart + seconds(5));
  late.run_id = id_of(9);
  late.actual = seconds(65);
  record(shop, {late});
  record(shop, {late});
  CHECK(delays(shop) == std::vector<Delay>{late});
  CHECK(delays(shop, {.kinds = {DelayKind::kMissed}}).empty());
  CHECK(delays(shop, {.run_id = id_of(9)}) == std::vector<Delay>{late});
}

TEST_CASE("a delay that is withdrawn is gone, an alert of the same id is not") {
  Shop shop(GENERATE(from_range(kinds())));
  record(shop, Findings{{delayed("a", 1), closed(delayed("a", 2), kStart)}, {raised("a", 1)}});
  record(shop, Findings{.delays = {delayed("a", 3)}, .withdrawn = {id_of(1), id_of(2), id_of(77)}});
  CHECK(delays(shop) == std::vector<Delay>{delayed("a", 3)});
  CHECK(alerts(shop) == std::vector<Alert>{raised("a", 1)});
}

TEST_CASE("an alert opens once and closes once") {
  Shop shop(GENERATE(from_range(kinds())));
  const Alert open = raised("import", 1);
  Alert ended = closed(open, kStart + seconds(50));
  ended.message = "recovered";
  record(shop, {open, ended});
  record(shop, {open});
  CHECK(alert(shop, 1) == ended);
  Alert moved = ended;
  moved.opened_at += seconds(1);
  moved.message = "recovered, as was learned later";
  record(shop, {moved});
  moved.opened_at = open.opened_at;
  CHECK(alert(shop, 1) == moved);
  CHECK(alerts(shop, {.open = true}).empty());
}

TEST_CASE("what somebody acknowledged stays acknowledged, since then") {
  Shop shop(GENERATE(from_range(kinds())));
  Alert seen = raised("import", 1);
  record(shop, {seen});
  seen.acknowledged_at = kStart + seconds(3);
  record(shop, {seen});
  record(shop, {raised("import", 1)});
  CHECK(alert(shop, 1) == seen);
  Alert later = seen;
  later.acknowledged_at = kStart + seconds(8);
  record(shop, {later});
  CHECK(alert(shop, 1) == seen);
  record(shop, {closed(raised("import", 1), kStart + seconds(9))});
  CHECK(alert(shop, 1) == closed(seen, kStart + seconds(9)));
  shop.reopen();
  record(shop, {raised("import", 1)});
  CHECK(alert(shop, 1) == closed(seen, kStart + seconds(9)));
  // One that has closed can still be acknowledged.
  record(shop, {closed(raised("import", 2), kStart + seconds(9))});
  Alert after = raised("import", 2);
  after.acknowledged_at = kStart + seconds(20);
  record(shop, {after});
  CHECK(alert(shop, 2) == closed(after, kStart + seconds(9)));
}

TEST_CASE("open ones are listed first, then the newest opened, then the larger id") {
  Shop shop(GENERATE(from_range(kinds())));
  const Alert old = raised("a", 1, kStart);
  const Alert low = raised("b", 2, kStart + seconds(2));
  const Alert high = raised("a", 3, kStart + seconds(2));
  const Alert over = closed(raised("b", 4, kStart + seconds(3)), kStart + seconds(4));
  const Alert older_over = closed(raised("b", 9, kStart + seconds(1)), kStart + seconds(9));
  record(shop, {older_over, low, over, old, high});
  const std::vector<Alert> all = {high, low, old, over, older_over};
  for (const std::size_t limit : {1U, 2U, 3U, 4U, 5U, 6U}) {
    CAPTURE(limit);
    CHECK(list(shop, AlertFilter(), limit) == all);
  }
  CHECK_FALSE(page(shop, AlertFilter(), std::nullopt, 5).next);
  CHECK(page(shop, AlertFilter(), std::nullopt, 4).next == FindingCursor{false, over.opened_at, over.id, 2});
  CHECK(absl::IsInvalidArgument(shop.store().alerts({}, std::nullopt, 0).status()));
  CHECK(absl::IsInvalidArgument(shop.store().delays({}, std::nullopt, 0).status()));
}

// Every member of the filter, alone and together, against what it says of each.
TEST_CASE("filters of findings select what they say") {
  Shop shop(GENERATE(from_range(kinds())));
  std::vector<Delay> all;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto kind = static_cast<DelayKind>(1 + i % 3);
    Delay delay = delayed(i % 4 == 0 ? "export" : "import", i, kStart + seconds(i / 2), kind);
    if (kind != DelayKind::kMissed) delay.run_id = id_of(1000 + i / 5);
    if (i % 7 < 4) delay = closed(delay, kStart + seconds(i));
    all.push_back(delay);
  }
  record(shop, all);
  std::ranges::sort(all, [](const Delay& a, const Delay& b) {
    return std::make_tuple(a.open(), a.opened_at, a.id) > std::make_tuple(b.open(), b.opened_at, b.id);
  });
  using Kinds = std::vector<DelayKind>;
  for (const std::optional<bool> open : {std::optional<bool>(), std::optional(true), std::optional(false)})
    for (const Kinds& kinds : {Kinds{}, Kinds{DelayKind::kMissed}, Kinds{DelayKind::kOverrun, DelayKind::kLateStart}})
      for (const char* const job : {"", "import", "nobody"})
        for (const Uuid& run : {Uuid{}, id_of(1003), id_of(5)})
          for (const auto& [since, until] : {std::pair(0, 0), std::pair(7, 0), std::pair(0, 20), std::pair(7, 20)}) {
            DelayFilter filter{open, kinds, job, run};
            if (since != 0) filter.since = kStart + seconds(since);
            if (until != 0) filter.until = kStart + seconds(until);
            std::vector<Delay> expected;
            std::map<std::pair<std::string, DelayKind>, std::uint64_t> counts;
            for (const Delay& delay : all) {
              const bool wanted = (!open || *open == delay.open()) &&
                                  (kinds.empty() || std::ranges::count(kinds, delay.kind) != 0) &&
                                  (*job == '\0' || delay.job == job) && (run.none() || delay.run_id == run) &&
                                  (since == 0 || delay.opened_at >= kStart + seconds(since)) &&
                                  (until == 0 || delay.opened_at < kStart + seconds(until));
              if (!wanted) continue;
              expected.push_back(delay);
              ++counts[{delay.job, delay.kind}];
            }
            REQUIRE(list(shop, filter) == expected);
            REQUIRE(list(shop, filter, 4) == expected);
            DelayCounts told;
            for (const auto& [of, count] : counts) told.push_back({of.first, of.second, count});
            REQUIRE(must(shop.store().delay_counts(filter)) == told);
          }
}

TEST_CASE("a run comes with its delays") {
  Shop shop(GENERATE(from_range(kinds())));
  const Run late = started("import", 70);
  const Run other = started("import", 71);
  shop.commit({late, other});
  record(shop, std::vector<Delay>{full_delay()});
  const RunAndDelays found = must(shop.store().run_and_delays(late.id));
  CHECK(found.run == late);
  CHECK(found.delays == std::vector<Delay>{full_delay()});
  CHECK(must(shop.store().run_and_delays(other.id)).run == other);
  CHECK(must(shop.store().run_and_delays(other.id)).delays.empty());
  CHECK_FALSE(must(shop.store().run_and_delays(id_of(72))).run);
}

TEST_CASE("alerts are counted by job and kind") {
  Shop shop(GENERATE(from_range(kinds())));
  record(shop, {raised("b", 1), raised("a", 2), raised("a", 3), raised("a", 4, kStart, AlertKind::kSlower),
                closed(raised("a", 5), kStart + 1)});
  CHECK(must(shop.store().alert_counts({.open = true})) ==
        AlertCounts{{"a", AlertKind::kFailed, 2}, {"a", AlertKind::kSlower, 1}, {"b", AlertKind::kFailed, 1}});
}

// A reader that goes on page by page while everything moves sees each once, as long as nothing is removed.
TEST_CASE("paging neither repeats nor skips while alerts open and close") {
  Shop shop(GENERATE(from_range(kinds())));
  const auto seed = GENERATE(range(1U, 9U));
  std::mt19937 generator(seed);
  const auto random = [&](std::size_t below) { return generator() % below; };
  const auto some_time = [&] { return kStart + seconds(static_cast<double>(random(20))); };
  CAPTURE(seed);
  std::vector<Alert> all;
  for (std::uint32_t i = 0; i < 40; ++i) {
    Alert alert = raised("import", i, some_time());
    if (random(2) == 0) alert = closed(alert, kStart + seconds(30));
    all.push_back(alert);
  }
  record(shop, all);
  std::uint32_t number = 1000;
  std::set<Uuid> seen;
  std::size_t repeated = 0;
  const auto change = [&] {
    std::vector<Alert> changes;
    for (int i = 0; i < 3; ++i) changes.push_back(closed(all[random(all.size())], kStart + seconds(40)));
    changes.push_back(raised("import", number++, some_time()));
    changes.push_back(closed(raised("import", number++, some_time()), kStart + seconds(50)));
    record(shop, changes);
  };
  for (const Alert& alert : list(shop, AlertFilter(), 3, change)) {
    if (!seen.insert(alert.id).second) ++repeated;
  }
  CHECK(repeated == 0);
  for (const Alert& alert : all) CHECK(seen.contains(alert.id));
}

TEST_CASE("a page of open ones holds none that has closed") {
  Shop shop(GENERATE(from_range(kinds())));
  std::vector<Alert> all;
  for (std::uint32_t i = 0; i < 9; ++i) all.push_back(raised("import", i, kStart + seconds(i)));
  record(shop, all);
  const AlertPage first = page(shop, AlertFilter{.open = true}, std::nullopt, 3);
  record(shop, {closed(all[5], kStart + seconds(20)), closed(all[8], kStart + seconds(20))});
  CHECK(page(shop, AlertFilter{.open = true}, first.next, 3).items == std::vector<Alert>{all[4], all[3], all[2]});
}

TEST_CASE("states of watching replace those before, and none is none") {
  Shop shop(GENERATE(from_range(kinds())));
  using States = std::vector<std::pair<std::string, std::string>>;
  const std::string bytes("\0\xff text", 7);
  record(shop, Findings{.watch_states = {{"b", "1"}, {"a", bytes}, {"c", "3"}}});
  record(shop, Findings{.watch_states = {{"b", "2"}, {"c", ""}}});
  CHECK(must(shop.store().watch_states()) == States{{"a", bytes}, {"b", "2"}});
  shop.reopen();
  CHECK(must(shop.store().watch_states()) == States{{"a", bytes}, {"b", "2"}});
}

TEST_CASE("closed findings are removed when they are old, open ones never") {
  Shop shop(GENERATE(from_range(kinds())));
  std::vector<Alert> some = {raised("a", 1), closed(raised("a", 2), kStart + 1), closed(raised("a", 3), kStart + 2)};
  for (std::uint32_t i = 10; i < 2'600; ++i) some.push_back(closed(raised("b", i), kStart));
  record(shop, Findings{{delayed("a", 1), closed(delayed("a", 2), kStart + 1)}, some});
  const Nanos now = kStart + 2 + kFindingsKept;
  int slices = 0;
  while (must(shop.store().maintain(now, true)).more) REQUIRE(++slices < 10);
  CHECK(alerts(shop) == std::vector<Alert>{some[0], some[2]});
  CHECK(delays(shop) == std::vector<Delay>{delayed("a", 1)});
}

}  // namespace
}  // namespace kleptometrics::aggregator

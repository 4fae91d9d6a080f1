// The list of changes: what is committed is in it, as it is then stored, until somebody who passed it on drops it.
#include <algorithm>
#include <map>
#include <random>

#include "aggregator/store/change_list.h"
#include "aggregator/store/memory_store.h"
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

Changes changes_of(Shop& shop, std::size_t limit = 1000) { return must(shop.store().changes(limit)); }

std::vector<Run> runs_in(const Changes& changes) {
  std::vector<Run> runs;
  for (const Change& change : changes.items) {
    REQUIRE(change.run.has_value() != change.spec.has_value());
    if (!change.run) continue;
    REQUIRE(change.job == change.run->job);
    runs.push_back(*change.run);
  }
  return runs;
}

std::vector<Run> some(std::uint32_t first, std::uint32_t count) {
  std::vector<Run> runs;
  for (std::uint32_t i = first; i < first + count; ++i) runs.push_back(started("job", i, kStart + seconds(i)));
  return runs;
}

// Those that are shared do not say.
std::uint64_t waiting_in(Shop& shop) {
  ChangeList* const list = change_list_of(shop.store());
  return list == nullptr ? changes_of(shop, 1'000'000).items.size() : list->waiting();
}

void keep(Shop& shop) { REQUIRE(shop.store().keep_changes().ok()); }
void drop(Shop& shop, const std::string& upto) { REQUIRE(shop.store().drop_changes(upto).ok()); }

TEST_CASE("without keep_changes nothing is kept of what is committed") {
  Shop shop(GENERATE(from_range(kinds())));
  if (shop.store().shared()) return;
  shop.commit(full_run());
  REQUIRE(shop.store().put_job("import", {.description = "nightly"}).ok());
  const Changes changes = changes_of(shop);
  REQUIRE(changes.items.empty());
  REQUIRE(changes.upto.empty());
  REQUIRE_FALSE(changes.more);
}

TEST_CASE("what a commit changed is in the list as it is stored, what it did not is not") {
  Shop shop(GENERATE(from_range(kinds())));
  keep(shop);
  const Run run = started("import", 7);
  shop.commit(run);
  shop.commit(annotated(run, 1));
  shop.commit(run);                                    // a repeat
  shop.commit(finished(run, seconds(5)));              // knows nothing of the annotation
  shop.commit(started("another", 7, run.started_at));  // a contradiction
  shop.commit(full_run());
  const std::vector<Run> runs = runs_in(changes_of(shop));
  REQUIRE(runs == std::vector<Run>{run, annotated(run, 1), annotated(finished(run, seconds(5)), 1), full_run()});
  REQUIRE(waiting_in(shop) == 4);
}

TEST_CASE("of a run that a commit has twice the list has what came of it") {
  Shop shop(GENERATE(from_range(kinds())));
  keep(shop);
  const Run run = started("import", 1);
  shop.commit({finished(run, seconds(5)), run, annotated(run, 3)});
  REQUIRE(runs_in(changes_of(shop)) == std::vector<Run>{annotated(finished(run, seconds(5)), 3)});
}

TEST_CASE("what a job is meant to be is in the list, between the commits") {
  Shop shop(GENERATE(from_range(kinds())));
  keep(shop);
  shop.commit(started("import", 1));
  const JobSpec spec{.description = "nightly", .cron = "0 3 * * *"};
  REQUIRE(shop.store().put_job("import", spec).ok());
  shop.commit(started("import", 2));
  const Changes changes = changes_of(shop);
  REQUIRE(changes.items.size() == 3);
  REQUIRE(changes.items[0].run->id == id_of(1));
  REQUIRE(changes.items[1].job == "import");
  REQUIRE(changes.items[1].spec == spec);
  REQUIRE(changes.items[2].run->id == id_of(2));
}

TEST_CASE("the list is read from its oldest commit, whole commits at a time, and goes as far as it is dropped") {
  Shop shop(GENERATE(from_range(kinds())));
  keep(shop);
  shop.commit(some(0, 5));
  shop.commit(some(5, 1));
  shop.commit(some(6, 9000));  // in several rows of a log
  for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
    const Changes first = changes_of(shop, limit);
    REQUIRE(first.items.size() == 5);
    REQUIRE(first.more);
  }
  const Changes first = changes_of(shop, 6);
  REQUIRE(first.items.size() == 6);
  REQUIRE(first.more);
  drop(shop, first.upto);
  REQUIRE(waiting_in(shop) == 9000);
  const Changes second = changes_of(shop, 1);
  REQUIRE(second.items.size() == 9000);
  REQUIRE_FALSE(second.more);
  drop(shop, second.upto);
  REQUIRE(waiting_in(shop) == 0);
  REQUIRE(changes_of(shop).upto.empty());
  REQUIRE_FALSE(changes_of(shop).more);
}

TEST_CASE("a position that was dropped is dropped again without effect, even when the list was empty in between") {
  Shop shop(GENERATE(from_range(kinds())));
  keep(shop);
  shop.commit(some(0, 3));
  const std::string upto = changes_of(shop).upto;
  drop(shop, upto);
  shop.reopen();
  keep(shop);
  shop.commit(some(3, 3));
  drop(shop, upto);
  REQUIRE(changes_of(shop).items.size() == 3);
  REQUIRE(waiting_in(shop) == 3);
}

TEST_CASE("what is put off comes again, behind the others") {
  Shop shop(GENERATE(from_range(kinds())));
  if (shop.store().shared()) return;
  keep(shop);
  shop.commit(some(0, 3));
  const Changes first = changes_of(shop);
  shop.commit(some(3, 1));
  REQUIRE(change_list_of(shop.store())->put_off(first.upto, {full_run(), started("job", 1, kStart + seconds(1))}).ok());
  const std::vector<Run> runs = runs_in(changes_of(shop));
  REQUIRE(runs ==
          std::vector<Run>{started("job", 3, kStart + seconds(3)), full_run(), started("job", 1, kStart + seconds(1))});
  REQUIRE(waiting_in(shop) == 3);
}

TEST_CASE("the list outlives its process, and whoever does not ask for it adds nothing") {
  Shop shop(GENERATE(from_range(kinds())));
  if (!shop.durable() || shop.store().shared()) return;
  keep(shop);
  shop.commit(some(0, 3));
  shop.reopen();
  shop.commit(some(3, 2));
  shop.reopen();
  keep(shop);
  REQUIRE(waiting_in(shop) == 3);
  shop.commit(some(5, 2));
  REQUIRE(runs_in(changes_of(shop)).size() == 5);
  REQUIRE(waiting_in(shop) == 5);
}

TEST_CASE("whoever applies the list has in the end what the store has, however it settles, expires and is reopened") {
  const std::uint32_t seed = GENERATE(range(1U, 5U));
  CAPTURE(seed);
  Shop shop(GENERATE(from_range(kinds())));
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
  MemoryStore other;
  keep(shop);
  for (int step = 0; step < 200; ++step) {
    std::vector<Run> batch(below(9));
    for (Run& run : batch) {
      const std::uint32_t number = below(40);
      run = started("job" + std::to_string(number % 3), number, kStart + seconds(number));
      if (below(2) == 0) run = finished(run, seconds(1 + below(5)), static_cast<State>(2 + below(4)));
      run.revision += below(4);
      if (below(4) == 0) run = annotated(run, 1 + below(3), std::to_string(below(5)));
    }
    shop.commit(batch);
    if (below(10) == 0) REQUIRE(shop.store().maintain(kStart, below(2) == 0).ok());
    if (below(20) == 0) {
      shop.reopen();
      keep(shop);
    }
    if (below(3) == 0) {
      const Changes changes = changes_of(shop, 1 + below(10));
      REQUIRE(other.commit(runs_in(changes), 0).ok());
      if (below(2) == 0 && !changes.upto.empty()) drop(shop, changes.upto);
    }
  }
  for (;;) {
    const Changes changes = changes_of(shop, 5);
    if (changes.upto.empty()) break;
    REQUIRE(other.commit(runs_in(changes), 0).ok());
    drop(shop, changes.upto);
  }
  REQUIRE(waiting_in(shop) == 0);
  REQUIRE(shop.list() == must(other.runs({}, std::nullopt, 1000)).runs);
  REQUIRE(must(shop.store().verify(10)).empty());
}

}  // namespace
}  // namespace kleptometrics::aggregator

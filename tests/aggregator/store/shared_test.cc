// Several stores on one server, as several processes have them: what each may count on. Over every back end that is
// shared.
#include <atomic>
#include <thread>

#include "tests/aggregator/store/shared_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

std::vector<Kind> shared_kinds() {
  std::vector<Kind> all;
  for (const Kind& kind : kinds())
    if (kind.url != nullptr) all.push_back(kind);
  if (all.empty()) all.push_back({"none", false});
  return all;
}

// False, and the case is skipped, where there is no server at all.
bool there(const Kind& kind) {
  if (kind.url == nullptr) std::cout << "SKIPPED: no server of a shared store is installed\n";
  return kind.url != nullptr;
}

// One of those on the server that the kind stands for.
std::unique_ptr<Store> open(const Kind& kind, const std::string& url) { return must(open_at(kind, url)); }

struct Feed {
  std::atomic<int> accepted{0}, faults{0};
  // All of the snapshots, in an order of its own.
  void operator()(Store& store, std::vector<Run> snapshots, std::uint32_t seed, std::uint32_t batch_max) {
    std::mt19937 random(seed);
    std::ranges::shuffle(snapshots, random);
    for (std::size_t at = 0; at < snapshots.size();) {
      const std::size_t end = std::min<std::size_t>(snapshots.size(), at + 1 + random() % batch_max);
      const std::vector<Run> batch(snapshots.begin() + static_cast<std::ptrdiff_t>(at),
                                   snapshots.begin() + static_cast<std::ptrdiff_t>(end));
      const auto applied = store.commit(batch, 0);
      if (!applied.ok()) ++faults;
      if (applied.ok()) accepted += static_cast<int>(std::ranges::count(*applied, Applied::kAccepted));
      at = end;
    }
  }
};

TEST_CASE("stores that commit the same snapshots at once leave what one would") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const std::vector<Run> all = meeting_snapshots(400);
  std::vector<std::unique_ptr<Store>> stores;
  for (int i = 0; i < 3; ++i) stores.push_back(open(kind, url));
  Feed feed;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 3; ++i) threads.emplace_back([&, i] { feed(*stores[i], all, i + 1, 60); });
  for (std::thread& thread : threads) thread.join();
  REQUIRE(feed.faults == 0);
  MemoryStore model;
  REQUIRE(model.commit(all, 0).ok());
  for (const auto& store : stores) require_same(*store, model);
  // What each of them changed stands in the list once, however often it was sent.
  const Changes changes = must(stores[0]->changes(1'000'000));
  REQUIRE(static_cast<int>(changes.items.size()) <= feed.accepted);
  REQUIRE(changes.items.size() >= 400);
}

TEST_CASE("many runs, each sent to two stores at once, are counted as one store counts them") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const std::vector<Run> all = ended_runs(0, 20'000);
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  Feed feed;
  std::thread first([&] { feed(*one, all, 1, 1'000); });
  std::thread second([&] { feed(*other, all, 2, 1'000); });
  first.join();
  second.join();
  REQUIRE(feed.faults == 0);
  REQUIRE(feed.accepted == 20'000);
  MemoryStore model;
  REQUIRE(model.commit(all, 0).ok());
  require_same(*one, model);
}

TEST_CASE("what was worked out from a run that has changed since is refused, whole") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  REQUIRE(one->shared());
  const Run run = started("import", 1);
  const Basis nothing = basis_of(run.id, nullptr);
  REQUIRE(one->commit({run}, 0, {nothing}).ok());
  const Run beside = started("export", 2);
  REQUIRE(absl::IsAborted(other->commit({beside, annotated(run, 1)}, 0, {nothing}).status()));
  REQUIRE_FALSE(must(one->run(beside.id)));
  const Basis known = basis_of(run.id, &run);
  REQUIRE(other->commit({beside, annotated(run, 1)}, 0, {known}).ok());
  REQUIRE(absl::IsAborted(one->commit({annotated(run, 2)}, 0, {known}).status()));
  REQUIRE(must(one->run(run.id)) == annotated(run, 1));
  REQUIRE(one->ready().ok());
}

TEST_CASE("patches of one run by two stores at once are all of them applied") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  const Run run = started("import", 1);
  REQUIRE(one->commit({run}, 0).ok());
  constexpr double kEach = 40;
  std::atomic<int> faults{0};
  // Each adds one to a counter, again and again, from what it finds.
  const auto count = [&](Store& store) {
    for (int n = 0; n < static_cast<int>(kEach);) {
      const auto stored = store.run(run.id);
      if (!stored.ok() || !*stored) return void(++faults);
      Run next = **stored;
      ++next.revision;
      next.counters["rows"] += 1;
      const auto done = store.commit({next}, 0, {basis_of(run.id, &**stored)});
      if (done.ok()) ++n;
      if (!done.ok() && !absl::IsAborted(done.status())) return void(++faults);
    }
  };
  std::thread first([&] { count(*one); });
  std::thread second([&] { count(*other); });
  first.join();
  second.join();
  REQUIRE(faults == 0);
  REQUIRE(must(one->run(run.id))->counters.at("rows") == 2 * kEach);
}

TEST_CASE("a duty is one's at a time, until it is given up or its time is over") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  REQUIRE(must(one->hold("watch", "a", seconds(3600))));
  REQUIRE(must(one->hold("watch", "a", seconds(3600))));
  REQUIRE_FALSE(must(other->hold("watch", "b", seconds(3600))));
  REQUIRE(must(other->hold("forward", "b", seconds(3600))));
  must(other->hold("watch", "b", 0));
  REQUIRE_FALSE(must(other->hold("watch", "b", 1)));
  must(one->hold("watch", "a", 0));
  REQUIRE(must(other->hold("watch", "b", seconds(0.02))));
  while (!must(one->hold("watch", "a", seconds(3600)))) std::this_thread::yield();
}

TEST_CASE("every change of two writers is listed once, in order, until it is dropped") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  constexpr std::uint32_t kRuns = 300;
  const auto write = [&](Store& store, std::uint32_t from) {
    for (std::uint32_t i = from; i < from + kRuns; i += 3) {
      const std::string job = "job" + std::to_string(from);
      if (!store.commit({started(job, i), started(job, i + 1), started(job, i + 2)}, 0).ok()) return;
      if (i == from && !store.put_job(job, {.description = job}).ok()) return;
    }
  };
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  const auto reader = open(kind, url);
  std::thread first([&] { write(*one, 1000); });
  std::thread second([&] { write(*other, 2000); });
  std::map<std::string, std::vector<Uuid>> seen;
  std::size_t specs = 0;
  std::size_t runs = 0;
  for (std::size_t pages = 0; runs < 2 * kRuns || specs < 2; ++pages) {
    const Changes changes = must(reader->changes(7));
    REQUIRE(changes.items.size() <= 7);
    REQUIRE((changes.upto.empty() == changes.items.empty()));
    for (const Change& change : changes.items) {
      if (change.spec) REQUIRE(change.spec->description == change.job);
      if (change.run) seen[change.job].push_back(change.run->id);
      change.spec ? ++specs : ++runs;
    }
    REQUIRE(reader->drop_changes(changes.upto).ok());
    if (pages % 3 == 0) REQUIRE(reader->drop_changes(changes.upto).ok());
  }
  first.join();
  second.join();
  REQUIRE(must(reader->changes(7)).items.empty());
  for (const auto& [job, ids] : seen) {
    REQUIRE(ids.size() == kRuns);
    REQUIRE(std::ranges::is_sorted(ids));
  }
  // A commit is not split, and one that is larger than the limit comes all the same.
  REQUIRE(reader->commit({started("a", 1), started("a", 2), started("b", 3)}, 0).ok());
  REQUIRE(reader->commit({started("c", 4)}, 0).ok());
  REQUIRE(must(reader->changes(1)).items.size() == 3);
  REQUIRE(must(reader->changes(1)).more);
  REQUIRE(must(reader->changes(4)).items.size() == 4);
  REQUIRE_FALSE(must(reader->changes(4)).more);
  REQUIRE_FALSE(reader->drop_changes("nowhere").ok());
}

TEST_CASE("stores that begin on an empty server at once all find their way") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  std::atomic<int> faults{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto store = open_at(kind, url);
      const absl::Status status = store.ok() ? (*store)->commit(ended_runs(10 * i, 20), 0).status() : store.status();
      if (!status.ok()) ++faults;
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(faults == 0);
  MemoryStore model;
  REQUIRE(model.commit(ended_runs(0, 50), 0).ok());
  require_same(*open(kind, url), model);
}

TEST_CASE("runs expire once, whichever of the stores keeps house") {
  const Kind kind = GENERATE(from_range(shared_kinds()));
  CAPTURE(kind);
  if (!there(kind)) return;
  const std::string url = kind.url();
  const auto one = open(kind, url);
  const auto other = open(kind, url);
  REQUIRE(one->put_job("job1", {.retention_days = 1}).ok());
  REQUIRE(one->commit(ended_runs(0, 4'000), kStart).ok());
  const Nanos now = kStart + 3 * stats::kDay;
  std::atomic<std::uint64_t> expired{0};
  std::atomic<int> faults{0};
  const auto keep_house = [&](Store& store) {
    for (bool more = true; more;) {
      const auto done = store.maintain(now, true);
      if (!done.ok()) return void(++faults);
      expired += done->expired;
      more = done->more;
    }
  };
  std::thread first([&] { keep_house(*one); });
  std::thread second([&] { keep_house(*other); });
  first.join();
  second.join();
  REQUIRE(faults == 0);
  REQUIRE(expired == 1'000);
  MemoryStore model;
  REQUIRE(model.commit(ended_runs(0, 4'000), kStart).ok());
  require_same_sums(*one, model);
  REQUIRE(must(other->runs({.job = "job1"}, std::nullopt, 1)).runs.empty());
  // Sent again they are known still.
  const auto again = must(other->commit(ended_runs(0, 4'000), now));
  REQUIRE(std::ranges::count(again, Applied::kDuplicate) == 4'000);
  REQUIRE(must(one->verify(5)) == std::vector<std::string>());
}

}  // namespace
}  // namespace kleptometrics::aggregator

// What is Redis's own: who else commits, what is refused at the door, what numbers a server in doubles would lose.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/redis/sha1.h"
#include "aggregator/store/redis/url.h"
#include "aggregator/wire/rollups.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using tests::RedisServer;

// Where there is no server the case says so and is skipped.
RedisServer* server_or_skip() {
  RedisServer* const server = RedisServer::shared();
  if (server == nullptr) std::cout << "SKIPPED: no redis-server\n";
  return server;
}

// All rollups of a series by job and start, as bytes: of numbers without the moments, which round.
class Rollups final : public Pieces {
 public:
  explicit Rollups(stats::Series asked) : asked_(std::move(asked)) {}
  void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) override {
    if (series == asked_) sums_[{job, start}].merge(piece);
  }
  void run(const Run& run) override {
    sums_[{run.job, by_ == Stretch::By::kAll ? 0 : start_of(run.started_at, stats::Resolution::kDay)}].add(run, asked_);
  }
  static std::map<std::pair<std::string, Nanos>, std::string> of(Store& store, const char* name, Stretch::By by) {
    Rollups rollups(*stats::series_named(name));
    rollups.by_ = by;
    SummaryRequest request;
    request.series = rollups.asked_;
    request.stretches.push_back({by});
    REQUIRE(store.summarize(request, rollups) == absl::OkStatus());
    std::map<std::pair<std::string, Nanos>, std::string> bytes;
    for (auto& [key, sum] : rollups.sums_) {
      for (auto& outcome : sum.outcomes) {
        outcome.values.numbers = {};
        if (!rollups.asked_.durations()) outcome.runs = outcome.late = 0;
      }
      const std::string encoded = wire::encode_rollup(sum);
      if (!encoded.empty()) bytes[key] = encoded;
    }
    return bytes;
  }

 private:
  const stats::Series asked_;
  Stretch::By by_ = Stretch::By::kAll;
  std::map<std::pair<std::string, Nanos>, stats::Rollup> sums_;
};

void require_same_sums(Store& store, Store& model) {
  for (const char* const name : {"duration", "start_delay", "counter:rows", "step:load"}) {
    for (const Stretch::By by : {Stretch::By::kAll, Stretch::By::kDay}) {
      CAPTURE(name);
      REQUIRE(Rollups::of(store, name, by) == Rollups::of(model, name, by));
    }
  }
}

// Snapshots of few runs that meet: begun, judged dead, ended one way and another.
std::vector<Run> snapshots(std::uint32_t count) {
  std::mt19937 random(7);
  std::vector<Run> all;
  for (std::uint32_t number = 0; number < count; ++number) {
    Run run = started("job" + std::to_string(number % 3), number, kStart + seconds(number * 600));
    run.scheduled_at = run.started_at - seconds(static_cast<double>(random() % 100));
    run.counters["rows"] = static_cast<double>(random() % 50) / 4;
    Step step;
    step.name = "load";
    step.count = 1;
    step.total = step.min = step.max = 1 + random() % 1000;
    step.sketch.add(step.total);
    run.steps.push_back(step);
    all.push_back(run);
    if (number % 3 == 0) all.push_back(verdict_on(run));
    run = finished(run, seconds(static_cast<double>(1 + random() % 90)),
                   number % 4 == 0 ? State::kFailed : State::kSucceeded);
    all.push_back(run);
    if (number % 5 == 0) {
      run = finished(run, seconds(static_cast<double>(1 + random() % 90)));
      all.push_back(run);
    }
    if (number % 7 == 0) all.push_back(annotated(run, 1));
  }
  return all;
}

TEST_CASE("two aggregators that commit the same runs at once leave what one would") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const std::vector<Run> all = snapshots(400);
  std::atomic<int> accepted{0};
  std::atomic<int> faults{0};
  const auto feed = [&](std::uint32_t seed) {
    const auto store = open_store(url);
    std::mt19937 random(seed);
    std::vector<Run> mine = all;
    std::ranges::shuffle(mine, random);
    for (std::size_t at = 0; at < mine.size();) {
      const std::size_t end = std::min(mine.size(), at + 1 + random() % 60);
      const std::vector<Run> batch(mine.begin() + static_cast<std::ptrdiff_t>(at),
                                   mine.begin() + static_cast<std::ptrdiff_t>(end));
      const auto applied = (*store)->commit(batch, 0);
      if (!applied.ok()) ++faults;
      if (applied.ok()) accepted += static_cast<int>(std::ranges::count(*applied, Applied::kAccepted));
      at = end;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) threads.emplace_back(feed, seed);
  for (std::thread& thread : threads) thread.join();
  REQUIRE(faults == 0);
  const auto store = must(open_store(url));
  MemoryStore model;
  REQUIRE(model.commit(all, 0).ok());
  std::size_t found = 0;
  REQUIRE(store
              ->scan({},
                     [&](const Run& run) {
                       ++found;
                       REQUIRE(run == must(model.run(run.id)));
                     })
              .ok());
  REQUIRE(found == 400);
  require_same_sums(*store, model);
  REQUIRE(must(store->verify(5)).empty());
  // What each of the two changed stands in the list once, however often it was sent.
  const Changes changes = must(store->changes(1'000'000));
  REQUIRE(static_cast<int>(changes.items.size()) <= accepted);
  REQUIRE(changes.items.size() >= 400);
}

TEST_CASE("sums stay exact beyond what a double, and what 63 bits, can hold") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto store = must(open_store(server->fresh_url()));
  MemoryStore model;
  for (const Nanos duration : {Nanos{1}, (Nanos{1} << 53) + 1, Nanos{9'199'999'999'999'999'999}}) {
    std::vector<Run> runs;
    for (std::uint32_t i = 0; i < 40; ++i) {
      Run run = finished(started("import", i + static_cast<std::uint32_t>(duration % 97) * 100, kStart + i), 1);
      run.duration = duration;
      runs.push_back(run);
    }
    REQUIRE(store->commit(runs, 0).ok());
    REQUIRE(model.commit(runs, 0).ok());
    for (Run& run : runs) {
      if (run.started_at % 2 == 0) continue;
      ++run.revision;
      run.duration = duration - duration / 3;
    }
    REQUIRE(store->commit(runs, 0).ok());
    REQUIRE(model.commit(runs, 0).ok());
    require_same_sums(*store, model);
  }
}

TEST_CASE("counters far apart are added up as the model adds them") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto store = must(open_store(server->fresh_url()));
  std::uint32_t number = 0;
  for (const double value : {1.7e308, -1.7e308, 5e-324, -0.0, 1e15, 0.1}) {
    Run run = finished(started("import", ++number), seconds(3));
    run.counters["rows"] = value;
    REQUIRE(store->commit({run}, 0).ok());
    ++run.revision;
    run.counters["rows"] = value / 2;
    REQUIRE(store->commit({run}, 0).ok());
  }
  REQUIRE(must(store->verify(5)).empty());
}

TEST_CASE("what was worked out from a run that has changed since is refused, whole") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const auto one = must(open_store(url));
  const auto other = must(open_store(url));
  REQUIRE(one->shared());
  const Run open = started("import", 1);
  const Basis nothing = basis_of(open.id, nullptr);
  REQUIRE(one->commit({open}, 0, {nothing}).ok());
  const Run beside = started("export", 2);
  REQUIRE(absl::IsAborted(other->commit({beside, annotated(open, 1)}, 0, {nothing}).status()));
  REQUIRE_FALSE(must(one->run(beside.id)));
  const Basis known = basis_of(open.id, &open);
  REQUIRE(other->commit({beside, annotated(open, 1)}, 0, {known}).ok());
  REQUIRE(absl::IsAborted(one->commit({annotated(open, 2)}, 0, {known}).status()));
  REQUIRE(must(one->run(open.id)) == annotated(open, 1));
  REQUIRE(one->ready().ok());
}

TEST_CASE("a duty is one's at a time, until it is given up or its time is over") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const auto one = must(open_store(url));
  const auto other = must(open_store(url));
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
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  constexpr std::uint32_t kRuns = 300;
  const auto write = [&](std::uint32_t from) {
    const auto store = open_store(url);
    for (std::uint32_t i = from; i < from + kRuns; i += 3) {
      const std::string job = "job" + std::to_string(from);
      if (!(*store)->commit({started(job, i), started(job, i + 1), started(job, i + 2)}, 0).ok()) return;
      if (i == from && !(*store)->put_job(job, {.description = job}).ok()) return;
    }
  };
  std::thread one(write, 1000);
  std::thread other(write, 2000);
  const auto reader = must(open_store(url));
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
  one.join();
  other.join();
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
  REQUIRE(absl::IsInvalidArgument(reader->drop_changes("7")));
}

TEST_CASE("a newer schema is refused, and a store that must exist and does not is not made") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  REQUIRE(absl::IsNotFound(open_store(server->url("nobody:"), true).status()));
  REQUIRE(absl::IsNotFound(open_store(server->url("nobody:"), true).status()));
  REQUIRE(open_store(server->url("newer:")).ok());
  REQUIRE(open_store(server->url("newer:"), true).ok());
  REQUIRE(server->cli("SET newer:schema 2") == "OK");
  const absl::Status refused = open_store(server->url("newer:")).status();
  CAPTURE(refused);
  REQUIRE(absl::IsFailedPrecondition(refused));
  REQUIRE(refused.message().find("version 2") != absl::string_view::npos);
}

TEST_CASE("stores of other prefixes and databases on one server do not see each other") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto one = must(open_store(server->url("one:")));
  const auto other = must(open_store(server->url("other:")));
  const auto third = must(open_store(server->url("one:") + "&db=3"));
  REQUIRE(one->commit({started("import", 1)}, 0).ok());
  REQUIRE(must(other->jobs({})).empty());
  REQUIRE(must(third->jobs({})).empty());
  REQUIRE(must(one->jobs({})).size() == 1);
}

TEST_CASE("scripts that the server forgot are given to it again") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto store = must(open_store(server->fresh_url()));
  const Run run = finished(started("import", 1), seconds(5));
  REQUIRE(store->commit({run}, 0).ok());
  for (int round = 0; round < 3; ++round) {
    REQUIRE(server->cli("SCRIPT FLUSH") == "OK");
    REQUIRE(must(store->jobs({})).size() == 1);
    REQUIRE(server->cli("SCRIPT FLUSH") == "OK");
    Run later = run;
    later.revision += static_cast<std::uint64_t>(1 + round);
    later.duration = seconds(6 + round);
    REQUIRE(must(store->commit({later}, 0)) == std::vector<Applied>{Applied::kAccepted});
  }
  REQUIRE(must(store->verify(5)).empty());
}

TEST_CASE("a password opens the server, and no error shows it") {
  if (server_or_skip() == nullptr) return;
  RedisServer locked({"--requirepass", "s3cret word"});
  const std::string place = locked.socket() + "?prefix=test:";
  REQUIRE(open_store("redis+unix://:s3cret%20word@" + place).ok());
  REQUIRE(open_store("redis+unix://default:s3cret%20word@" + place).ok());
  for (const std::string& url :
       {"redis+unix://:wr0ng@" + place, "redis+unix://nobody:wr0ng@" + place, "redis+unix://" + place,
        std::string("redis://me:wr0ng@127.0.0.1:1/0"), std::string("redis://me:wr0ng@127.0.0.1:99999"),
        std::string("redis://wr0ng@host"), std::string("redis://:wr0ng@h/x"), std::string("redis://:wr0ng%zz@h")}) {
    const absl::Status status = open_store(url).status();
    CAPTURE(status);
    REQUIRE_FALSE(status.ok());
    REQUIRE(status.message().find("wr0ng") == absl::string_view::npos);
    REQUIRE((absl::IsPermissionDenied(status) || url.find("unix") == std::string::npos));
  }
  REQUIRE(backup_store("redis://:wr0ng@h", "x").message().find("wr0ng") == absl::string_view::npos);
  REQUIRE(backup_store("redis://:wr0ng@h", "x").message().find("BGSAVE") != absl::string_view::npos);
}

TEST_CASE("URLs of Redis are read whole, or refused with the reason") {
  using redis::parse_url;
  const auto url = must(parse_url("redis://ann:p%40ss%3a@db.example.org:7000/3?prefix=x%3A"));
  CHECK(url.user == "ann");
  CHECK(url.password == "p@ss:");
  CHECK(url.host == "db.example.org");
  CHECK(url.port == 7000);
  CHECK(url.db == 3);
  CHECK(url.prefix == "x:");
  CHECK(url.shown() == "redis://db.example.org:7000/3");
  CHECK(must(parse_url("redis://[::1]:7/0")).host == "::1");
  CHECK(must(parse_url("redis://[::1]")).port == 6379);
  CHECK(must(parse_url("rediss://h")).tls);
  CHECK(must(parse_url("redis+unix:///a%20b?db=2")).path == "/a b");
  CHECK(must(parse_url("redis+unix:///a?db=2")).db == 2);
  for (const char* const bad :
       {"redis://", "redis:", "redis:h", "redisx://h", "redis://h:0", "redis://h:x", "redis://h/-1", "redis://h/1/2",
        "redis://h?x=1", "redis://h?prefix=", "redis://h?prefix=%7B", "redis://[::1", "redis://[::1]x",
        "redis+unix://h", "redis+unix://", "redis://me@h", "redis://me:@h", "redis://me:%1@h"}) {
    CAPTURE(bad);
    CHECK(absl::IsInvalidArgument(parse_url(bad).status()));
  }
}

TEST_CASE("scripts go by the name that the server gives them") {
  CHECK(redis::Sha1::hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(redis::Sha1::hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(redis::Sha1::hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

}  // namespace
}  // namespace kleptometrics::aggregator

// The server goes away: killed in the middle of commits, and back; and what it says when it cannot.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include "aggregator/store/memory_store.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using tests::RedisServer;

constexpr int kKills = 20;
constexpr std::uint32_t kBatch = 50;

bool skipped() {
  if (!RedisServer::program().empty()) return false;
  std::cout << "SKIPPED: no redis-server\n";
  return true;
}

std::vector<Run> batch(std::uint32_t first) {
  std::vector<Run> runs;
  for (std::uint32_t i = first; i < first + kBatch; ++i) {
    const Run run = started("job" + std::to_string(i % 4), i, kStart + seconds(i));
    runs.push_back(finished(run, seconds(1 + i % 100), i % 9 == 0 ? State::kFailed : State::kSucceeded));
  }
  return runs;
}

class Count final : public Pieces {
 public:
  void rollup(const std::string&, Nanos, const stats::Series&, const stats::Rollup& piece) override {
    sum.merge(piece);
  }
  void run(const Run& run) override { sum.add(run, {}); }
  stats::Rollup sum;
};
stats::Rollup count(Store& store) {
  Count pieces;
  SummaryRequest request;
  request.stretches.push_back({Stretch::By::kAll});
  REQUIRE(store.summarize(request, pieces) == absl::OkStatus());
  return pieces.sum;
}

TEST_CASE("nothing acknowledged is lost, and nothing counted twice, when the server is killed under load") {
  if (skipped()) return;
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  const std::string url = server.fresh_url();
  const std::uint32_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::atomic<bool> ended{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint32_t> acknowledged[2] = {0, 0};
  // Each commits its own batches, every batch until it is acknowledged.
  const auto feed = [&](std::uint32_t which) {
    auto store = open_store(url);
    while (!store.ok()) store = open_store(url);
    for (std::uint32_t n = 0; !ended; ++n) {
      const std::vector<Run> runs = batch(which * 10'000'000 + n * kBatch);
      for (;;) {
        const auto applied = (*store)->commit(runs, 0);
        if (applied.ok()) break;
        if (!absl::IsUnavailable(applied.status())) ++wrong;
        std::this_thread::yield();
      }
      acknowledged[which] = n + 1;
    }
  };
  std::vector<std::thread> threads;
  for (const std::uint32_t which : {0U, 1U}) threads.emplace_back(feed, which);
  for (int kill = 0; kill < kKills; ++kill) {
    const std::uint32_t before = acknowledged[0] + acknowledged[1];
    while (acknowledged[0] + acknowledged[1] == before) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));  // the moment of the fault
    server.kill();
    server.start();
  }
  ended = true;
  for (std::thread& thread : threads) thread.join();
  REQUIRE(wrong == 0);
  MemoryStore model;
  for (const std::uint32_t which : {0U, 1U}) {
    for (std::uint32_t n = 0; n < acknowledged[which]; ++n)
      REQUIRE(model.commit(batch(which * 10'000'000 + n * kBatch), 0).ok());
  }
  const auto store = must(open_store(url));
  std::size_t found = 0;
  REQUIRE(store
              ->scan({},
                     [&](const Run& run) {
                       ++found;
                       REQUIRE(run == must(model.run(run.id)));
                     })
              .ok());
  REQUIRE(found == (acknowledged[0] + acknowledged[1]) * kBatch);
  REQUIRE(count(*store) == count(model));
  REQUIRE(must(store->verify(5)).empty());
}

TEST_CASE("while the server is away everything is unavailable, and when it is back it works again by itself") {
  if (skipped()) return;
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(batch(0), 0).ok());
  for (int round = 0; round < 3; ++round) {
    server.kill();
    CHECK(absl::IsUnavailable(store->ready()));
    CHECK(absl::IsUnavailable(store->commit(batch(kBatch), 0).status()));
    CHECK(absl::IsUnavailable(store->runs({}, std::nullopt, 5).status()));
    CHECK(absl::IsUnavailable(store->jobs({}).status()));
    CHECK(absl::IsUnavailable(store->put_job("a", {})));
    CHECK(absl::IsUnavailable(store->hold("watch", "a", 1).status()));
    server.start();
    while (!store->ready().ok()) std::this_thread::yield();
    REQUIRE(must(store->runs({}, std::nullopt, 1000)).runs.size() == kBatch);
  }
}

TEST_CASE("a server that was restarted between two questions is asked again at once") {
  if (skipped()) return;
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(batch(0), 0).ok());
  server.kill();
  server.start();
  CHECK(must(store->runs({}, std::nullopt, 1000)).runs.size() == kBatch);
  CHECK(store->commit(batch(kBatch), 0).ok());
}

TEST_CASE("a server without memory refuses a commit whole, and takes it when there is some again") {
  if (skipped()) return;
  RedisServer server;
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(batch(0), 0).ok());
  const stats::Rollup before = count(*store);
  REQUIRE(server.cli("CONFIG SET maxmemory 1") == "OK");
  CHECK(absl::IsUnavailable(store->commit(batch(kBatch), 0).status()));
  CHECK(absl::IsUnavailable(store->ready()));
  CHECK(count(*store) == before);
  CHECK(must(store->runs({}, std::nullopt, 1000)).runs.size() == kBatch);
  REQUIRE(server.cli("CONFIG SET maxmemory 0") == "OK");
  CHECK(store->ready().ok());
  CHECK(store->commit(batch(kBatch), 0).ok());
  CHECK(must(store->verify(5)).empty());
}

TEST_CASE("a replica cannot take commits, and says so until it can") {
  if (skipped()) return;
  RedisServer server;
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(batch(0), 0).ok());
  REQUIRE(server.cli("REPLICAOF 127.0.0.1 1") == "OK");
  CHECK(absl::IsUnavailable(store->commit(batch(kBatch), 0).status()));
  CHECK(absl::IsUnavailable(store->ready()));
  REQUIRE(server.cli("REPLICAOF NO ONE") == "OK");
  CHECK(store->ready().ok());
  CHECK(store->commit(batch(kBatch), 0).ok());
  CHECK(must(store->verify(5)).empty());
}

}  // namespace
}  // namespace kleptometrics::aggregator

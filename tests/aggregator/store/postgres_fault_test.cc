// The server goes away: killed in the middle of commits and back, or a standby in its place; and what is said when it
// cannot take commits.
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/aggregator/store/shared_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using tests::PostgresServer;

constexpr int kKills = 20;
constexpr std::uint32_t kBatch = 60;

bool skipped() {
  if (!PostgresServer::programs().empty()) return false;
  std::cout << "SKIPPED: no PostgreSQL server\n";
  return true;
}

std::string database_of(const std::string& url) { return url.substr(url.rfind('/') + 1); }

// Two stores, each with batches of its own, every batch sent until it is acknowledged.
class Load {
 public:
  explicit Load(std::string url) : url_(std::move(url)) {
    for (const std::uint32_t which : {0U, 1U}) threads_.emplace_back([this, which] { feed(which); });
  }
  ~Load() { stop(); }

  void stop() {
    ended_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  // Until some more was acknowledged.
  void wait_for_progress() const {
    const std::uint32_t before = acknowledged();
    while (acknowledged() == before) std::this_thread::yield();
  }
  std::uint32_t acknowledged() const { return acknowledged_[0] + acknowledged_[1]; }
  int wrong() const { return wrong_; }
  // All that was acknowledged.
  void give(Store& model) const {
    for (const std::uint32_t which : {0U, 1U})
      for (std::uint32_t n = 0; n < acknowledged_[which]; ++n) REQUIRE(model.commit(batch(which, n), 0).ok());
  }

 private:
  static std::vector<Run> batch(std::uint32_t which, std::uint32_t n) {
    return ended_runs(which * 10'000'000 + n * kBatch, kBatch);
  }
  void feed(std::uint32_t which) {
    auto store = open_postgres(url_, {.settle_runs = 500});
    while (!store.ok()) store = open_postgres(url_, {.settle_runs = 500});
    for (std::uint32_t n = 0; !ended_; ++n) {
      const std::vector<Run> runs = batch(which, n);
      for (;;) {
        const auto applied = (*store)->commit(runs, 0);
        if (applied.ok()) break;
        if (!absl::IsUnavailable(applied.status())) ++wrong_;
        std::this_thread::yield();
      }
      acknowledged_[which] = n + 1;
    }
  }

  const std::string url_;
  std::atomic<bool> ended_{false};
  std::atomic<int> wrong_{0};
  std::atomic<std::uint32_t> acknowledged_[2] = {0, 0};
  std::vector<std::thread> threads_;
};

TEST_CASE("nothing acknowledged is lost, and nothing counted twice, when PostgreSQL is killed under load") {
  if (skipped()) return;
  PostgresServer server({.durable = true});
  const std::string url = server.fresh_url();
  const std::uint32_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  Load load(url);
  for (int kill = 0; kill < kKills; ++kill) {
    load.wait_for_progress();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));  // the moment of the fault
    server.kill();
    server.start();
  }
  load.wait_for_progress();
  load.stop();
  REQUIRE(load.wrong() == 0);
  MemoryStore model;
  load.give(model);
  require_same(*must(open_store(url)), model);
}

TEST_CASE("nothing acknowledged is lost when a synchronous standby takes the server's place") {
  if (skipped()) return;
  PostgresServer server({.durable = true});
  const std::string database = database_of(server.fresh_url());
  PostgresServer standby(
      {.durable = true, .settings = {"synchronous_standby_names = ''"}, .standby_of = server.socket_folder()});
  server.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'klepto'");
  server.psql("postgres", "SELECT pg_reload_conf()");
  while (server.psql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1")
    std::this_thread::yield();
  const std::string url =
      "postgresql:///" + database + "?user=klepto&host=" + server.socket_folder() + "," + standby.socket_folder();
  Load load(url);
  load.wait_for_progress();
  load.wait_for_progress();
  server.kill();
  standby.promote();
  for (int i = 0; i < 5; ++i) load.wait_for_progress();
  load.stop();
  REQUIRE(load.wrong() == 0);
  MemoryStore model;
  load.give(model);
  require_same(*must(open_store(url)), model);
}

TEST_CASE("a commit that no standby has is not acknowledged, though the server holds it") {
  if (skipped()) return;
  PostgresServer server;
  const std::string url = server.fresh_url();
  const auto store = must(open_store(url));
  const std::vector<Run> runs = ended_runs(0, 10);
  server.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  server.psql("postgres", "SELECT pg_reload_conf()");
  while (server.psql("postgres", "SHOW synchronous_standby_names") != "nobody") std::this_thread::yield();
  std::atomic<bool> ended{false};
  absl::Status status;
  std::thread thread([&] {
    status = store->commit(runs, 0).status();
    ended = true;
  });
  while (!ended) {
    server.psql("postgres", "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  }
  thread.join();
  CAPTURE(status);
  REQUIRE(absl::IsUnavailable(status));
  server.psql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
  server.psql("postgres", "SELECT pg_reload_conf()");
  while (!server.psql("postgres", "SHOW synchronous_standby_names").empty()) std::this_thread::yield();
  REQUIRE(must(store->commit(runs, 0)) == std::vector<Applied>(10, Applied::kDuplicate));
  MemoryStore model;
  REQUIRE(model.commit(runs, 0).ok());
  require_same(*store, model);
}

TEST_CASE("while PostgreSQL is away everything is unavailable, and when it is back it works again by itself") {
  if (skipped()) return;
  PostgresServer server({.durable = true});
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(ended_runs(0, kBatch), 0).ok());
  for (int round = 0; round < 3; ++round) {
    server.kill();
    CHECK(absl::IsUnavailable(store->ready()));
    CHECK(absl::IsUnavailable(store->commit(ended_runs(kBatch, kBatch), 0).status()));
    CHECK(absl::IsUnavailable(store->runs({}, std::nullopt, 5).status()));
    CHECK(absl::IsUnavailable(store->jobs({}).status()));
    CHECK(absl::IsUnavailable(store->put_job("a", {})));
    CHECK(absl::IsUnavailable(store->hold("watch", "a", 1).status()));
    CHECK(absl::IsUnavailable(store->maintain(0, true).status()));
    server.start();
    while (!store->ready().ok()) std::this_thread::yield();
    REQUIRE(must(store->runs({}, std::nullopt, 1000)).runs.size() == kBatch);
  }
}

TEST_CASE("a PostgreSQL that was restarted between two questions is asked again at once") {
  if (skipped()) return;
  PostgresServer server({.durable = true});
  const auto store = must(open_postgres(server.fresh_url(), {.settle_at_once = true}));
  REQUIRE(store->commit(ended_runs(0, kBatch), 0).ok());
  server.kill();
  server.start();
  CHECK(must(store->runs({}, std::nullopt, 1000)).runs.size() == kBatch);
  CHECK(store->commit(ended_runs(kBatch, kBatch), 0).ok());
}

TEST_CASE("a server that takes no writes is asked until it does") {
  if (skipped()) return;
  PostgresServer server;
  const auto store = must(open_store(server.fresh_url()));
  REQUIRE(store->commit(ended_runs(0, kBatch), 0).ok());
  const auto set = [&](const std::string& what) {
    server.psql("postgres", "ALTER SYSTEM SET default_transaction_read_only = " + what);
    server.psql("postgres", "SELECT pg_reload_conf()");
    while (server.psql("postgres", "SHOW default_transaction_read_only") != what) std::this_thread::yield();
  };
  set("on");
  absl::Status status;
  for (std::uint32_t n = 1; status.ok(); ++n) status = store->commit(ended_runs(n * kBatch, kBatch), 0).status();
  CHECK(absl::IsUnavailable(status));
  CHECK(absl::IsUnavailable(store->ready()));
  server.psql("postgres", "ALTER SYSTEM RESET default_transaction_read_only");
  server.psql("postgres", "SELECT pg_reload_conf()");
  while (!store->ready().ok()) std::this_thread::yield();
  while (absl::IsUnavailable(store->commit(ended_runs(0, kBatch), 0).status())) std::this_thread::yield();
  CHECK(must(store->verify(5)).empty());
}

TEST_CASE("a server that has no connection left is unavailable, and nobody's commit is lost by it") {
  if (skipped()) return;
  PostgresServer server(
      {.settings = {"max_connections = 8", "superuser_reserved_connections = 0", "max_wal_senders = 0"}});
  const std::string url = server.fresh_url();
  const auto store = must(open_store(url));
  std::atomic<int> unavailable{0}, wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        auto mine = open_postgres(url, {.settle_at_once = true});
        const absl::Status status = mine.ok() ? (*mine)->jobs({}).status() : mine.status();
        if (absl::IsUnavailable(status)) ++unavailable;
        if (!status.ok() && !absl::IsUnavailable(status)) ++wrong;
      }
    });
  }
  std::uint32_t committed = 0;
  for (std::uint32_t n = 0; n < 20; ++n) {
    const absl::Status status = store->commit(ended_runs(n * kBatch, kBatch), 0).status();
    CHECK((status.ok() || absl::IsUnavailable(status)));
    if (status.ok()) committed += kBatch;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(unavailable > 0);
  while (!store->ready().ok()) std::this_thread::yield();
  CHECK(must(store->runs({}, std::nullopt, 100'000)).runs.size() == committed);
}

}  // namespace
}  // namespace kleptometrics::aggregator

// What is Redis's own: who else commits, what is refused at the door, what numbers a server in doubles would lose.
#include <iostream>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/redis/sha1.h"
#include "aggregator/store/redis/url.h"
#include "tests/aggregator/store/shared_fixture.h"

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

// So many that commands, and lists of fields, have to be cut.
TEST_CASE("one commit of very many runs is applied whole") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto store = must(open_store(server->fresh_url()));
  MemoryStore model;
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < 9'000; ++i) {
    const auto state = static_cast<State>(2 + i % 4);
    runs.push_back(finished(started(i % 9 == 0 ? "few" : "import", i, kStart + i), Nanos{1} << (i % 60), state));
    *runs.back().duration += *runs.back().duration / 97 * (i % 89);
  }
  REQUIRE(store->commit(runs, 0).ok());
  REQUIRE(model.commit(runs, 0).ok());
  require_same_sums(*store, model);
  REQUIRE(must(store->changes(1)).items.size() == runs.size());
  REQUIRE(must(store->verify(5)).empty());
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

TEST_CASE("a position in the list of changes that is none is refused") {
  RedisServer* const server = server_or_skip();
  if (server == nullptr) return;
  const auto store = must(open_store(server->fresh_url()));
  REQUIRE(absl::IsInvalidArgument(store->drop_changes("7")));
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

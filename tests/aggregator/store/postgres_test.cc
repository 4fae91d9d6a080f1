// What is PostgreSQL's own: what is refused at the door, and that no password is ever told.
#include <fstream>

#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/target.h"
#include "aggregator/store/postgres/values.h"
#include "tests/aggregator/store/shared_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::kStart;
using fakes::seconds;
using fakes::started;
using tests::PostgresServer;

// Where there is no server the case says so and is skipped.
PostgresServer* server_or_skip() {
  PostgresServer* const server = PostgresServer::shared();
  if (server == nullptr) std::cout << "SKIPPED: no PostgreSQL server\n";
  return server;
}

bool has(const absl::Status& status, std::string_view text) {
  return std::string_view(status.message().data(), status.message().size()).find(text) != std::string_view::npos;
}

std::string database_of(const std::string& url) { return url.substr(url.rfind('/') + 1); }

TEST_CASE("a newer schema in PostgreSQL is refused, and so is one of another program") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  REQUIRE(open_store(url).ok());
  server->psql(database_of(url), "UPDATE kleptometrics.meta SET value = 2 WHERE name = 'schema_version'");
  const absl::Status newer = open_store(url).status();
  CAPTURE(newer);
  REQUIRE(absl::IsFailedPrecondition(newer));
  REQUIRE(has(newer, "schema version 2 is newer than this build's 1"));
  server->psql(database_of(url), "DELETE FROM kleptometrics.meta");
  REQUIRE(absl::IsFailedPrecondition(open_store(url).status()));
}

TEST_CASE("tables that must exist are not made, and a database never is") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  REQUIRE(absl::IsNotFound(open_store(url, true).status()));
  REQUIRE(absl::IsNotFound(open_store(url, true).status()));
  REQUIRE(open_store(url).ok());
  REQUIRE(open_store(url, true).ok());
  REQUIRE(absl::IsNotFound(open_store(server->url("nobody_made_it")).status()));
}

TEST_CASE("both names of the scheme are PostgreSQL's") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  REQUIRE(must(open_store(url))->commit({started("import", 1)}, 0).ok());
  const auto store = must(open_store("postgres://" + url.substr(std::string("postgresql://").size())));
  REQUIRE(must(store->run(started("import", 1).id)));
}

TEST_CASE("a file to be copied is not what PostgreSQL keeps") {
  for (const char* const url : {"postgresql://me:secret@db/runs", "postgres://me:secret@db/runs"}) {
    const absl::Status refused = backup_store(url, "/nowhere");
    REQUIRE(absl::IsInvalidArgument(refused));
    REQUIRE(has(refused, "pg_dump"));
    REQUIRE_FALSE(has(refused, "secret"));
  }
}

TEST_CASE("no error repeats what may be a password, however the URL is miswritten") {
  for (const char* const url :
       {"postgresql://me:se/cret@db/runs", "postgresql://me:s@cret@db/runs", "postgresql://me:se?cret@db/runs",
        "postgresql://me:se#cret@db/runs", "postgresql://me:secret@db:port/runs", "postgresql://me:se%zzcret@db/runs",
        "postgresql://me:secret@[db/runs", "postgresql://me@db/runs?password=secret&no_such=cret",
        "postgresql://me:cret@localhost:1/runs?sslmode=nonsense", "postgres://me:cret@localhost:1/runs",
        "postgresql://me:cret@/runs?host=/nowhere/at/all", "postgress://me:secret@db/runs", "pq://me:secret@db/runs"}) {
    CAPTURE(url);
    const absl::Status refused = open_store(url).status();
    CAPTURE(refused);
    REQUIRE_FALSE(refused.ok());
    REQUIRE_FALSE(has(refused, "cret"));
  }
  REQUIRE(absl::IsInvalidArgument(open_store("postgresql://me:s@cret@db/runs").status()));
}

TEST_CASE("a password opens PostgreSQL, and no error shows it") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const tests::TempDir folder;
  std::ofstream(folder / "rules") << "local all klepto trust\nlocal all guest scram-sha-256\n";
  REQUIRE(std::system(("chmod -R a+rX " + folder.path()).c_str()) == 0);
  PostgresServer guarded({.settings = {"hba_file = '" + (folder / "rules") + "'"}});
  guarded.psql("postgres", "CREATE ROLE guest LOGIN PASSWORD 'right'");
  guarded.psql("postgres", "CREATE DATABASE runs OWNER guest");
  const std::string rest = guarded.url("runs").substr(guarded.url("runs").find('@'));
  REQUIRE(open_store("postgresql://guest:right" + rest).ok());
  for (const std::string& url : {"postgresql://guest:wr0ng" + rest, "postgresql://guest" + rest}) {
    const absl::Status refused = open_store(url).status();
    CAPTURE(refused);
    REQUIRE(absl::IsPermissionDenied(refused));
    REQUIRE_FALSE(has(refused, "wr0ng"));
  }
  ::setenv("PGPASSWORD", "right", 1);
  const bool by_environment = open_store("postgresql://guest" + rest).ok();
  ::unsetenv("PGPASSWORD");
  REQUIRE(by_environment);
}

TEST_CASE("commits wait for the disk, whatever the database says") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const auto setting = [&] {
    auto connection = must(postgres::Connection::open(must(postgres::Target::parse(url))));
    const auto rows = connection.query("SELECT current_setting('synchronous_commit')");
    REQUIRE(rows.ok());
    return std::string(rows->bytes(0, 0));
  };
  REQUIRE(setting() == "on");
  server->psql("postgres", "ALTER DATABASE " + database_of(url) + " SET synchronous_commit = off");
  REQUIRE(setting() == "on");
  server->psql("postgres", "ALTER DATABASE " + database_of(url) + " SET synchronous_commit = remote_apply");
  REQUIRE(setting() == "remote_apply");
}

TEST_CASE("a row that is damaged costs its own run") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const auto store = must(open_store(url));
  const std::vector<Run> runs = ended_runs(0, 10);
  REQUIRE(store->commit(runs, 0).ok());
  server->psql(database_of(url),
               "UPDATE kleptometrics.runs SET body = 'nonsense' WHERE id = '" + runs[3].id.text() + "'");
  REQUIRE(absl::IsUnknown(store->run(runs[3].id).status()));
  REQUIRE(must(store->runs({}, std::nullopt, 100)).runs.size() == 9);
  REQUIRE(must(store->commit({runs[3], runs[4]}, 0)) == std::vector<Applied>(2, Applied::kDuplicate));
}

TEST_CASE("where a row of the log is damaged its runs are counted from their own rows") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  const std::string url = server->fresh_url();
  const auto store = must(open_postgres(url, {.settle_at_once = true}));
  MemoryStore model;
  for (Store* each : {store.get(), static_cast<Store*>(&model)}) {
    REQUIRE(each->commit(ended_runs(0, 50), 0).ok());
    REQUIRE(each->commit(ended_runs(50, 50), 0).ok());
    REQUIRE(each->commit({annotated(ended_runs(7, 1)[0], 1)}, 0).ok());
  }
  server->psql(
      database_of(url),
      "UPDATE kleptometrics.log SET runs = 'nonsense' WHERE change = (SELECT min(change) FROM kleptometrics.log)");
  REQUIRE(must(store->jobs()).size() == 4);
  REQUIRE(RollupBytes::of(*store, "duration", Stretch::By::kAll).size() == 4);
  REQUIRE(store->maintain(kStart, true).ok());
  require_same(*store, model);
}

TEST_CASE("numbers and bytes go to the server and come back as they were") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  using namespace postgres;
  auto db = must(Connection::open(must(Target::parse(server->url("postgres")))));
  Array numbers = Array::int8(), texts = Array::texts(), blobs = Array::byteas();
  constexpr Nanos kLow = std::numeric_limits<Nanos>::min(), kHigh = std::numeric_limits<Nanos>::max();
  for (const Nanos number : {kLow, Nanos{-1}, Nanos{0}, kHigh}) numbers.add(number);
  texts.add("a,\"{}\\b");
  texts.add("");
  blobs.add(std::string_view("\0\xff", 2));
  blobs.add_null();
  const auto rows = db.query(
      "SELECT ($1::bigint[])[1], ($1::bigint[])[4], cardinality($1::bigint[]), ($2::text[])[1], ($2::text[])[2],"
      " ($3::bytea[])[1], ($3::bytea[])[2], $4::smallint, $5::boolean, $6::bytea, cardinality($7::integer[])",
      Values().array(numbers).array(texts).array(blobs).int2(-7).boolean(true).null(kBytea).array(Array::int4()));
  REQUIRE(rows.ok());
  REQUIRE(rows->integer(0, 0) == kLow);
  REQUIRE(rows->integer(0, 1) == kHigh);
  REQUIRE(rows->integer(0, 2) == 4);
  REQUIRE(rows->bytes(0, 3) == "a,\"{}\\b");
  REQUIRE((!rows->null(0, 4) && rows->bytes(0, 4).empty()));
  REQUIRE(rows->bytes(0, 5) == std::string_view("\0\xff", 2));
  REQUIRE(rows->null(0, 6));
  REQUIRE(rows->integer(0, 7) == -7);
  REQUIRE(rows->integer(0, 8) == 1);
  REQUIRE(rows->null(0, 9));
  REQUIRE(rows->integer(0, 10) == 0);
}

TEST_CASE("after a statement that fails a connection is as good as before") {
  PostgresServer* const server = server_or_skip();
  if (server == nullptr) return;
  using namespace postgres;
  auto db = must(Connection::open(must(Target::parse(server->url("postgres")))));
  REQUIRE_FALSE(db.query("SELECT no_such_thing").ok());
  REQUIRE(db.clean());
  const auto some = db.query_all({{"BEGIN"}, {"SELECT 1"}, {"SELECT 1 / 0"}, {"SELECT 2"}, {kCommit}});
  REQUIRE(in_the_way(some.status()));
  REQUIRE_FALSE(db.clean());
  db.roll_back();
  REQUIRE(db.clean());
  REQUIRE(must(db.query("SELECT 2")).integer(0, 0) == 2);
  REQUIRE_FALSE(db.copy("COPY no_such_table FROM STDIN", "x").ok());
  REQUIRE(db.clean());
  REQUIRE_FALSE(db.query_all({{"BEGIN"}, {"SELECT 1"}, {"SELECT no_such_thing"}}).ok());
  REQUIRE_FALSE(db.query_all({{kCommit}}).ok());  // which rolls back
  REQUIRE(db.clean());
}

}  // namespace
}  // namespace kleptometrics::aggregator

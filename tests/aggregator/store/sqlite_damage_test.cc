// A SQLite file of which a part is damaged: what is not hit is answered.
#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "tests/aggregator/store/fixture.h"
#include "tests/fakes/findings.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

constexpr std::uint32_t kRuns = 200;
constexpr std::size_t kPageBytes = 4096;

constexpr std::size_t kBatch = 50;  // in a row of the log, and in a chunk

// A closed store of runs, of which number 77 can be found in the file.
struct Damaged {
  explicit Damaged(State state, std::size_t settle_runs) {
    auto store = must(open_sqlite(path, {.settle_runs = settle_runs}));
    std::vector<Run> batch;
    for (std::uint32_t i = 0; i < kRuns; ++i) {
      Run run = started("job", i, kStart + seconds(i));
      if (terminal(state)) run = finished(run, seconds(1), state);
      run.host = i == 77 ? "smash-me" : "host";
      batch.push_back(run);
      if (batch.size() == kBatch) REQUIRE(store->commit(std::exchange(batch, {}), 0).ok());
    }
  }

  void execute(const char* sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
  }

  // The head of the page on which the text stands. (A chunk does not repeat what a text shares with the one before.)
  void smash_page_of(const std::string& text) const {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const std::size_t at = bytes.find(text);
    REQUIRE(at != std::string::npos);
    file.seekp(static_cast<std::streamoff>(at / kPageBytes * kPageBytes));
    file << std::string(8, '\x7f');
  }

  tests::TempDir dir;
  std::string path = dir / "runs.db";
};

std::vector<Run> listed(Store& store, const RunFilter& filter = {}) { return must(store.runs(filter, {}, 1000)).runs; }

TEST_CASE("an open run that is damaged costs no other") {
  const Damaged file(State::kRunning, kBatch);
  const char* const how = GENERATE("bytes = x'ff'", "bytes = x''");
  file.execute(("UPDATE open_runs SET " + std::string(how) + " WHERE key = 78").c_str());
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(absl::IsUnknown(store->run(id_of(77)).status()));
  REQUIRE(must(store->run(id_of(76))));
  REQUIRE(listed(*store).size() == kRuns - 1);
  REQUIRE(listed(*store, {.job = "job", .states = {State::kRunning}}).size() == kRuns - 1);
}

TEST_CASE("a chunk that is damaged costs the runs in it, in every kind of list") {
  const Damaged file(State::kSucceeded, kBatch);
  const char* const how = GENERATE("bytes = x'ff'", "bytes = substr(bytes, 1, 100)", "bytes = zeroblob(500)",
                                   "bytes = (SELECT bytes FROM chunks WHERE key = 1)");
  CAPTURE(how);
  file.execute(("UPDATE chunks SET " + std::string(how) + " WHERE key = 2").c_str());
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(absl::IsUnknown(store->run(id_of(77)).status()));
  REQUIRE(must(store->run(id_of(7))));
  REQUIRE(listed(*store).size() == kRuns - kBatch);
  REQUIRE(listed(*store, {.job = "job", .states = {State::kSucceeded}}).size() == kRuns - kBatch);
  std::uint32_t scanned = 0;
  REQUIRE(store->scan({.job = "job"}, [&](const Run&) { ++scanned; }) == absl::OkStatus());
  REQUIRE(scanned == kRuns - kBatch);
  // Sent again it is known, though nobody can say what it was; it is not counted twice.
  const Run again = finished(started("job", 77, kStart + seconds(77)), seconds(1));
  REQUIRE(must(store->commit({again}, 0)).at(0) == Applied::kDuplicate);
  REQUIRE_FALSE(must(store->verify(10)).empty());
}

TEST_CASE("a row of the log that is damaged costs the runs of its commit alone") {
  const Damaged file(State::kSucceeded, SqliteOptions().settle_runs);
  const char* const how = GENERATE("bytes = x'ff'", "bytes = substr(bytes, 1, 100)");
  file.execute(("UPDATE log SET " + std::string(how) + " WHERE key = 2").c_str());
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(listed(*store).size() == kRuns - kBatch);
  REQUIRE(must(store->run(id_of(7))));
}

TEST_CASE("a page that is damaged costs the runs on it, in every kind of list") {
  const Damaged file(State::kSucceeded, kBatch);
  file.smash_page_of("smash-me");
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(absl::IsUnknown(store->run(id_of(77)).status()));
  const std::vector<Run> all = listed(*store);
  REQUIRE(all.size() < kRuns);
  for (std::size_t i = 1; i < all.size(); ++i) REQUIRE(all[i].started_at < all[i - 1].started_at);
  REQUIRE(listed(*store, {.job = "job"}).size() == all.size());
  REQUIRE(listed(*store, {.job = "other"}).empty());
  // Page by page as well.
  std::optional<RunCursor> after;
  std::size_t paged = 0;
  do {
    const RunPage page = must(store->runs({}, after, 7));
    paged += page.runs.size();
    after = page.next;
  } while (after);
  REQUIRE(paged == all.size());
}

TEST_CASE("a damaged alert is left out of lists, and does not shorten a page, and the next of its id replaces it") {
  const Damaged file(State::kSucceeded, 1);
  const std::vector<Alert> alerts = {fakes::raised("job", 1, kStart + seconds(1)),
                                     fakes::raised("job", 2, kStart + seconds(2)), fakes::raised("job", 3, kStart)};
  REQUIRE(must(open_sqlite(file.path))->record({.alerts = alerts}).ok());
  file.execute("UPDATE findings SET bytes = x'ff' WHERE substr(id, 16) = x'01'");
  const auto store = must(open_sqlite(file.path));
  const AlertPage page = must(store->alerts({}, std::nullopt, 1));
  CHECK(page.items == std::vector<Alert>{alerts[1]});
  CHECK(must(store->alerts({}, page.next, 1)).items == std::vector<Alert>{alerts[2]});
  CHECK(absl::IsUnknown(store->alert(alerts[0].id).status()));
  REQUIRE(store->record({.alerts = {alerts[0]}}).ok());
  CHECK(must(store->alert(alerts[0].id)) == alerts[0]);
}

}  // namespace
}  // namespace kleptometrics::aggregator

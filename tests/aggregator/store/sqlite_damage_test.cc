// A SQLite file of which a part is damaged: what is not hit is answered.
#include <sqlite3.h>

#include <fstream>
#include <iterator>

#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

constexpr std::uint32_t kRuns = 200;
constexpr std::size_t kPageBytes = 4096;

// A closed store of runs, of which number 77 can be found in the file.
struct Damaged {
  Damaged() {
    auto store = must(open_store("sqlite:" + path));
    std::vector<Run> batch;
    for (std::uint32_t i = 0; i < kRuns; ++i) {
      Run run = started("job", i, kStart + seconds(i));
      run.host = i == 77 ? "hit-me" : "host";
      batch.push_back(run);
    }
    REQUIRE(store->commit(batch, 0).ok());
  }

  void execute(const char* sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
  }

  // The head of the page on which the text stands.
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

TEST_CASE("a row that is damaged costs its own run alone") {
  const Damaged file;
  const char* const how = GENERATE("bytes = x'ff'", "bytes = x''", "annotations = x'ff'", "started_at = started_at + 1",
                                   "bytes = (SELECT bytes FROM runs WHERE key = 1)");
  CAPTURE(how);
  file.execute(("UPDATE runs SET " + std::string(how) + " WHERE key = 78").c_str());
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(absl::IsUnknown(store->run(id_of(77)).status()));
  REQUIRE(must(store->run(id_of(76))));
  REQUIRE(listed(*store).size() == kRuns - 1);
  REQUIRE(listed(*store, {.job = "job", .states = {State::kRunning}}).size() == kRuns - 1);
  std::uint32_t scanned = 0;
  REQUIRE(store->scan({.job = "job"}, [&](const Run&) { ++scanned; }) == absl::OkStatus());
  REQUIRE(scanned == kRuns - 1);
}

TEST_CASE("a page that is damaged costs the runs on it, in every kind of list") {
  const Damaged file;
  file.smash_page_of("hit-me");
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(absl::IsUnknown(store->run(id_of(77)).status()));
  const std::vector<Run> all = listed(*store);
  REQUIRE(all.size() < kRuns);
  REQUIRE(all.size() > kRuns - 50);
  for (std::size_t i = 1; i < all.size(); ++i) REQUIRE(all[i].started_at < all[i - 1].started_at);
  REQUIRE(listed(*store, {.job = "job"}).size() == all.size());
  REQUIRE(listed(*store, {.job = "other"}).empty());
  REQUIRE(listed(*store, {.since = kStart + seconds(190)}).size() == 10);
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

}  // namespace
}  // namespace kleptometrics::aggregator

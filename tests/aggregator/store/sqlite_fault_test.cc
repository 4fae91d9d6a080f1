// The disk under the SQLite store: full, failing to sync, failing to write.
#include <dlfcn.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/sqlite/status.h"
#include "tests/aggregator/store/fixture.h"

namespace {

constexpr int kNever = 1 << 30;
std::atomic<int> syncs{0};            // asked for so far
std::atomic<int> good_syncs{kNever};  // those before this one do well, the others fail
std::atomic<int> bad_syncs{kNever};   // or only so many of them

int sync_with(const char* name, int fd) {
  if (const int sync = syncs++; sync >= good_syncs && sync - good_syncs < bad_syncs) {
    errno = EIO;
    return -1;
  }
  using Call = int (*)(int);
  static const auto real_fsync = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "fsync"));
  static const auto real_fdatasync = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "fdatasync"));
  return (name[1] == 's' ? real_fsync : real_fdatasync)(fd);
}

}  // namespace

// In place of the system's, for SQLite too.
extern "C" int fsync(int fd) { return sync_with("fsync", fd); }
extern "C" int fdatasync(int fd) { return sync_with("fdatasync", fd); }

namespace kleptometrics::aggregator {
namespace {

using fakes::kStart;
using fakes::seconds;
using fakes::started;

Run large_run(std::uint32_t number) {
  Run run = started("job", number, kStart + seconds(number));
  run.host = std::string(990, 'h') + std::to_string(number);  // each a text of its own
  return run;
}

// Commits one run after the other until one is refused, and says why. `next` is the number of the first.
absl::Status fill(Store& store, std::uint32_t& next) {
  for (int i = 0; i < 100'000; ++i) {
    const auto applied = store.commit(std::vector<Run>{large_run(next)}, 0);
    if (!applied.ok()) return applied.status();
    ++next;
  }
  return absl::OkStatus();
}

std::uint32_t count(Store& store) {
  std::uint32_t found = 0;
  REQUIRE(store.scan({}, [&](const Run&) { ++found; }) == absl::OkStatus());
  return found;
}

// A small file system of its own, if this process may mount one.
class SmallDisk {
 public:
  SmallDisk() : mounted_(::mount("klepto", folder_.path().c_str(), "tmpfs", 0, "size=3m") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  void fill() const {
    std::ofstream ballast(folder_ / "ballast", std::ios::binary | std::ios::app);
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void clear() const { std::filesystem::remove(folder_ / "ballast"); }

 private:
  tests::TempDir folder_;
  bool mounted_;
};

TEST_CASE("a full disk refuses commits, loses nothing and recovers without hands") {
  const SmallDisk disk;
  if (!disk.mounted()) {
    std::cout << "SKIPPED: this process may not mount a tmpfs\n";
    return;
  }
  const std::string path = disk / "runs.db";
  auto store = must(open_sqlite(path));
  std::uint32_t next = 0;
  for (int cycle = 0; cycle < 10; ++cycle) {
    CAPTURE(cycle, next);
    disk.fill();
    const absl::Status full = fill(*store, next);
    CAPTURE(full);
    REQUIRE(absl::IsUnavailable(full));
    REQUIRE(full.message().find("commit to sqlite " + path + ": ") == 0);
    REQUIRE(absl::IsUnavailable(store->ready()));
    REQUIRE(count(*store) == next);
    REQUIRE(absl::IsUnavailable(store->commit(std::vector<Run>{large_run(next)}, 0).status()));
    disk.clear();
    REQUIRE(store->ready() == absl::OkStatus());
    for (int i = 0; i < 5; ++i) REQUIRE(store->commit(std::vector<Run>{large_run(next++)}, 0).ok());
    if (cycle % 3 == 2) {
      store.reset();
      store = must(open_sqlite(path));
    }
    REQUIRE(count(*store) == next);
  }
}

TEST_CASE("a bound on pages is as a full disk") {
  const tests::TempDir folder;
  auto store = must(open_sqlite(folder / "runs.db", {.pages_max = 100}));
  std::uint32_t next = 0;
  const absl::Status full = fill(*store, next);
  REQUIRE(absl::IsUnavailable(full));
  REQUIRE(full.message() == "commit to sqlite " + (folder / "runs.db") + ": database or disk is full");
  REQUIRE(next > 50);
  REQUIRE(count(*store) == next);
  // A batch of which only a part would find room leaves nothing behind.
  std::vector<Run> batch;
  for (std::uint32_t i = 0; i < 500; ++i) batch.push_back(large_run(next + i));
  REQUIRE(absl::IsUnavailable(store->commit(batch, 0).status()));
  REQUIRE(count(*store) == next);
  store.reset();
  store = must(open_sqlite(folder / "runs.db"));
  REQUIRE(count(*store) == next);
  REQUIRE(store->commit(batch, 0).ok());
}

TEST_CASE("a job that was new in a commit that failed is no known job afterwards") {
  const tests::TempDir folder;
  auto store = must(open_sqlite(folder / "runs.db", {.pages_max = 60}));
  std::vector<Run> batch = {started("new", 1)};
  for (std::uint32_t i = 2; i < 500; ++i) batch.push_back(large_run(i));
  REQUIRE(absl::IsUnavailable(store->commit(batch, 0).status()));
  REQUIRE(must(store->jobs()).empty());
  batch.resize(1);
  REQUIRE(store->commit(batch, 0).ok());
  REQUIRE(must(store->jobs()).at(0).name == "new");
  REQUIRE(must(store->runs({.job = "new"}, std::nullopt, 5)).runs.size() == 1);
}

TEST_CASE("after a failed fsync nothing is written any more, and the acknowledged is there after a restart") {
  const tests::TempDir folder;
  auto store = must(open_sqlite(folder / "runs.db"));
  for (std::uint32_t i = 0; i < 10; ++i) REQUIRE(store->commit(std::vector<Run>{large_run(i)}, 0).ok());
  REQUIRE(syncs > 10);  // or this test would prove nothing
  good_syncs = 0;
  const absl::Status failed = store->commit(std::vector<Run>{large_run(10)}, 0).status();
  good_syncs = kNever;
  CAPTURE(failed);
  REQUIRE(absl::IsDataLoss(failed));
  REQUIRE(absl::IsDataLoss(store->commit(std::vector<Run>{large_run(10)}, 0).status()));
  REQUIRE(absl::IsDataLoss(store->ready()));
  REQUIRE(count(*store) == 10);
  store.reset();
  store = must(open_sqlite(folder / "runs.db"));
  REQUIRE(count(*store) >= 10);
  REQUIRE(store->ready() == absl::OkStatus());
}

// The pragma that turns the log on answers "wal" before it has committed that.
TEST_CASE("one failed fsync while the file is made keeps the store from opening, never from keeping a log") {
  int opened = 0;
  for (int n = 0; n < 12; ++n) {
    const tests::TempDir folder;
    good_syncs = syncs + n;
    bad_syncs = 1;
    auto store = open_sqlite(folder / "runs.db");
    good_syncs = bad_syncs = kNever;
    CAPTURE(n, store.status());
    if (!store.ok()) continue;
    ++opened;
    REQUIRE((*store)->commit(std::vector<Run>{large_run(1)}, 0).ok());
    REQUIRE(std::filesystem::exists(folder / "runs.db-wal"));
    REQUIRE_FALSE(std::filesystem::exists(folder / "runs.db-journal"));
  }
  REQUIRE(opened > 0);
  REQUIRE(opened < 12);
}

TEST_CASE("after a failed fsync the store's file is left as it is, for the next start to recover from") {
  const tests::TempDir folder;
  auto store = must(open_sqlite(folder / "runs.db"));
  REQUIRE(store->commit(std::vector<Run>{large_run(1)}, 0).ok());
  good_syncs = 0;
  REQUIRE(absl::IsDataLoss(store->commit(std::vector<Run>{large_run(2)}, 0).status()));
  const int before = syncs;
  store.reset();
  good_syncs = kNever;
  REQUIRE(syncs == before);
  REQUIRE(std::filesystem::exists(folder / "runs.db-wal"));
  store = must(open_sqlite(folder / "runs.db"));
  REQUIRE(count(*store) >= 1);
}

// So many pages that the log is copied back at once.
std::vector<Run> huge_batch() {
  std::vector<Run> batch;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    Run run = started("job", i, kStart + seconds(i));
    run.failure = Failure{FailureKind::kReported, std::string(4096, 'x'), 0};
    batch.push_back(run);
  }
  return batch;
}

TEST_CASE("a failed fsync while the log is copied back ends the store, not the commit before it") {
  const std::vector<Run> batch = huge_batch();
  const tests::TempDir folder;
  int needed = 0;
  {
    auto store = must(open_sqlite(folder / "first.db", {.checkpoint_pages = 4000}));
    const int before = syncs;
    REQUIRE(store->commit(batch, 0).ok());
    needed = syncs - before;
    REQUIRE(std::filesystem::file_size(folder / "first.db") > 16'000'000);  // it was copied
  }
  auto store = must(open_sqlite(folder / "second.db", {.checkpoint_pages = 4000}));
  good_syncs = syncs + needed - 1;
  const absl::Status committed = store->commit(batch, 0).status();
  good_syncs = kNever;
  REQUIRE(committed == absl::OkStatus());
  REQUIRE(absl::IsDataLoss(store->commit(std::vector<Run>{large_run(9999)}, 0).status()));
  REQUIRE(absl::IsDataLoss(store->ready()));
  REQUIRE(count(*store) == batch.size());
  store.reset();
  store = must(open_sqlite(folder / "second.db"));
  REQUIRE(count(*store) == batch.size());
}

TEST_CASE("what SQLite says becomes what the contract says") {
  using sqlite::status_of;
  REQUIRE(status_of(SQLITE_OK, nullptr, "x").ok());
  for (const int code : {SQLITE_FULL, SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_NOMEM, SQLITE_IOERR_NOMEM,
                         SQLITE_IOERR_SHMSIZE, SQLITE_CANTOPEN, SQLITE_READONLY}) {
    REQUIRE(absl::IsUnavailable(status_of(code, nullptr, "x")));
  }
  for (const int code : {SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_IOERR_READ, SQLITE_CORRUPT,
                         SQLITE_CORRUPT_INDEX}) {
    REQUIRE(absl::IsDataLoss(status_of(code, nullptr, "x")));
  }
  REQUIRE(absl::IsInternal(status_of(SQLITE_MISUSE, nullptr, "x")));
  REQUIRE(absl::IsInternal(status_of(SQLITE_READONLY_DBMOVED, nullptr, "x")));
  REQUIRE(status_of(SQLITE_FULL, nullptr, "commit").message() == "commit: database or disk is full");
}

TEST_CASE("what a damaged file makes SQLite say stays in one line") {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
  sqlite3_stmt* none = nullptr;
  const int code = sqlite3_prepare_v2(db, "SELECT 1 FROM \"a\nb\"", -1, &none, nullptr);
  const absl::Status status = sqlite::status_of(code, db, "read");
  sqlite3_close(db);
  CHECK(status.message() == "read: no such table: a\\x0ab");
}

}  // namespace
}  // namespace kleptometrics::aggregator

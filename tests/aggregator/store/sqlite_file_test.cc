// The SQLite store and its files: who may open them, and what is refused.
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/aggregator/store/fixture.h"
#include "tests/fakes/findings.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::kStart;
using fakes::seconds;
using fakes::started;

const Kind kSqlite{"sqlite", true};

// A file and what a stranger does to it.
struct File {
  tests::TempDir folder;
  std::string path = folder / "runs.db";

  void execute(const char* sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
  }
  void write(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
  std::string read() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  absl::Status open() const { return open_store("sqlite:" + path).status(); }
  // The message of the refusal, which names the file.
  std::string refusal() const {
    const absl::Status status = open();
    CAPTURE(status);
    REQUIRE(absl::IsFailedPrecondition(status));
    REQUIRE(status.message().find("open sqlite " + path + ": ") == 0);
    return std::string(status.message());
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a schema newer than the build is refused and left alone") {
  const File file;
  REQUIRE(file.open().ok());
  file.execute("PRAGMA user_version = 7");
  const std::string before = file.read();
  REQUIRE(contains(file.refusal(), "schema version 7 is newer than this build's 4"));
  REQUIRE(file.read() == before);
}

TEST_CASE("a file of an earlier schema gets what it lacks and keeps what it has") {
  const File file;
  const Run run = fakes::finished(started("import", 1), seconds(5));
  REQUIRE(must(open_store("sqlite:" + file.path))->commit({run}, kStart).ok());
  const bool before_findings = GENERATE(false, true);
  file.execute("DROP TABLE changes; PRAGMA user_version = 3");
  if (before_findings) file.execute("DROP TABLE findings; DROP TABLE watch_states; PRAGMA user_version = 2");
  const auto store = must(open_store("sqlite:" + file.path));
  REQUIRE(must(store->run(run.id)) == run);
  REQUIRE(must(store->alerts({}, std::nullopt, 1)).items.empty());
  const Alert alert = fakes::raised("import", 1);
  REQUIRE(store->record({.alerts = {alert}, .watch_states = {{"import", "x"}}}).ok());
  REQUIRE(must(store->alert(alert.id)) == alert);
  REQUIRE(store->keep_changes().ok());
  REQUIRE(store->commit({started("import", 2)}, kStart).ok());
  REQUIRE(must(store->changes(10)).items.size() == 1);
}

TEST_CASE("a file that is no database is refused and left alone") {
  const File file;
  for (const std::string& garbage : {std::string(100'000, 'x'), std::string("run,state\n1,ok\n")}) {
    file.write(garbage);
    REQUIRE(contains(file.refusal(), "file is not a database"));
    REQUIRE(file.read() == garbage);
  }
}

TEST_CASE("a database of another program is refused and left alone") {
  const File file;
  file.execute("CREATE TABLE theirs(x)");
  const std::string before = file.read();
  REQUIRE(contains(file.refusal(), "another program"));
  REQUIRE(file.read() == before);
}

TEST_CASE("an empty file becomes a store") {
  const File file;
  file.write("");
  REQUIRE(file.open().ok());
}

TEST_CASE("a second opener is refused while the first lives") {
  const File file;
  {
    const auto first = must(open_store("sqlite:" + file.path));
    REQUIRE(contains(file.refusal(), "another process has it open"));
    REQUIRE(first->ready().ok());
  }
  REQUIRE(file.open().ok());
}

TEST_CASE("the files are for their owner alone") {
  Shop shop(kSqlite);
  shop.commit(started("a", 1));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(shop.path()).parent_path())) {
    struct stat found {};
    REQUIRE(::stat(entry.path().c_str(), &found) == 0);
    CAPTURE(entry.path());
    CHECK((found.st_mode & 0777U) == 0600U);
    ++files;
  }
  REQUIRE(files == 4);  // the database, its log, its shared memory, its lock
}

TEST_CASE("what is no regular file is refused: a link, a folder, a pipe") {
  const File file;
  const std::string elsewhere = file.folder / "elsewhere";
  std::filesystem::create_symlink(elsewhere, file.path);
  REQUIRE(contains(file.refusal(), "symbolic link"));
  REQUIRE_FALSE(std::filesystem::exists(elsewhere));
  std::filesystem::remove(file.path);
  std::filesystem::remove(file.path + "-lock");
  std::filesystem::create_symlink(elsewhere, file.path + "-lock");
  REQUIRE(contains(file.refusal(), "symbolic link"));
  std::filesystem::remove(file.path + "-lock");
  REQUIRE(::mkfifo(file.path.c_str(), 0600) == 0);
  REQUIRE(contains(file.refusal(), "not a regular file"));
  std::filesystem::remove(file.path);
  std::filesystem::create_directory(file.path);
  REQUIRE_FALSE(file.open().ok());
}

TEST_CASE("a folder that may not be written to is an error that names the file") {
  if (::geteuid() == 0) {
    std::cout << "SKIPPED: root may write anywhere\n";
    return;
  }
  const File file;
  std::filesystem::permissions(file.folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const absl::Status status = file.open();
  std::filesystem::permissions(file.folder.path(), std::filesystem::perms::owner_all);
  REQUIRE(absl::IsPermissionDenied(status));
  REQUIRE(contains(std::string(status.message()), "open sqlite"));
}

TEST_CASE("an unknown VFS is an error") {
  const File file;
  const absl::Status status = open_sqlite(file.path, {.vfs = "nobody"}).status();
  REQUIRE_FALSE(status.ok());
  REQUIRE(contains(std::string(status.message()), "nobody"));
}

// The store opens all it needs at the start: 1,000 hung connections must not stop it.
TEST_CASE("a store works on when the process has no file descriptor left") {
  Shop shop(kSqlite);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  absl::Status committed;
  absl::Status read;
  std::uint32_t number = 0;
  for (int batch = 0; batch < 60 && committed.ok() && read.ok(); ++batch) {
    std::vector<Run> snapshots;
    for (int i = 0; i < 500; ++i) {
      ++number;
      Run run = started("job", number, kStart + seconds(number));
      run.host = std::string(3990, 'h') + std::to_string(number);  // each a text of its own
      snapshots.push_back(run);
    }
    committed = shop.store().commit(snapshots, 0).status();
    read = shop.store().scan({}, [](const Run&) {});
  }
  const absl::Status ready = shop.store().ready();
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(committed == absl::OkStatus());
  REQUIRE(read == absl::OkStatus());
  REQUIRE(ready == absl::OkStatus());
  REQUIRE(std::filesystem::file_size(shop.path()) > 1'000'000);  // the log was copied back on the way
  REQUIRE(shop.list({}, 700).size() == number);
}

}  // namespace
}  // namespace kleptometrics::aggregator

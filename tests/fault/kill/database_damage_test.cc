// R6, the database: bytes of it damaged at a thousand places, and at some of the log beside it. The store opens, or
// refuses with one line; reading it never crashes and never hangs; and what was not hit is answered.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"
#include "tests/e2e/daemon.h"
#include "tests/fakes/runs.h"
#include "tests/fault/kill/history.h"
#include "tests/fault/kill/scenario.h"
#include "tests/lib/journal/spool.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using aggregator::Store;

constexpr std::uint32_t kRuns = 3000;
constexpr std::uint32_t kStride = 15;            // between runs asked for one by one
constexpr std::size_t kBatch = 50;              // in a row of the log, or once settled in a chunk
constexpr std::size_t kUnsettled = 10 * kRuns;  // so many would be settled at once
constexpr unsigned kSecondsMax = 60;            // for one reader; then it hangs

Run run_number(std::uint32_t number) {
  Run run = fakes::finished(fakes::started("job-" + std::to_string(number % 7), number, fakes::kStart + number),
                            fakes::seconds(1 + number % 100));
  run.host = "host";
  run.labels["region"] = "eu";
  run.counters["rows"] = number;
  return run;
}

std::unique_ptr<Store> filled(const std::string& path, std::size_t settle_runs = kUnsettled) {
  auto store = aggregator::open_sqlite(path, {.settle_runs = settle_runs});
  if (!store.ok()) throw std::runtime_error(store.status().ToString());
  for (std::uint32_t number = 0; number < kRuns;) {
    std::vector<Run> batch;
    while (batch.size() < kBatch) batch.push_back(run_number(number++));
    if (!(*store)->commit(batch, 0).ok()) throw std::runtime_error("a commit failed");
  }
  return *std::move(store);
}

// What one reader, a process of its own, found. Told through a pipe.
struct Reading {
  bool opened = false, jobs = false, pages = false, scan = false, commit = false;
  std::uint32_t by_id = 0, in_pages = 0, in_scan = 0;
  char refusal[400]{};
};

std::uint32_t page_through(Store& store, bool& whole) {
  std::uint32_t seen = 0;
  std::optional<aggregator::RunCursor> after;
  for (std::uint32_t pages = 0; pages <= 2 * kRuns / 100; ++pages) {
    const auto page = store.runs({}, after, 100);
    if (!page.ok()) return seen;
    seen += static_cast<std::uint32_t>(page->runs.size());
    after = page->next;
    if (!after) break;
  }
  whole = !after;
  return seen;
}

Reading read(const std::string& path, bool commits) {
  Reading out;
  auto store = aggregator::open_store("sqlite:" + path);
  if (!store.ok()) {
    std::string(store.status().message()).copy(out.refusal, sizeof out.refusal - 1);
    return out;
  }
  out.opened = true;
  out.jobs = (*store)->jobs().ok();
  out.in_pages = page_through(**store, out.pages);
  out.scan = (*store)->scan({}, [&](const Run&) { ++out.in_scan; }).ok();
  for (std::uint32_t number = 0; number < kRuns; number += kStride) {
    const auto run = (*store)->run(fakes::id_of(number));
    out.by_id += run.ok() && *run && **run == run_number(number) ? 1 : 0;
  }
  out.commit = commits && (*store)->commit(std::vector<Run>{run_number(kRuns)}, 0).ok();
  return out;
}

// The log of a reader tells of each run that it leaves out.
void silence() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDERR_FILENO);
}

// Empty if the reader did not come to its end.
std::optional<Reading> read_apart(const std::string& path, bool commits) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  journal::test::Child child([&] {
    ::alarm(kSecondsMax);
    silence();
    const Reading found = read(path, commits);
    return ::write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1;
  });
  ::close(ends[1]);
  Reading found;
  const bool heard = ::read(ends[0], &found, sizeof found) == sizeof found;
  ::close(ends[0]);
  return child.wait() == 0 && heard ? std::optional(found) : std::nullopt;
}

// From a single bit to half a page, anywhere in the file.
void damage(const std::string& path, std::uint64_t seed, std::uint64_t number) {
  const std::size_t size = std::filesystem::file_size(path);
  const std::size_t at = drawn(seed, 2 * number) % size;
  const std::size_t length = std::size_t{1} << (drawn(seed, 2 * number + 1) % 12);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(std::min(length, size - at), '\0');
  file.seekg(static_cast<std::streamoff>(at));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t random = drawn(seed ^ number, i);
    bytes[i] = static_cast<char>(bytes[i] ^ (length == 1 ? 1 << random % 8 : 1 + static_cast<int>(random % 255)));
  }
  file.seekp(static_cast<std::streamoff>(at));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A copy of a database in `dir` and of its log, if there is one, and nothing of an earlier copy beside it.
std::string copy_of(const tests::TempDir& dir, const std::string& name) {
  std::string path = dir / "damaged.db";
  for (const char* const beside : {"", "-wal", "-shm"}) std::filesystem::remove(path + beside);
  for (const char* const part : {"", "-wal"})
    if (std::filesystem::exists(dir / name + part)) std::filesystem::copy_file(dir / name + part, path + part);
  return path;
}

// A copy of whole.db with damage of its own.
std::string damaged_copy(const tests::TempDir& dir, std::uint64_t seed, std::uint64_t number) {
  std::string path = copy_of(dir, "whole.db");
  damage(path, seed, number);
  return path;
}

bool one_line(const std::string& text) { return !text.empty() && text.find('\n') == std::string::npos; }

struct Tally {
  int refused = 0, whole_by_id = 0, nearly_whole = 0, commits = 0;
};

// A refusal must be one line; what may be lost is no fault here, it is counted.
void judge(const Reading& reading, const std::string& where, Tally& tally, Faults& faults) {
  constexpr std::uint32_t kNearlyAll = kRuns - 2 * kBatch;  // half a page may lie in two of them
  if (!reading.opened && !one_line(reading.refusal)) faults.push_back("refused without one clear line: " + where);
  tally.refused += reading.opened ? 0 : 1;
  tally.whole_by_id += reading.by_id == kRuns / kStride ? 1 : 0;
  tally.nearly_whole += reading.in_pages >= kNearlyAll && reading.in_scan >= kNearlyAll ? 1 : 0;
  tally.commits += reading.commit ? 1 : 0;
}

void damage_anywhere(const Scenario& scenario, std::size_t settle_runs) {
  const tests::TempDir dir;
  filled(dir / "whole.db", settle_runs).reset();
  const int times = scaled(1000);
  Tally tally;
  Faults faults;
  for (int time = 0; time < times; ++time) {
    const std::string path = damaged_copy(dir, scenario.seed(), static_cast<std::uint64_t>(time));
    const std::string where = "place " + std::to_string(time);
    const auto reading = read_apart(path, time % 5 == 0);
    if (reading) {
      judge(*reading, where, tally, faults);
    } else {
      faults.push_back("its reader crashed or hung: " + where);
    }
  }
  scenario.report(std::to_string(times) + " places, " + std::to_string(tally.refused) + " refused, " +
                  std::to_string(tally.whole_by_id) + " without any loss of runs asked for by id, " +
                  std::to_string(tally.nearly_whole) + " that cost lists at most two rows of the log, or chunks");
  require_none(scenario, faults);
  INFO(scenario.label());
  CHECK(tally.nearly_whole > times * 3 / 4);
  CHECK(tally.refused < times / 20);
}

TEST_CASE("R6: a database damaged at any of 1,000 places is opened or refused, and read without a crash") {
  damage_anywhere(Scenario("R6, database"), kUnsettled);
}

TEST_CASE("R6: a settled database damaged at any of 1,000 places is opened or refused, and read without a crash") {
  damage_anywhere(Scenario("R6, settled database"), kBatch);
}

TEST_CASE("R6: a log damaged at any of 200 places ends the history early at worst, and is read without a crash") {
  const Scenario scenario("R6, log");
  const tests::TempDir dir;
  journal::test::Child writer([&] {  // ends without closing, so that all of it is still in the log
    (void)filled(dir / "logged.db").release();
    return 0;
  });
  CHECK(writer.wait() == 0);
  REQUIRE(std::filesystem::file_size(dir / "logged.db-wal") > 100'000);
  const int times = scaled(200);
  std::uint64_t read = 0;
  Faults faults;
  for (int time = 0; time < times; ++time) {
    const std::string path = copy_of(dir, "logged.db");
    damage(path + "-wal", scenario.seed(), static_cast<std::uint64_t>(time));
    const auto reading = read_apart(path, time % 5 == 0);
    if (!reading || !reading->opened) {
      faults.push_back("its reader crashed, hung or was refused: place " + std::to_string(time));
    } else if (reading->in_pages % kBatch != 0 || reading->in_scan != reading->in_pages) {
      faults.push_back("a part of a commit is there: place " + std::to_string(time));
    } else {
      read += reading->in_pages;
    }
  }
  scenario.report(std::to_string(times) + " places, " + std::to_string(read / static_cast<std::uint64_t>(times)) +
                  " of " + std::to_string(kRuns) + " runs left on average");
  require_none(scenario, faults);
}

// Asked everything that a reader may ask; what it answers with 500 it cannot read.
void ask_all(tests::Daemon& daemon, const std::string& where, Faults& faults) {
  for (const char* const path :
       {"/api/v1/jobs", "/api/v1/runs?limit=1000", "/api/v1/jobs/job-1/stats", "/api/v1/jobs/job-2/runs", "/-/ready"}) {
    const int status = daemon.get(path).status;
    if (status != 200 && status != 404 && status != 500 && status != 503)
      faults.push_back(where + ": GET " + path + " is answered with " + std::to_string(status));
  }
  if (daemon.get("/-/healthy").status != 200) faults.push_back(where + ": it does not live any more");
}

TEST_CASE("R6: kleptometricsd on a damaged database serves what there is, or ends with one line and exit code 1") {
  const Scenario scenario("R6, kleptometricsd");
  const tests::TempDir dir;
  filled(dir / "whole.db").reset();
  tests::Daemon daemon({"--store=sqlite:" + dir / "damaged.db"});
  daemon.kill();
  const int times = scaled(40);
  int refused = 0;
  Faults faults;
  for (int time = 0; time < times; ++time) {
    const std::string where = "place " + std::to_string(time);
    damaged_copy(dir, scenario.seed() + 1, static_cast<std::uint64_t>(time));
    daemon.launch();
    if (daemon.await_ready()) {
      ask_all(daemon, where, faults);
      daemon.kill();
    } else {
      ++refused;
      const std::string log = daemon.log();
      const auto line = log.rfind('\n', log.size() - 2);
      const auto said = log.find("kleptometricsd: ", line);
      if (said == std::string::npos || log.find(" sqlite ", said) == std::string::npos)
        faults.push_back(where + ": " + log);
    }
  }
  scenario.report(std::to_string(times) + " starts, " + std::to_string(refused) + " refused");
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault

#include "tests/fault/kill/truth.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "aggregator/store/store.h"
#include "lib/journal/journal.h"
#include "tests/fault/kill/record.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using tests::Daemon;
using tests::Json;

// Whole hours of the history, and parts of hours at both ends.
constexpr const char* kPartOfIt = "stats?since=2023-11-14T22:20:31Z&until=2023-11-15T18:03:17Z";

// The first value that an SQL statement answers with.
std::string asked(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  std::string said = "no answer";
  const auto keep = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0];
    return 1;
  };
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK)
    sqlite3_exec(db, sql, keep, &said, nullptr);
  sqlite3_close(db);
  return said;
}

void compare_answers(const Daemon& daemon, const Daemon& undisturbed, const std::string& path, Faults& faults) {
  const tests::Answer one = daemon.get(path);
  const tests::Answer other = undisturbed.get(path);
  if (one.status != 200 || other.status != 200 || !tests::same(one.json(), other.json()))
    faults.push_back("GET " + path + ": " + one.body + " where an undisturbed aggregator says " + other.body);
}

bool give_all(const Daemon& daemon, const std::vector<PastRun>& runs) {
  ClientOptions options;
  options.endpoint = daemon.endpoint();
  options.spool_dir = daemon.dir() / "spool";
  Client client(options);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    record(client, runs[i]);
    if (i % 1000 == 999 || i + 1 == runs.size())
      if (!client.flush(std::chrono::seconds(60))) return false;
  }
  return client.stats().dropped + client.stats().rejected == 0;
}

std::size_t journals_in(const std::string& folder) {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    count += entry.path().extension() == journal::kSuffix ? 1 : 0;
  return count;
}

// What the aggregator itself finds wrong with what its store has added up.
void verify(const std::string& path, Faults& faults) {
  const tests::Ended ended = tests::run_program({KLEPTO_DAEMON, "--store=sqlite:" + path, "--verify_store"});
  if (ended.exit_code != 0) faults.push_back("--verify_store: " + ended.output);
}

}  // namespace

Runs stored_by(Daemon& daemon, Faults& faults, const std::string& database) {
  if (const int code = daemon.terminate(); code != 0)
    faults.push_back("the aggregator ended with " + std::to_string(code) + ": " + daemon.log());
  const std::string path = database.empty() ? daemon.dir() / "runs.db" : database;
  if (const std::string said = asked(path, "PRAGMA integrity_check"); said != "ok")
    faults.push_back("integrity_check: " + said);
  verify(path, faults);
  Runs runs;
  auto store = aggregator::open_store("sqlite:" + path);
  if (!store.ok()) {
    faults.push_back(store.status().ToString());
    return runs;
  }
  const absl::Status status = (*store)->scan({}, [&](const Run& run) {
    if (!runs.emplace(run.id, run).second) faults.push_back(run.id.text() + " is stored twice");
    if (const auto error = validate(run)) faults.push_back(run.id.text() + " is not valid: " + error->detail);
  });
  if (!status.ok()) faults.push_back(status.ToString());
  return runs;
}

void compare(const Run& stored, const PastRun& recorded, Faults& faults) {
  std::uint64_t parses = 0;
  for (const aggregator::Step& step : stored.steps) parses += step.name == "parse" ? step.count : 0;
  const auto rows = stored.counters.find("rows");
  const auto state = recorded.failed ? aggregator::State::kFailed : aggregator::State::kSucceeded;
  const bool good = stored.job == recorded.job && stored.started_at == recorded.started_at &&
                    stored.duration == recorded.duration && stored.state == state && parses == recorded.parses &&
                    rows != stored.counters.end() && rows->second == recorded.rows;
  if (!good) faults.push_back(recorded.id.text() + " is stored otherwise than it was recorded");
}

void compare_statistics(const Daemon& daemon, const std::vector<PastRun>& recorded, Faults& faults) {
  const Daemon undisturbed({"--store=memory:"});
  if (!give_all(undisturbed, recorded)) return faults.push_back("the undisturbed aggregator did not take all");
  for (std::uint64_t job = 0; job < kJobs; ++job) {
    const std::string path = "/api/v1/jobs/import-" + std::to_string(job) + "/";
    for (const char* query :
         {"stats", "stats?outcome=failed", "stats?measure=counter:rows", "stats?measure=seconds_per:rows", "profile",
          kPartOfIt, "history?bucket=hour", "history?bucket=day&measure=counter:rows", "history?bucket=day"})
      compare_answers(daemon, undisturbed, path + query, faults);
  }
}

void await_adoption(const std::string& spool, std::size_t left, Faults& faults) {
  const auto begun = std::chrono::steady_clock::now();
  while (journals_in(spool) > left) {
    if (std::chrono::steady_clock::now() - begun > std::chrono::seconds(30))
      return faults.push_back("a journal is still in the spool after 30 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between two looks at another process
  }
}

}  // namespace kleptometrics::fault

// What the rules have found, in and out.
#include <set>

#include "aggregator/store/postgres/finding_rows.h"
#include "aggregator/store/postgres/schema.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr char kLock[] = "SELECT pg_advisory_xact_lock($1)::text";
constexpr char kPutState[] = "UPDATE jobs SET watch_state = $2 WHERE key = $1";
constexpr char kStates[] = "SELECT name, watch_state FROM jobs WHERE watch_state <> '' ORDER BY name";

absl::Status put_all(Connection& db, const Findings& findings, const std::map<std::string, std::int64_t>& jobs) {
  for (const Delay& delay : findings.delays) {
    if (absl::Status status = put_finding(db, jobs.at(delay.job), delay); !status.ok()) return status;
  }
  for (const Alert& alert : findings.alerts) {
    if (absl::Status status = put_finding(db, jobs.at(alert.job), alert); !status.ok()) return status;
  }
  for (const Uuid& id : findings.withdrawn) {
    if (absl::Status status = remove_delay(db, id); !status.ok()) return status;
  }
  std::vector<Statement> statements;
  for (const auto& [job, bytes] : findings.watch_states)
    statements.push_back({kPutState, Values().int4(jobs.at(job)).bytea(bytes)});
  statements.push_back({kCommit});
  return db.query_all(statements).status();
}

std::vector<std::string> jobs_in(const Findings& findings) {
  std::set<std::string> names;
  for (const Delay& delay : findings.delays) names.insert(delay.job);
  for (const Alert& alert : findings.alerts) names.insert(alert.job);
  for (const auto& [job, bytes] : findings.watch_states) names.insert(job);
  return {names.begin(), names.end()};
}

}  // namespace

absl::Status PostgresStore::record(const Findings& findings) {
  if (findings.empty()) return absl::OkStatus();
  const absl::Status status = write([&](Connection& db) KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::Status begun = db.query_all({{"BEGIN"}, {kLock, Values().int8(kFindingsLock)}}).status();
    if (!begun.ok()) return begun;
    JobKeys found;
    const auto keys = keys_of_jobs(db, jobs_in(findings), job_keys_, found);
    if (!keys.ok()) return keys.status();
    const absl::Status put = put_all(db, findings, *keys);
    if (put.ok()) job_keys_.insert(found.begin(), found.end());
    return put;
  });
  return within(doing("commit to"), status);
}

absl::StatusOr<DelayPage> PostgresStore::delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                                std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one delay");
  const auto damage = telling();
  return read<DelayPage>([&](Connection& db) { return read_delays(db, filter, after, limit, damage); });
}

absl::StatusOr<AlertPage> PostgresStore::alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                                std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one alert");
  const auto damage = telling();
  return read<AlertPage>([&](Connection& db) { return read_alerts(db, filter, after, limit, damage); });
}

absl::StatusOr<std::optional<Alert>> PostgresStore::alert(const Uuid& id) {
  return read<std::optional<Alert>>([&](Connection& db) { return read_alert(db, id); });
}

absl::StatusOr<DelayCounts> PostgresStore::delay_counts(const DelayFilter& filter) {
  return read<DelayCounts>([&](Connection& db) { return count_delays(db, filter); });
}

absl::StatusOr<AlertCounts> PostgresStore::alert_counts(const AlertFilter& filter) {
  return read<AlertCounts>([&](Connection& db) { return count_alerts(db, filter); });
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> PostgresStore::watch_states() {
  using States = std::vector<std::pair<std::string, std::string>>;
  return read<States>([&](Connection& db) -> absl::StatusOr<States> {
    const absl::StatusOr<Rows> rows = db.query(kStates);
    if (!rows.ok()) return rows.status();
    States states;
    for (std::size_t i = 0; i < rows->size(); ++i) states.emplace_back(rows->bytes(i, 0), rows->bytes(i, 1));
    return states;
  });
}

}  // namespace kleptometrics::aggregator::postgres

// What the rules have found, in and out. Rare beside runs, so it is put in its place at once: no part of the tail.
#include "aggregator/store/sqlite/finding_rows.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::size_t kSliceFindings = 1000;  // removed in one slice of housekeeping

// The answer, or its error with what was being done before it.
template <typename T>
absl::StatusOr<T> told(const std::string& doing, absl::StatusOr<T> answer) {
  if (!answer.ok()) return within(doing, answer.status());
  return answer;
}

}  // namespace

absl::Status SqliteStore::record(const Findings& findings) {
  if (findings.empty()) return absl::OkStatus();
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) { return put_findings(findings); });
  if (!status.ok()) return within(doing("commit to"), status);
  checkpoint();
  return status;
}

absl::Status SqliteStore::put_findings(const Findings& findings) {
  const auto put = [&](const std::string& job, auto put_row) KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::StatusOr<std::int64_t> key = settler_.key_of_job(job);
    return key.ok() ? put_row(*key) : key.status();
  };
  absl::Status status;
  for (std::size_t i = 0; i < findings.delays.size() && status.ok(); ++i) {
    const Delay& delay = findings.delays[i];
    status =
        put(delay.job, [&](std::int64_t key) KLEPTO_REQUIRES(writing_) { return put_finding(writer_, key, delay); });
  }
  for (std::size_t i = 0; i < findings.alerts.size() && status.ok(); ++i) {
    const Alert& alert = findings.alerts[i];
    status =
        put(alert.job, [&](std::int64_t key) KLEPTO_REQUIRES(writing_) { return put_finding(writer_, key, alert); });
  }
  for (std::size_t i = 0; i < findings.withdrawn.size() && status.ok(); ++i)
    status = remove_delay(writer_, findings.withdrawn[i]);
  for (std::size_t i = 0; i < findings.watch_states.size() && status.ok(); ++i) {
    const auto& [job, bytes] = findings.watch_states[i];
    status = put(job, [&, &its = bytes](std::int64_t key)
                          KLEPTO_REQUIRES(writing_) { return put_watch_state(writer_, key, its); });
  }
  return status;
}

// One slice. True if more may be left.
absl::StatusOr<bool> SqliteStore::expire_findings(Nanos now) {
  absl::StatusOr<bool> more = findings_due(writer_, now - kFindingsKept);
  if (!more.ok() || !*more) return more;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) {
    more = sqlite::expire_findings(writer_, now - kFindingsKept, kSliceFindings);
    return more.status();
  });
  if (!status.ok()) return status;
  return more;
}

absl::StatusOr<DelayPage> SqliteStore::delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                              std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one delay");
  ReaderPool::Lease reader = readers_.borrow();
  const auto damage = telling();
  return told(doing("read"), read_delays(*reader, filter, after, limit, damage));
}

absl::StatusOr<AlertPage> SqliteStore::alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                              std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one alert");
  ReaderPool::Lease reader = readers_.borrow();
  const auto damage = telling();
  return told(doing("read"), read_alerts(*reader, filter, after, limit, damage));
}

absl::StatusOr<std::optional<Alert>> SqliteStore::alert(const Uuid& id) {
  ReaderPool::Lease reader = readers_.borrow();
  return told(doing("read"), read_alert(*reader, id));
}

absl::StatusOr<DelayCounts> SqliteStore::delay_counts(const DelayFilter& filter) {
  ReaderPool::Lease reader = readers_.borrow();
  return told(doing("read"), count_delays(*reader, filter));
}

absl::StatusOr<AlertCounts> SqliteStore::alert_counts(const AlertFilter& filter) {
  ReaderPool::Lease reader = readers_.borrow();
  return told(doing("read"), count_alerts(*reader, filter));
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> SqliteStore::watch_states() {
  ReaderPool::Lease reader = readers_.borrow();
  return told(doing("read"), read_watch_states(*reader));
}

}  // namespace kleptometrics::aggregator::sqlite

#include "aggregator/store/sqlite/finding_rows.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "aggregator/store/finding_kinds.h"
#include "aggregator/store/finding_pager.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

// The parameters of all that reads by a filter, by number. An index is named in each such statement, since there are no
// statistics for SQLite to choose by.
enum Parameter : int { kJob = 1, kRun, kClosings, kUntilId, kUntil, kSince, kKinds, kWhat };

struct Source {
  const char* index;      // by which to read
  const char* condition;  // on `closing`
  bool few;               // rows, of all jobs together
};
constexpr Source kOpen = {"findings_open", "closing IS NULL", true};
constexpr Source kClosedSince = {"findings_by_closing", "closing > ?3", true};  // ?3: kClosings
constexpr Source kClosedUntil = {"findings_by_start", "closing <= ?3", false};
constexpr Source kAny = {"findings_by_start", "TRUE", false};

template <typename Kind>
const char* index_for(const FindingFilter<Kind>& filter, const Source& source) {
  if (!filter.run_id.none()) return "findings_by_run";
  return filter.job.empty() || source.few ? source.index : "findings_by_job";
}

template <typename Kind>
std::string from_where(const FindingFilter<Kind>& filter, const Source& source) {
  return absl::StrCat(" FROM findings INDEXED BY ", index_for(filter, source),
                      " WHERE what = ?8 AND (opened_at, id) < (?5, ?4) AND opened_at >= ?6 AND (?7 >> kind) & 1 AND ",
                      source.condition, filter.job.empty() ? "" : " AND job = (SELECT key FROM jobs WHERE name = ?1)",
                      filter.run_id.none() ? "" : " AND run_id = ?2");
}

const Source& source_of(FindingPart part) {
  return part == FindingPart::kOpen ? kOpen : part == FindingPart::kClosedSince ? kClosedSince : kClosedUntil;
}

// Borrows filter and instant until the last row.
template <typename What>
void bind(Execution& rows, const FindingFilter<typename What::Kind>& filter, const FindingsBefore& before,
          std::int64_t closings) {
  std::int64_t kinds = filter.kinds.empty() ? -1 : 0;  // a bit each
  for (const auto kind : filter.kinds) kinds |= std::int64_t{1} << static_cast<unsigned>(kind);
  rows.bind_text(kJob, filter.job).bind_blob(kRun, filter.run_id.view()).bind(kClosings, closings);
  rows.bind_blob(kUntilId, before.id.view()).bind(kUntil, before.opened_at);
  rows.bind(kSince, filter.since.value_or(std::numeric_limits<Nanos>::min()));
  rows.bind(kKinds, kinds).bind(kWhat, What::kWhat);
}

// 0: none has closed.
absl::StatusOr<std::int64_t> last_closing(Connection& db, std::int64_t what) {
  Execution row(db.prepare(
      "SELECT max(closing) FROM findings INDEXED BY findings_by_closing WHERE what = ?1 AND closing IS NOT NULL"));
  const std::int64_t last = row.with(what).next() ? row.integer(0) : 0;
  if (!row.status().ok()) return row.status();
  return last;
}

template <typename What>
using Pager = FindingPager<typename What::Finding, typename What::Kind>;

template <typename What>
absl::Status read_part(Connection& db, const FindingFilter<typename What::Kind>& filter,
                       const typename Pager<What>::Wanted& wanted, Settled::Damage damage,
                       std::vector<typename What::Finding>& found) {
  const std::string sql =
      absl::StrCat("SELECT bytes, id", from_where(filter, source_of(wanted.part)), " ORDER BY opened_at DESC, id DESC");
  Execution rows(db.prepare(sql));
  bind<What>(rows, filter, wanted.before, wanted.closings);
  for (std::size_t left = wanted.most; left != 0 && rows.next();) {
    absl::StatusOr<typename What::Finding> finding = What::decode(rows.blob(0));
    if (finding.ok()) {
      found.push_back(*std::move(finding));
      --left;
    } else {
      damage(What::kName + Uuid::from_bytes(rows.blob(1)).value_or(Uuid{}).text(), finding.status());
    }
  }
  return rows.status();
}

template <typename What>
absl::StatusOr<FindingPage<typename What::Finding>> read_page(Connection& db,
                                                              const FindingFilter<typename What::Kind>& filter,
                                                              const std::optional<FindingCursor>& after,
                                                              std::size_t limit, Settled::Damage damage) {
  using Page = FindingPage<typename What::Finding>;
  if (absl::Status begun = db.run("BEGIN"); !begun.ok()) return begun;
  const auto read = [&](const typename Pager<What>::Wanted& wanted, std::vector<typename What::Finding>& found) {
    return read_part<What>(db, filter, wanted, damage, found);
  };
  const absl::StatusOr<std::int64_t> closings = last_closing(db, What::kWhat);
  absl::StatusOr<Page> page =
      closings.ok() ? Pager<What>(filter, after, limit, read).fill(*closings) : absl::StatusOr<Page>(closings.status());
  (void)db.run("COMMIT");
  return page;
}

template <typename What>
absl::StatusOr<std::vector<FindingCount<typename What::Kind>>> count(Connection& db,
                                                                     const FindingFilter<typename What::Kind>& filter) {
  using Kind = typename What::Kind;
  const Source& source = !filter.open ? kAny : *filter.open ? kOpen : kClosedUntil;
  const std::string sql = absl::StrCat("SELECT (SELECT name FROM jobs WHERE key = job), kind, count(*)",
                                       from_where(filter, source), " GROUP BY job, kind");
  std::vector<FindingCount<Kind>> counts;
  const FindingsBefore before{filter.until.value_or(std::numeric_limits<Nanos>::max())};
  Execution rows(db.prepare(sql));
  bind<What>(rows, filter, before, std::numeric_limits<std::int64_t>::max());
  while (rows.next())
    counts.push_back(
        {std::string(rows.text(0)), static_cast<Kind>(rows.integer(1)), static_cast<std::uint64_t>(rows.integer(2))});
  if (!rows.status().ok()) return rows.status();
  std::ranges::sort(counts,
                    [](const auto& a, const auto& b) { return std::tie(a.job, a.kind) < std::tie(b.job, b.kind); });
  return counts;
}

struct Stored {
  std::string bytes;
  std::int64_t closing = 0;  // 0: open
};

template <typename What>
absl::StatusOr<std::optional<Stored>> find(Connection& db, const Uuid& id) {
  Execution row(db.prepare("SELECT bytes, closing FROM findings WHERE what = ?1 AND id = ?2"));
  std::optional<Stored> found;
  if (row.with(What::kWhat, id.view()).next()) found = Stored{std::string(row.blob(0)), row.integer(1)};
  if (!row.status().ok()) return row.status();
  return found;
}

template <typename What>
absl::Status put(Connection& db, std::int64_t job, typename What::Finding finding) {
  const absl::StatusOr<std::optional<Stored>> stored = find<What>(db, finding.id);
  if (!stored.ok()) return stored.status();
  std::int64_t closing = 0;
  if (*stored) {
    // One that is damaged is replaced.
    if (const auto known = What::decode((*stored)->bytes); known.ok()) finding = merged(std::move(finding), *known);
    closing = (*stored)->closing;
  }
  const std::string bytes = What::encode(finding);
  if (*stored && (*stored)->bytes == bytes) return absl::OkStatus();
  if (!finding.open() && closing == 0) {
    const absl::StatusOr<std::int64_t> last = last_closing(db, What::kWhat);
    if (!last.ok()) return last.status();
    closing = *last + 1;
  }
  Execution row(
      db.prepare("INSERT OR REPLACE INTO findings(what, id, kind, job, opened_at, bytes, run_id, closed_at,"
                 " closing) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
  row.with(What::kWhat, finding.id.view(), static_cast<std::int64_t>(finding.kind), job, finding.opened_at,
           std::string_view(bytes));
  if (!finding.run_id.none()) row.bind_blob(7, finding.run_id.view());
  if (finding.closed_at) row.bind(8, *finding.closed_at).bind(9, closing);
  return row.run();
}

}  // namespace

absl::Status put_finding(Connection& db, std::int64_t job, const Delay& delay) { return put<Delays>(db, job, delay); }
absl::Status put_finding(Connection& db, std::int64_t job, const Alert& alert) { return put<Alerts>(db, job, alert); }

absl::Status remove_delay(Connection& db, const Uuid& id) {
  return db.run("DELETE FROM findings WHERE what = ?1 AND id = ?2", Delays::kWhat, id.view());
}

absl::Status put_watch_state(Connection& db, std::int64_t job, std::string_view bytes) {
  if (bytes.empty()) return db.run("DELETE FROM watch_states WHERE job = ?1", job);
  return db.run("INSERT OR REPLACE INTO watch_states(job, bytes) VALUES(?1, ?2)", job, bytes);
}

absl::StatusOr<bool> findings_due(Connection& db, Nanos horizon) {
  Execution rows(db.prepare("SELECT 1 FROM findings INDEXED BY findings_to_expire WHERE closed_at < ?1 LIMIT 1"));
  const bool due = rows.with(horizon).next();
  if (!rows.status().ok()) return rows.status();
  return due;
}

absl::StatusOr<bool> expire_findings(Connection& db, Nanos horizon, std::size_t rows_max) {
  const absl::Status status = db.run(
      "DELETE FROM findings WHERE (what, id) IN (SELECT what, id FROM findings INDEXED BY findings_to_expire"
      " WHERE closed_at < ?1 LIMIT ?2)",
      horizon, static_cast<std::int64_t>(rows_max));
  if (!status.ok()) return status;
  return static_cast<std::size_t>(sqlite3_changes(db.raw())) == rows_max;
}

absl::StatusOr<DelayPage> read_delays(Connection& db, const DelayFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit,
                                      Settled::Damage damage) {
  return read_page<Delays>(db, filter, after, limit, damage);
}

absl::StatusOr<AlertPage> read_alerts(Connection& db, const AlertFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit,
                                      Settled::Damage damage) {
  return read_page<Alerts>(db, filter, after, limit, damage);
}

absl::StatusOr<std::optional<Alert>> read_alert(Connection& db, const Uuid& id) {
  const absl::StatusOr<std::optional<Stored>> stored = find<Alerts>(db, id);
  if (!stored.ok()) return stored.status();
  if (!*stored) return std::optional<Alert>();
  absl::StatusOr<Alert> alert = wire::decode_alert((*stored)->bytes);
  if (!alert.ok()) return absl::UnknownError(alert.status().message());
  return std::optional<Alert>(*std::move(alert));
}

absl::StatusOr<DelayCounts> count_delays(Connection& db, const DelayFilter& filter) {
  return count<Delays>(db, filter);
}
absl::StatusOr<AlertCounts> count_alerts(Connection& db, const AlertFilter& filter) {
  return count<Alerts>(db, filter);
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> read_watch_states(Connection& db) {
  std::vector<std::pair<std::string, std::string>> states;
  Execution rows(db.prepare("SELECT name, bytes FROM watch_states JOIN jobs ON jobs.key = job ORDER BY name"));
  while (rows.next()) states.emplace_back(rows.text(0), rows.blob(1));
  if (!rows.status().ok()) return rows.status();
  return states;
}

}  // namespace kleptometrics::aggregator::sqlite

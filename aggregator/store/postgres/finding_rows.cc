#include "aggregator/store/postgres/finding_rows.h"

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregator/store/finding_kinds.h"
#include "aggregator/store/finding_pager.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr char kLastClosing[] =
    "SELECT coalesce(max(closing), 0) FROM findings WHERE what = $1 AND closing IS NOT NULL";

// A condition on `closing`; $7 is how many had closed when the list was begun.
constexpr const char* kOpen = "closing IS NULL";
constexpr const char* kClosedSince = "closing > $7";
constexpr const char* kClosedUntil = "closing <= $7";
constexpr const char* kAny = "TRUE";

// The texts are few: parameters that a filter leaves out select everything.
template <typename Kind>
std::string from_where(const FindingFilter<Kind>& filter, const char* condition) {
  return absl::StrCat(
      " FROM findings WHERE what = $1 AND (opened_at, id) < ($2, $3) AND opened_at >= $4 AND ($5 >> kind) & 1 = 1 AND ",
      condition, filter.job.empty() ? "" : " AND job = (SELECT key FROM jobs WHERE name = $6)",
      filter.run_id.none() ? "" : " AND run_id = $8");
}

const char* condition_of(FindingPart part) {
  return part == FindingPart::kOpen ? kOpen : part == FindingPart::kClosedSince ? kClosedSince : kClosedUntil;
}

template <typename What>
Values values_of(const FindingFilter<typename What::Kind>& filter, const FindingsBefore& before,
                 std::int64_t closings) {
  std::int64_t kinds = filter.kinds.empty() ? 0xffff : 0;  // a bit each
  for (const auto kind : filter.kinds) kinds |= std::int64_t{1} << static_cast<unsigned>(kind);
  Values values;
  values.int2(What::kWhat).int8(before.opened_at).uuid(before.id);
  values.int8(filter.since.value_or(std::numeric_limits<Nanos>::min())).int4(kinds).text(filter.job).int8(closings);
  if (!filter.run_id.none()) values.uuid(filter.run_id);
  return values;
}

template <typename What>
using Pager = FindingPager<typename What::Finding, typename What::Kind>;

// Again for those that are damaged.
template <typename What>
absl::Status read_part(Connection& db, const FindingFilter<typename What::Kind>& filter,
                       typename Pager<What>::Wanted wanted, Damage damage, std::vector<typename What::Finding>& found) {
  const std::string sql = absl::StrCat("SELECT bytes, id, opened_at", from_where(filter, condition_of(wanted.part)),
                                       " ORDER BY opened_at DESC, id DESC LIMIT $", filter.run_id.none() ? 8 : 9);
  constexpr std::size_t kMost = 1U << 20U;
  for (std::size_t left = std::min(wanted.most, kMost); left != 0;) {
    Values values = values_of<What>(filter, wanted.before, wanted.closings);
    values.int8(static_cast<std::int64_t>(left));
    const absl::StatusOr<Rows> rows = db.query(sql, std::move(values));
    if (!rows.ok()) return rows.status();
    const bool last = rows->size() < left;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      wanted.before = {rows->integer(i, 2), rows->uuid(i, 1)};
      absl::StatusOr<typename What::Finding> finding = What::decode(rows->bytes(i, 0));
      if (finding.ok()) {
        found.push_back(*std::move(finding));
        --left;
      } else {
        damage(What::kName + wanted.before.id.text(), finding.status());
      }
    }
    if (last) break;
  }
  return absl::OkStatus();
}

template <typename What>
absl::StatusOr<FindingPage<typename What::Finding>> read_page(Connection& db,
                                                              const FindingFilter<typename What::Kind>& filter,
                                                              const std::optional<FindingCursor>& after,
                                                              std::size_t limit, Damage damage) {
  const absl::StatusOr<std::vector<Rows>> begun =
      db.query_all({{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, {kLastClosing, Values().int2(What::kWhat)}});
  if (!begun.ok()) return begun.status();
  const auto read = [&](const typename Pager<What>::Wanted& wanted, std::vector<typename What::Finding>& found) {
    return read_part<What>(db, filter, wanted, damage, found);
  };
  auto page = Pager<What>(filter, after, limit, read).fill((*begun)[1].integer(0, 0));
  db.roll_back();
  return page;
}

template <typename What>
absl::StatusOr<std::vector<FindingCount<typename What::Kind>>> count(Connection& db,
                                                                     const FindingFilter<typename What::Kind>& filter) {
  using Kind = typename What::Kind;
  const char* const condition = !filter.open ? kAny : *filter.open ? kOpen : kClosedUntil;
  const std::string sql =
      absl::StrCat("SELECT name, kind, n FROM (SELECT job, kind, count(*) AS n", from_where(filter, condition),
                   " GROUP BY job, kind) AS counted JOIN jobs ON jobs.key = counted.job");
  const FindingsBefore before{filter.until.value_or(std::numeric_limits<Nanos>::max())};
  const absl::StatusOr<Rows> rows =
      db.query(sql, values_of<What>(filter, before, std::numeric_limits<std::int64_t>::max()));
  if (!rows.ok()) return rows.status();
  std::vector<FindingCount<Kind>> counts;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    counts.push_back({std::string(rows->bytes(i, 0)), static_cast<Kind>(rows->integer(i, 1)),
                      static_cast<std::uint64_t>(rows->integer(i, 2))});
  }
  std::ranges::sort(counts,
                    [](const auto& a, const auto& b) { return std::tie(a.job, a.kind) < std::tie(b.job, b.kind); });
  return counts;
}

constexpr char kFind[] = "SELECT bytes, closing FROM findings WHERE what = $1 AND id = $2";
constexpr char kPut[] =
    "INSERT INTO findings(what, id, kind, job, run_id, opened_at, closed_at, closing, bytes)"
    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (what, id) DO UPDATE SET kind = EXCLUDED.kind,"
    " run_id = EXCLUDED.run_id, closed_at = EXCLUDED.closed_at, closing = EXCLUDED.closing, bytes = EXCLUDED.bytes";

// The job of a finding does not change.
template <typename What>
absl::Status put(Connection& db, std::int64_t job, typename What::Finding finding) {
  const absl::StatusOr<std::vector<Rows>> stored =
      db.query_all({{kFind, Values().int2(What::kWhat).uuid(finding.id)}, {kLastClosing, Values().int2(What::kWhat)}});
  if (!stored.ok()) return stored.status();
  const Rows& row = (*stored)[0];
  std::int64_t closing = 0;
  if (!row.empty()) {
    // One that is damaged is replaced.
    if (const auto known = What::decode(row.bytes(0, 0)); known.ok()) finding = merged(std::move(finding), *known);
    closing = row.integer(0, 1);
  }
  const std::string bytes = What::encode(finding);
  if (!row.empty() && row.bytes(0, 0) == bytes) return absl::OkStatus();
  if (!finding.open() && closing == 0) closing = (*stored)[1].integer(0, 0) + 1;
  Values values;
  values.int2(What::kWhat).uuid(finding.id).int2(static_cast<std::int64_t>(finding.kind)).int4(job);
  finding.run_id.none() ? values.null(kUuid) : values.uuid(finding.run_id);
  values.int8(finding.opened_at);
  finding.closed_at ? values.int8(*finding.closed_at).int8(closing) : values.null(kInt8).null(kInt8);
  return db.query(kPut, std::move(values.bytea(bytes))).status();
}

}  // namespace

absl::Status put_finding(Connection& db, std::int64_t job, const Delay& delay) { return put<Delays>(db, job, delay); }
absl::Status put_finding(Connection& db, std::int64_t job, const Alert& alert) { return put<Alerts>(db, job, alert); }

absl::Status remove_delay(Connection& db, const Uuid& id) {
  return db.query("DELETE FROM findings WHERE what = $1 AND id = $2", Values().int2(Delays::kWhat).uuid(id)).status();
}

absl::StatusOr<std::size_t> expire_findings(Connection& db, Nanos horizon, std::size_t rows_max) {
  const absl::StatusOr<Rows> gone =
      db.query("DELETE FROM findings WHERE (what, id) IN (SELECT what, id FROM findings WHERE closed_at < $1 LIMIT $2)",
               Values().int8(horizon).int8(static_cast<std::int64_t>(rows_max)));
  if (!gone.ok()) return gone.status();
  return gone->affected();
}

absl::StatusOr<DelayPage> read_delays(Connection& db, const DelayFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit, Damage damage) {
  return read_page<Delays>(db, filter, after, limit, damage);
}

absl::StatusOr<AlertPage> read_alerts(Connection& db, const AlertFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit, Damage damage) {
  return read_page<Alerts>(db, filter, after, limit, damage);
}

Statement any_delay_of(const Uuid& run) {
  return {"SELECT 1 FROM findings WHERE what = $1 AND run_id = $2 LIMIT 1", Values().int2(Delays::kWhat).uuid(run)};
}

absl::StatusOr<std::optional<Alert>> read_alert(Connection& db, const Uuid& id) {
  const absl::StatusOr<Rows> row = db.query(kFind, Values().int2(Alerts::kWhat).uuid(id));
  if (!row.ok()) return row.status();
  if (row->empty()) return std::optional<Alert>();
  absl::StatusOr<Alert> alert = wire::decode_alert(row->bytes(0, 0));
  if (!alert.ok()) return absl::UnknownError(alert.status().message());
  return std::optional<Alert>(*std::move(alert));
}

absl::StatusOr<DelayCounts> count_delays(Connection& db, const DelayFilter& filter) {
  return count<Delays>(db, filter);
}
absl::StatusOr<AlertCounts> count_alerts(Connection& db, const AlertFilter& filter) {
  return count<Alerts>(db, filter);
}

}  // namespace kleptometrics::aggregator::postgres

// What readers ask of runs and jobs. Each question sees one state of the database.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "aggregator/store/postgres/finding_rows.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"
#include "aggregator/store/postgres/verify.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/job_spec.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr std::size_t kRowsMin = 64, kRowsMax = 4096;  // read at once where not every row may be wanted

constexpr char kJobs[] =
    "SELECT j.name, j.spec, last.bytes, verdict.state,"
    " EXISTS (SELECT 1 FROM runs o WHERE o.job = j.key AND o.state = 1) FROM jobs j"
    " LEFT JOIN LATERAL (SELECT coalesce(head, body) AS bytes FROM runs WHERE job = j.key"
    " ORDER BY started_at DESC, id DESC LIMIT 1) AS last ON true"
    " LEFT JOIN LATERAL (SELECT state FROM runs WHERE job = j.key AND state IN (2, 3, 5)"
    " ORDER BY started_at DESC, id DESC LIMIT 1) AS verdict ON true"
    " WHERE ";

// A condition with $1: two texts, so that an index finds the one.
std::string one_or_all(const std::string& job, const char* column) {
  return absl::StrCat(job.empty() ? "''" : column, " = $1");
}

// Positions are below this where a list begins.
constexpr RunCursor kBeforeAll{std::numeric_limits<Nanos>::max(), {}};

// The states as a list of SQL, so that indexes of some states are known to fit. Empty: any.
std::string states_in(const RunFilter& filter) {
  std::string list;
  for (int state = 1; state <= 5; ++state) {
    if (std::ranges::find(filter.states, static_cast<State>(state)) == filter.states.end()) continue;
    absl::StrAppend(&list, list.empty() ? "" : ", ", state);
  }
  return list;
}

// $1 to $6: job, since, until, the position, and how many.
std::string select_runs(const RunFilter& filter) {
  const std::string states = states_in(filter);
  return absl::StrCat("SELECT started_at, id, body FROM runs WHERE ",
                      filter.job.empty() ? "" : "job = (SELECT key FROM jobs WHERE name = $1) AND ",
                      states.empty() ? "" : absl::StrCat("state IN (", states, ") AND "),
                      "started_at >= $2 AND started_at < $3 AND (started_at, id) < ($4, $5)"
                      " ORDER BY started_at DESC, id DESC LIMIT $6");
}

// True if the statement selects exactly the filter's.
bool in_columns(const RunFilter& filter) {
  return filter.host.empty() && filter.version.empty() && filter.build_id.empty() && filter.labels.empty();
}

Values values_of(const RunFilter& filter, const RunCursor& after, std::size_t rows) {
  Values values;
  values.text(filter.job).int8(filter.since.value_or(std::numeric_limits<Nanos>::min()));
  values.int8(filter.until.value_or(std::numeric_limits<Nanos>::max()));
  values.int8(after.started_at).uuid(after.id).int8(static_cast<std::int64_t>(rows));
  return values;
}

// Runs of the filter, newest first, as long as `visit` says so. Within a transaction of one view, if it is to be one.
absl::Status each_newest(Connection& db, const RunFilter& filter, RunCursor after, std::size_t rows_first,
                         Damage damage, absl::FunctionRef<bool(Run&&)> visit) {
  const std::string sql = select_runs(filter);
  for (std::size_t wanted = rows_first;; wanted = std::min(2 * wanted, std::max(kRowsMax, rows_first))) {
    const absl::StatusOr<Rows> rows = db.query(sql, values_of(filter, after, wanted));
    if (!rows.ok()) return rows.status();
    for (std::size_t i = 0; i < rows->size(); ++i) {
      after = {rows->integer(i, 0), rows->uuid(i, 1)};
      absl::StatusOr<Run> run = wire::decode_run(rows->bytes(i, 2));
      if (!run.ok()) {
        damage(after.id.text(), run.status());
      } else if (matches(filter, *run) && !visit(*std::move(run))) {
        return absl::OkStatus();
      }
    }
    if (rows->size() < wanted) return absl::OkStatus();
  }
}

constexpr char kRun[] = "SELECT body FROM runs WHERE id = $1";

absl::StatusOr<std::optional<Run>> run_in(const Rows& row) {
  if (row.empty()) return std::optional<Run>();
  absl::StatusOr<Run> run = wire::decode_run(row.bytes(0, 0));
  if (!run.ok()) return absl::UnknownError(run.status().message());
  return std::optional<Run>(*std::move(run));
}

}  // namespace

absl::StatusOr<std::optional<Run>> PostgresStore::run(const Uuid& id) {
  return read<std::optional<Run>>([&](Connection& db) -> absl::StatusOr<std::optional<Run>> {
    const absl::StatusOr<Rows> row = db.query(kRun, Values().uuid(id));
    if (!row.ok()) return row.status();
    return run_in(*row);
  });
}

// Most have none.
absl::StatusOr<RunAndDelays> PostgresStore::run_and_delays(const Uuid& id) {
  const auto damage = telling();
  return read<RunAndDelays>([&](Connection& db) -> absl::StatusOr<RunAndDelays> {
    const auto rows = db.query_all({{kRun, Values().uuid(id)}, any_delay_of(id)});
    if (!rows.ok()) return rows.status();
    absl::StatusOr<std::optional<Run>> run = run_in((*rows)[0]);
    if (!run.ok()) return run.status();
    if (!*run || (*rows)[1].empty()) return RunAndDelays{*std::move(run), {}};
    absl::StatusOr<DelayPage> page = read_delays(db, {.run_id = id}, std::nullopt, kDelaysOfRunMax, damage);
    if (!page.ok()) return page.status();
    return RunAndDelays{*std::move(run), std::move(page->items)};
  });
}

absl::StatusOr<RunPage> PostgresStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                            std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  const auto damage = telling();
  return read<RunPage>([&](Connection& db) -> absl::StatusOr<RunPage> {
    RunPage page;
    const std::size_t first =
        in_columns(filter) ? std::min(limit, kRowsMax) + 1 : std::clamp(limit + 1, kRowsMin, kRowsMax);
    const bool may_go_on = !in_columns(filter) || limit >= kRowsMax;
    absl::Status status =
        may_go_on ? db.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").status() : absl::OkStatus();
    if (status.ok()) {
      status = each_newest(db, filter, after.value_or(kBeforeAll), first, damage, [&](Run&& run) {
        if (page.runs.size() == limit) {
          page.next = RunCursor{page.runs.back().started_at, page.runs.back().id};
          return false;
        }
        page.runs.push_back(std::move(run));
        return true;
      });
    }
    if (!status.ok()) return status;
    return page;
  });
}

absl::Status PostgresStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  const auto damage = telling();
  return read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
           absl::Status status = db.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").status();
           if (status.ok()) {
             status = each_newest(db, filter, kBeforeAll, kRowsMax, damage, [&](Run&& run) {
               visit(run);
               return true;
             });
           }
           if (!status.ok()) return status;
           return true;
         })
      .status();
}

absl::StatusOr<std::vector<JobHead>> PostgresStore::jobs(const std::string& name) {
  const auto damage = telling();
  return read<std::vector<JobHead>>([&](Connection& db) -> absl::StatusOr<std::vector<JobHead>> {
    const std::string sql = absl::StrCat(kJobs, one_or_all(name, "j.name"), " ORDER BY j.name");
    const absl::StatusOr<Rows> rows = db.query(sql, Values().text(name));
    if (!rows.ok()) return rows.status();
    std::vector<JobHead> heads;
    heads.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      JobHead& head = heads.emplace_back();
      head.name = rows->bytes(i, 0);
      if (absl::StatusOr<JobSpec> spec = wire::decode_job_spec(rows->bytes(i, 1)); spec.ok())
        head.spec = *std::move(spec);
      if (!rows->null(i, 2)) {
        absl::StatusOr<Run> last = wire::decode_run(rows->bytes(i, 2));
        if (last.ok())
          head.last_run = *std::move(last);
        else
          damage(absl::StrCat("the last run of ", head.name), last.status());
      }
      if (!rows->null(i, 3)) head.last_verdict = static_cast<State>(rows->integer(i, 3));
      head.running = rows->integer(i, 4) != 0;
    }
    return heads;
  });
}

absl::StatusOr<Nanos> PostgresStore::complete_since(const std::string& job) {
  return read<Nanos>([&](Connection& db) -> absl::StatusOr<Nanos> {
    const absl::StatusOr<Rows> row = db.query(
        absl::StrCat("SELECT max(complete_since) FROM jobs WHERE ", one_or_all(job, "name")), Values().text(job));
    if (!row.ok()) return row.status();
    return row->null(0, 0) ? std::numeric_limits<Nanos>::min() : row->integer(0, 0);
  });
}

absl::StatusOr<std::vector<std::string>> PostgresStore::verify(std::size_t differences_max) {
  return read<std::vector<std::string>>([&](Connection& db) { return postgres::verify(db, differences_max); });
}

}  // namespace kleptometrics::aggregator::postgres

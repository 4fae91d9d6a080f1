// What stretches of time add up to: rollups, the single runs that no rollup of an hour holds, and what waits to be
// settled, all of one view and in one round trip.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregator/store/postgres/log_rows.h"
#include "aggregator/store/postgres/rollup_rows.h"
#include "aggregator/store/postgres/settler.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

using By = Stretch::By;

constexpr char kWaiting[] = "SELECT replaced, runs, change FROM log WHERE NOT settled";
// Of one job or of all, as a condition behind these: an index finds the one, which a parameter that may be empty would
// not let it. $2: resolution, $3: name of the series beside durations, $4 and $5: numbers of hours or days.
constexpr char kOfJob[] = " WHERE j.name = $1";
constexpr char kRollups[] =
    "SELECT j.name, r.series, r.start, r.bytes FROM jobs j CROSS JOIN LATERAL (SELECT series, start, bytes FROM rollups"
    " WHERE resolution = $2 AND series = 1 AND job = j.key AND start >= $4 AND start < $5 OFFSET 0) AS r";
constexpr char kRollupsOfSeries[] =
    "SELECT j.name, r.series, r.start, r.bytes FROM jobs j CROSS JOIN LATERAL (SELECT series, start, bytes FROM rollups"
    " WHERE resolution = $2 AND series = (SELECT key FROM series WHERE name = $3) AND job = j.key AND start >= $4"
    " AND start < $5 OFFSET 0) AS r";
constexpr char kAllRollups[] =
    "SELECT j.name, r.series, r.start, r.bytes FROM rollups r JOIN jobs j ON j.key = r.job"
    " WHERE r.resolution = $1 AND r.series = 1";
constexpr char kRunsOfJob[] =
    "SELECT coalesce(head, body), body FROM runs r WHERE job = (SELECT key FROM jobs WHERE name = $1) AND state <> 1"
    " AND started_at >= $2 AND started_at < $3";
constexpr char kRunsOfAll[] =
    "SELECT coalesce(head, body), body FROM runs r WHERE $1 = '' AND state <> 1 AND started_at >= $2 AND"
    " started_at < $3";
constexpr char kLoose[] =
    " AND " KLEPTO_SETTLED
    " AND NOT EXISTS (SELECT 1 FROM rollups h WHERE h.resolution = 0 AND h.series = 1 AND h.job = r.job AND"
    " h.start = (r.started_at - CASE WHEN r.started_at < 0 THEN 3599999999999 ELSE 0 END) / 3600000000000)";

// Hours and days of a stretch, by number.
struct Numbers {
  std::int64_t first = 0, end = 1;
  explicit Numbers(const Stretch& stretch) {
    if (stretch.by == By::kAll) return;
    first = number_of(resolution_of(stretch.by), stretch.since);
    end = number_of(resolution_of(stretch.by), stretch.until);
  }
};

// What was asked for a stretch, by the place of its statement.
enum class Kind { kOfRuns, kOfRollups };
struct Asked {
  Kind kind;
  stats::Series series{};  // of rollups
  stats::Resolution resolution = stats::Resolution::kAll;
};

class Summary {
 public:
  Summary(const SummaryRequest& request, Pieces& pieces, Damage damage)
      : request_(request), pieces_(pieces), damage_(damage) {}

  absl::Status run(Connection& db) {
    ask({"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, {Kind::kOfRuns});
    ask({kWaiting}, {Kind::kOfRuns});
    for (const Stretch& stretch : request_.stretches) ask_for(stretch);
    ask({kCommit}, {Kind::kOfRuns});
    const absl::StatusOr<std::vector<Rows>> answers = db.query_all(statements_);
    if (!answers.ok()) return answers.status();
    add_waiting((*answers)[1]);
    for (std::size_t i = 2; i + 1 < answers->size(); ++i) {
      const absl::Status status =
          asked_[i].kind == Kind::kOfRuns ? add_runs((*answers)[i]) : add_rollups((*answers)[i], asked_[i]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  void ask(Statement statement, Asked asked) {
    statements_.push_back(std::move(statement));
    asked_.push_back(std::move(asked));
  }

  std::string_view text_of(const char* select, const char* more) {
    texts_.push_back(std::make_unique<std::string>(absl::StrCat(select, more)));
    return *texts_.back();
  }

  void ask_for(const Stretch& stretch) {
    if (stretch.by == By::kRuns || stretch.by == By::kHour) {
      const char* const select = request_.job.empty() ? kRunsOfAll : kRunsOfJob;
      const bool loose = stretch.by == By::kHour;
      ask({text_of(select, loose ? kLoose : ""), Values().text(request_.job).int8(stretch.since).int8(stretch.until)},
          {Kind::kOfRuns});
      if (!loose) return;
    }
    const char* const of_job = request_.job.empty() ? "" : kOfJob;
    const stats::Resolution resolution = resolution_of(stretch.by);
    const Asked durations{Kind::kOfRollups, {}, resolution};
    if (request_.job.empty() && stretch.by == By::kAll) {
      ask({kAllRollups, Values().int2(stored_resolution(resolution))}, durations);
    } else {
      ask({text_of(kRollups, of_job), values_of(stretch)}, durations);
    }
    if (!request_.series.durations())
      ask({text_of(kRollupsOfSeries, of_job), values_of(stretch)}, {Kind::kOfRollups, request_.series, resolution});
  }

  Values values_of(const Stretch& stretch) const {
    const Numbers numbers(stretch);
    constexpr std::int64_t kLast = std::numeric_limits<std::int32_t>::max();
    Values values;
    values.text(request_.job).int2(stored_resolution(resolution_of(stretch.by))).text(stats::text_of(request_.series));
    values.int4(std::clamp(numbers.first, -kLast, kLast)).int4(std::clamp(numbers.end, -kLast, kLast));
    return values;
  }

  // Runs of a stretch that is asked for run by run are in its answer, settled or not.
  void add_waiting(const Rows& rows) {
    const auto stretch_of = [this](Nanos at) {
      return std::ranges::any_of(
          request_.stretches, [at](const Stretch& stretch) { return stretch.by != By::kRuns && holds(stretch, at); });
    };
    const auto wanted = [&](const std::string& job, Nanos at) {
      return (request_.job.empty() || request_.job == job) && stretch_of(at);
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const absl::Status status =
          each_ended(rows.bytes(i, 1), rows.bytes(i, 0), wanted, [this](Run&& run) { pieces_.run(run); });
      if (!status.ok()) damage_(absl::StrCat("row ", rows.integer(i, 2), " of log"), status);  // until it is settled
    }
  }

  absl::Status add_runs(const Rows& rows) {
    const int column = request_.series.step.empty() ? 0 : 1;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const absl::StatusOr<Run> run = wire::decode_run(rows.bytes(i, column));
      if (run.ok()) {
        pieces_.run(*run);
      } else {
        damage_("a run", run.status());
      }
    }
    return absl::OkStatus();
  }

  absl::Status add_rollups(const Rows& rows, const Asked& asked) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const absl::StatusOr<stats::Rollup> rollup = wire::decode_rollup(rows.bytes(i, 3));
      if (!rollup.ok()) return rollup.status();
      pieces_.rollup(std::string(rows.bytes(i, 0)), start_of_number(asked.resolution, rows.integer(i, 2)), asked.series,
                     *rollup);
    }
    return absl::OkStatus();
  }

  const SummaryRequest& request_;
  Pieces& pieces_;
  const Damage damage_;
  std::vector<std::unique_ptr<std::string>> texts_;  // that statements point to
  std::vector<Statement> statements_;
  std::vector<Asked> asked_;
};

}  // namespace

absl::Status PostgresStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  const auto damage = telling();
  return read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
           const absl::Status status = Summary(request, pieces, damage).run(db);
           if (!status.ok()) return status;
           return true;
         })
      .status();
}

}  // namespace kleptometrics::aggregator::postgres

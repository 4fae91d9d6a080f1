#include "aggregator/store/postgres/verify.h"

#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/postgres/rollup_rows.h"
#include "aggregator/store/postgres/settler.h"
#include "aggregator/store/rollup_sums.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

using stats::Resolution;
using stats::Rollup;

constexpr std::int64_t kRowsAtOnce = 4096;

constexpr char kRuns[] =
    "SELECT started_at, id, body FROM runs r WHERE job = $1 AND (started_at, id) > ($2, $3) AND state <> 1"
    " AND " KLEPTO_SETTLED " ORDER BY started_at, id LIMIT $4";
constexpr char kRollups[] =
    "SELECT resolution, series, start, bytes FROM rollups WHERE resolution = ANY('{0,1,2}'::smallint[]) AND series ="
    " ANY($2) AND job = $1";

std::string_view name_of(Resolution resolution) {
  return resolution == Resolution::kHour ? "hour" : resolution == Resolution::kDay ? "day" : "all time";
}

class Verification {
 public:
  Verification(Connection& db, std::size_t differences_max) : db_(db), differences_max_(differences_max) {}

  absl::Status run() {
    const absl::StatusOr<std::vector<Rows>> begun = db_.query_all({{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
                                                                   {"SELECT name, key, complete_since FROM jobs"},
                                                                   {"SELECT name, key FROM series"},
                                                                   {"SELECT count(*) FROM rollups"}});
    if (!begun.ok()) return begun.status();
    const Rows& series = (*begun)[2];
    for (std::size_t i = 0; i < series.size(); ++i) series_[std::string(series.bytes(i, 0))] = series.integer(i, 1);
    const Rows& jobs = (*begun)[1];
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const absl::Status status = check_job(std::string(jobs.bytes(i, 0)), jobs.integer(i, 1), jobs.integer(i, 2));
      if (!status.ok()) return status;
    }
    const auto rows = static_cast<std::uint64_t>((*begun)[3].integer(0, 0));
    if (rows != rollups_) differ(absl::StrCat(rows, " rollups, of which ", rollups_, " belong to a job and a series"));
    return absl::OkStatus();
  }
  std::vector<std::string> take() { return std::move(differences_); }

 private:
  void differ(std::string text) {
    if (differences_.size() < differences_max_) differences_.push_back(std::move(text));
  }

  absl::Status check_job(const std::string& name, std::int64_t job, Nanos complete_since) {
    RollupSums sums([this](const std::string& of) -> absl::StatusOr<std::int64_t> {
      const auto key = series_.find(of);
      if (key != series_.end()) return key->second;
      return absl::NotFoundError(absl::StrCat("the series ", of, " has no key"));
    });
    Nanos at = std::numeric_limits<Nanos>::min();
    Uuid id;
    for (bool more = true; more;) {
      const absl::StatusOr<Rows> rows = db_.query(kRuns, Values().int4(job).int8(at).uuid(id).int8(kRowsAtOnce));
      if (!rows.ok()) return rows.status();
      for (std::size_t i = 0; i < rows->size(); ++i) {
        at = rows->integer(i, 0);
        id = rows->uuid(i, 1);
        const absl::StatusOr<Run> run = wire::decode_run(rows->bytes(i, 2));
        if (!run.ok()) {
          differ(absl::StrCat("run ", id.text(), ": ", run.status().message()));
        } else if (absl::Status status = sums.add(job, *run, true); !status.ok()) {
          differ(std::string(status.message()));
        }
      }
      more = rows->size() == static_cast<std::size_t>(kRowsAtOnce);
    }
    return compare(name, job, complete_since, sums.take());
  }

  absl::Status compare(const std::string& name, std::int64_t job, Nanos complete_since, const Rollups& counted) {
    Array all = Array::int4();
    std::map<std::int64_t, std::string> names;
    for (const auto& [of, key] : series_) {
      all.add(key);
      names[key] = of;
    }
    const absl::StatusOr<Rows> rows = db_.query(kRollups, Values().int4(job).array(all));
    if (!rows.ok()) return rows.status();
    std::set<RollupKey> seen;
    std::map<std::int64_t, Rollup> days, wholes;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      ++rollups_;
      const auto resolution = static_cast<Resolution>(rows->integer(i, 0));
      const RollupKey key{resolution, rows->integer(i, 1), job, start_of_number(resolution, rows->integer(i, 2))};
      const std::string what =
          absl::StrCat(name, ", ", names[key.series], ", ", std::string(name_of(resolution)), " ", key.start);
      seen.insert(key);
      const absl::StatusOr<Rollup> rollup = wire::decode_rollup(rows->bytes(i, 3));
      if (!rollup.ok()) {
        differ(absl::StrCat("the rollup of ", what, " is damaged"));
        continue;
      }
      if (resolution == Resolution::kDay) days[key.series].merge(*rollup);
      if (resolution == Resolution::kAll) wholes[key.series] = *rollup;
      const auto found = counted.find(key);
      const Rollup& is = found == counted.end() ? none_ : found->second;
      const bool expired = key.start < complete_since;
      if (expired ? !holds(*rollup, is) : !same(*rollup, is))
        differ(absl::StrCat("the rollup of ", what, " is not what its runs add up to"));
    }
    for (const auto& [series, whole] : wholes) {
      if (!same(whole, days[series]))
        differ(absl::StrCat("the rollup of ", name, ", ", names[series], ", is not what its days add up to"));
    }
    for (const auto& [key, rollup] : counted) {
      if (key.resolution != Resolution::kHour && !seen.contains(key))
        differ(
            absl::StrCat("there is no rollup of ", name, ", ", std::string(name_of(key.resolution)), " ", key.start));
    }
    return absl::OkStatus();
  }

  Connection& db_;
  const std::size_t differences_max_;
  const Rollup none_;
  std::map<std::string, std::int64_t> series_;
  std::uint64_t rollups_ = 0;
  std::vector<std::string> differences_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> verify(Connection& db, std::size_t differences_max) {
  Verification verification(db, differences_max);
  if (absl::Status status = verification.run(); !status.ok()) return status;
  return verification.take();
}

}  // namespace kleptometrics::aggregator::postgres

#include "aggregator/store/sqlite/verify.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/sqlite/rollup_rows.h"
#include "aggregator/store/sqlite/settled.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

using stats::Resolution;
using stats::Rollup;

std::string_view name_of(Resolution resolution) {
  return resolution == Resolution::kHour ? "hour" : resolution == Resolution::kDay ? "day" : "all time";
}

class Verification {
 public:
  Verification(Connection& db, std::size_t differences_max)
      : db_(db), settled_(db), differences_max_(differences_max) {}

  absl::Status run() {
    std::map<std::string, std::pair<std::int64_t, Nanos>> jobs;
    {
      Execution rows(db_.prepare("SELECT name, key, complete_since FROM jobs"));
      while (rows.next()) jobs[std::string(rows.text(0))] = {rows.integer(1), rows.integer(2)};
      if (!rows.status().ok()) return rows.status();
    }
    {
      Execution rows(db_.prepare("SELECT key, name FROM series"));
      while (rows.next()) series_[std::string(rows.text(1))] = rows.integer(0);
      if (!rows.status().ok()) return rows.status();
    }
    for (const auto& [name, its] : jobs) {
      if (absl::Status status = check_job(name, its.first, its.second); !status.ok()) return status;
    }
    return check_counts();
  }
  std::vector<std::string> take() { return std::move(differences_); }

 private:
  void differ(std::string text) {
    if (differences_.size() < differences_max_) differences_.push_back(std::move(text));
  }

  absl::Status check_job(const std::string& name, std::int64_t job, Nanos complete_since) {
    std::map<RollupKey, Rollup> counted;
    const auto damage = [&](std::string_view what, const absl::Status& why) {
      differ(absl::StrCat(absl::string_view(what.data(), what.size()), ": ", why.message()));
    };
    const absl::Status scanned = settled_.scan({.job = name}, {}, false, damage, [&](Run&& run, bool in_hours) {
      ++runs_;
      if (terminal(run.state)) count(job, run, in_hours, counted);
    });
    if (!scanned.ok()) return scanned;
    return compare(name, job, complete_since, counted);
  }

  void count(std::int64_t job, const Run& run, bool in_hours, std::map<RollupKey, Rollup>& counted) {
    const auto in = [&](Resolution resolution, std::int64_t series) -> Rollup& {
      return counted[{resolution, series, job, start_of(run.started_at, resolution)}];
    };
    if (in_hours) in(Resolution::kHour, kDurations).add(run, {});
    in(Resolution::kDay, kDurations).count(run);
    in(Resolution::kAll, kDurations).count(run);
    for (const stats::Series& series : stats::series_of(run)) {
      const auto key = series_.find(text_of(series));
      if (key == series_.end()) {
        differ(absl::StrCat("the series ", text_of(series), " has no key"));
        continue;
      }
      in(Resolution::kDay, key->second).measure(run, series);
      in(Resolution::kAll, key->second).measure(run, series);
    }
  }

  absl::Status compare(const std::string& name, std::int64_t job, Nanos complete_since,
                       const std::map<RollupKey, Rollup>& counted) {
    std::set<RollupKey> seen;
    for (const auto& [series, series_key] : series_) {
      Rollup days;
      for (const Resolution resolution : {Resolution::kHour, Resolution::kDay, Resolution::kAll}) {
        const RollupKey from{resolution, series_key, job, std::numeric_limits<Nanos>::min()};
        const auto visit = [&, &its = series](const RollupKey& key, std::string_view bytes) -> absl::Status {
          const auto what = [&] {
            return absl::StrCat(name, ", ", its, ", ", std::string(name_of(key.resolution)), " ", key.start);
          };
          const absl::StatusOr<Rollup> rollup = wire::decode_rollup(bytes);
          seen.insert(key);
          ++rollups_;
          if (!rollup.ok()) {
            differ(absl::StrCat("the rollup of ", what(), " is damaged"));
            return absl::OkStatus();
          }
          if (key.resolution == Resolution::kDay) days.merge(*rollup);
          const auto found = counted.find(key);
          const Rollup& is = found == counted.end() ? none_ : found->second;
          const bool expired = key.start < complete_since;
          if (expired ? !holds(*rollup, is) : !same(*rollup, is))
            differ(absl::StrCat("the rollup of ", what(), " is not what its runs add up to"));
          if (key.resolution == Resolution::kAll && !same(*rollup, days))
            differ(absl::StrCat("the rollup of ", what(), " is not what its days add up to"));
          return absl::OkStatus();
        };
        if (absl::Status status = read_rollups(db_, from, std::numeric_limits<Nanos>::max(), visit); !status.ok())
          return status;
      }
    }
    for (const auto& [key, rollup] : counted) {
      if (!seen.contains(key))
        differ(
            absl::StrCat("there is no rollup of ", name, ", ", std::string(name_of(key.resolution)), " ", key.start));
    }
    return absl::OkStatus();
  }

  absl::Status require_id(const Uuid& id, Place place) {
    Execution row(db_.prepare("SELECT 1 FROM ids WHERE key = ?1 AND place = ?2"));
    if (!row.with(key_of(id), place.number).next()) {
      if (!row.status().ok()) return row.status();
      differ(absl::StrCat("run ", id.text(), " is not found by its id"));
    }
    return absl::OkStatus();
  }

  absl::Status check_ids(std::uint64_t& gone) {
    Execution chunks(db_.prepare("SELECT key FROM chunks"));
    while (chunks.next()) {
      const absl::StatusOr<wire::ChunkReader> chunk = settled_.chunk(chunks.integer(0));
      if (!chunk.ok()) continue;  // told of already
      gone += chunk->gone().size();
      for (std::size_t at = 0; at < chunk->size(); ++at) {
        const Place place = Place::in_chunk(chunks.integer(0), chunk->slot(at));
        if (absl::Status status = require_id(chunk->id(at), place); !status.ok()) return status;
      }
    }
    if (!chunks.status().ok()) return chunks.status();
    Execution open(db_.prepare("SELECT key, bytes FROM open_runs"));
    while (open.next()) {
      const absl::StatusOr<Run> run = wire::decode_run(open.blob(1));
      if (!run.ok()) continue;
      if (absl::Status status = require_id(run->id, Place::open(open.integer(0))); !status.ok()) return status;
    }
    return open.status();
  }

  // What is left over: everything that points to a run was counted above.
  absl::Status check_counts() {
    std::uint64_t gone = 0;
    if (absl::Status status = check_ids(gone); !status.ok()) return status;
    Execution ids(db_.prepare("SELECT count(*) FROM ids"));
    if (!ids.next()) return ids.status();
    if (static_cast<std::uint64_t>(ids.integer(0)) != runs_ + gone)
      differ(absl::StrCat(ids.integer(0), " ids for ", runs_, " runs and ", gone, " that have expired"));
    Execution rows(db_.prepare("SELECT count(*) FROM rollups"));
    if (!rows.next()) return rows.status();
    if (static_cast<std::uint64_t>(rows.integer(0)) != rollups_)
      differ(absl::StrCat(rows.integer(0), " rollups, of which ", rollups_, " belong to a job and a series"));
    return absl::OkStatus();
  }

  Connection& db_;
  Settled settled_;
  const std::size_t differences_max_;
  const Rollup none_;
  std::map<std::string, std::int64_t> series_;
  std::uint64_t runs_ = 0;
  std::uint64_t rollups_ = 0;
  std::vector<std::string> differences_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> verify(Connection& db, std::size_t differences_max) {
  Verification verification(db, differences_max);
  if (absl::Status status = verification.run(); !status.ok()) return status;
  return verification.take();
}

}  // namespace kleptometrics::aggregator::sqlite

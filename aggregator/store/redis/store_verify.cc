// Counts everything anew, a day of a job at a time: what is compared was read in one step of the server.
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/redis/rollup_hash.h"
#include "aggregator/store/redis/scripts.h"
#include "aggregator/store/redis/store.h"

namespace kleptometrics::aggregator::redis {
namespace {

using stats::Resolution;
using stats::Rollup;
using stats::Series;

constexpr double kRounding = 1e-9;

// Numbers that are no times round: their means and deviations may differ by that.
bool same(const stats::Distribution& a, const stats::Distribution& b) {
  if (a.count != b.count || !(a.times == b.times) || !(a.sketch == b.sketch)) return false;
  if (a.count == 0) return true;
  const double spread = std::max(std::abs(a.low.amount.number), std::abs(a.high.amount.number));
  return a.low == b.low && a.high == b.high && std::abs(a.numbers.mean - b.numbers.mean) <= kRounding * (1 + spread) &&
         std::abs(a.numbers.deviations - b.numbers.deviations) <=
             kRounding * (1 + static_cast<double>(a.count) * spread * spread);
}

bool same(const Rollup& a, const Rollup& b) {
  for (std::size_t i = 0; i < a.outcomes.size(); ++i) {
    const Rollup::Outcome& x = a.outcomes[i];
    const Rollup::Outcome& y = b.outcomes[i];
    if (x.runs != y.runs || x.late != y.late || !same(x.values, y.values)) return false;
  }
  return true;
}

// Whether the counts are at least those: of stretches of time some of whose runs have expired.
bool holds(const Rollup& more, const Rollup& less) {
  for (std::size_t i = 0; i < more.outcomes.size(); ++i) {
    if (more.outcomes[i].runs < less.outcomes[i].runs || more.outcomes[i].values.count < less.outcomes[i].values.count)
      return false;
  }
  return true;
}

class Verification {
 public:
  Verification(Pool& pool, const Keys& keys, std::size_t differences_max)
      : pool_(pool), keys_(keys), differences_max_(differences_max) {}

  absl::Status check_job(const std::string& job, Nanos complete_since) {
    job_ = job;
    complete_since_ = complete_since;
    Pipeline ask;
    ask.add("ZRANGE", keys_.days(job), 0, -1);
    ask.add("SMEMBERS", keys_.series(job));
    ask.add("MULTI");
    ask.add("HLEN", keys_.runs(job));
    ask.add("ZCARD", keys_.starts(job));
    ask.add("EXEC");
    const absl::StatusOr<Replies> said = pool_.ask(ask);
    if (!said.ok()) return said.status();
    const ReplyView sizes = said->back();
    if (sizes[0].number() != sizes[1].number())
      differ(absl::StrCat(job, " has ", sizes[0].number(), " runs, and a list of ", sizes[1].number()));
    for (std::size_t i = 0; i < (*said)[1].size(); ++i) {
      const std::string name((*said)[1][i].text());
      const auto series = stats::series_named(name);
      if (!series) {
        differ(absl::StrCat(job, " has the unknown series ", name));
        continue;
      }
      for (std::size_t day = 0; day < (*said)[0].size(); ++day) {
        if (absl::Status status = check_day(*series, (*said)[0][day].number()); !status.ok()) return status;
      }
      if (absl::Status status = check_all(*series); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  std::vector<std::string> take() { return std::move(differences_); }

 private:
  void differ(std::string text) {
    if (differences_.size() < differences_max_) differences_.push_back(std::move(text));
  }
  absl::StatusOr<Replies> read(const Series& series, const Command& stretches) {
    Pipeline ask;
    ask.add("EVALSHA", kSummary.sha1, 0, keys_.of_job(job_, ""), series.durations() ? "" : text_of(series), stretches);
    return pool_.ask(ask);
  }
  static Rollup rollup_of(ReplyView piece, const Series& series) {
    return read_rollup(piece[series.durations() ? 2 : 3], series);
  }
  static void count(const Run& run, const Series& series, Rollup& into) {
    if (series.durations()) into.count(run);
    into.measure(run, series);
  }

  absl::Status check_day(const Series& series, std::int64_t day) {
    const Nanos start = day * stats::kDay;
    Command stretches;
    stretches.add("r").add("[" + place_of(start)).add("(" + place_of(start + stats::kDay)).add("0");
    stretches.add("d").add(day).add(day).add("0");
    if (series.durations()) stretches.add("h").add(day * 24).add(day * 24 + 23).add("0");
    const absl::StatusOr<Replies> said = read(series, stretches);
    if (!said.ok()) return said.status();
    const ReplyView pieces = said->back();
    using Bucket = std::pair<std::string, std::int64_t>;
    std::map<Bucket, Rollup> counted, stored;
    for (std::size_t i = 1; i < pieces[0].size(); ++i) {
      const absl::StatusOr<Record> record = decode_record(pieces[0][i].text());
      if (!record.ok()) {
        differ(absl::StrCat(job_, ": ", record.status().message()));
        continue;
      }
      const Run& run = record->run;
      count(run, series, counted[{"d", day}]);
      if (series.durations())
        count(run, series,
              counted[{"h", Keys::number_of(Resolution::kHour, start_of(run.started_at, Resolution::kHour))}]);
    }
    for (std::size_t i = 1; i < pieces.size(); ++i)
      stored[{std::string(pieces[i][0].text()), pieces[i][1].number()}] = rollup_of(pieces[i], series);
    for (const auto& [bucket, rollup] : counted) stored[bucket];
    for (const auto& [bucket, rollup] : stored) {
      const Nanos bucket_start = bucket.second * (bucket.first == "d" ? stats::kDay : stats::kHour);
      const bool fine = bucket_start < complete_since_ ? holds(rollup, counted[bucket]) : same(rollup, counted[bucket]);
      if (!fine)
        differ(absl::StrCat("the rollup of ", job_, ", ", text_of(series), ", ", bucket.first, " ", bucket_start,
                            " is not what the runs say"));
    }
    return absl::OkStatus();
  }

  absl::Status check_all(const Series& series) {
    const absl::StatusOr<Replies> said = read(series, Command("a", "0", "0", "0", "d", "-inf", "+inf", "0"));
    if (!said.ok()) return said.status();
    const ReplyView pieces = said->back();
    Rollup days;
    for (std::size_t i = 1; i < pieces.size(); ++i) days.merge(rollup_of(pieces[i], series));
    if (!same(rollup_of(pieces[0], series), days))
      differ(absl::StrCat("the rollup of ", job_, ", ", text_of(series), ", all time is not the sum of its days"));
    return absl::OkStatus();
  }

  Pool& pool_;
  const Keys& keys_;
  const std::size_t differences_max_;
  std::string job_;
  Nanos complete_since_ = 0;
  std::vector<std::string> differences_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> RedisStore::verify(std::size_t differences_max) {
  const absl::StatusOr<std::vector<std::string>> names = job_names();
  if (!names.ok()) return within("verify", names.status());
  Verification verification(pool_, keys_, differences_max);
  for (const std::string& name : *names) {
    const absl::StatusOr<Nanos> complete = complete_since(name);
    if (!complete.ok()) return complete.status();
    if (absl::Status status = verification.check_job(name, *complete); !status.ok()) return within("verify", status);
  }
  return verification.take();
}

}  // namespace kleptometrics::aggregator::redis

#include "aggregator/store/redis/rollup_changes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/redis/scripts.h"

namespace kleptometrics::aggregator::redis {
namespace {

using stats::Point;
using stats::Resolution;
using stats::Rollup;
using stats::Series;

constexpr std::array<Resolution, 3> kResolutions = {Resolution::kHour, Resolution::kDay, Resolution::kAll};

// The smaller text that is not empty lies further out.
void keep_further(std::string& kept, const std::string& other) {
  if (!other.empty() && (kept.empty() || other < kept)) kept = other;
}

RollupChange::Found points_of(const stats::Distribution& values, const Series& series) {
  if (values.count == 0) return {};
  return {low_text(values.low, series), high_text(values.high, series)};
}

void keep_further(RollupChange::Found& kept, const RollupChange::Found& other) {
  keep_further(kept.low, other.low);
  keep_further(kept.high, other.high);
}

bool same_amounts(const Run& a, const Run& b, const std::vector<Series>& series) {
  return std::ranges::all_of(series, [&](const Series& each) {
    return stats::amount_of(a, each.measure, each.step) == stats::amount_of(b, each.measure, each.step);
  });
}

// Whether the two versions of a run add the same to every rollup.
bool same_sums(const Run& a, const Run& b) {
  if (a.state != b.state || stats::late(a, stats::kGraceDefault) != stats::late(b, stats::kGraceDefault)) return false;
  const std::vector<Series> series = stats::series_of(a);
  return series == stats::series_of(b) && same_amounts(a, b, series);
}

}  // namespace

RollupChange& RollupChanges::change(const Run& run, Resolution resolution, const Series& series) {
  OfSeries& of = changes_[{run.job, resolution, start_of(run.started_at, resolution), text_of(series)}];
  of.series = series;
  return of.change;
}

void RollupChanges::add(const Run& run, const Series& series) {
  for (const Resolution resolution : kResolutions) {
    if (!kept_by(resolution, series)) continue;
    Rollup& added = change(run, resolution, series).added;
    if (series.durations()) added.count(run);
    added.measure(run, series);
  }
}

void RollupChanges::add(const Run& run) {
  add(run, Series{});
  for (const Series& series : stats::series_of(run)) {
    if (!series.durations()) add(run, series);
  }
}

void RollupChanges::take(const Run& run, const Series& series) {
  Rollup taken;
  if (series.durations()) taken.count(run);
  taken.measure(run, series);
  for (const Resolution resolution : kResolutions) {
    if (kept_by(resolution, series))
      change(run, resolution, series).taken.push_back({Rollup::outcome_at(run.state), taken});
  }
}

void RollupChanges::replace(const Run& before, const Run& after) {
  if (same_sums(before, after)) return;
  replaced_.insert(after.id);
  jobs_taken_from_.insert(after.job);
  take(before, Series{});
  for (const Series& series : stats::series_of(before)) {
    if (!series.durations()) take(before, series);
  }
  add(after);
}

void RollupChanges::expire(const Run& run) {
  for (const Series& series : stats::series_of(run)) {
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay}) {
      if (kept_by(resolution, series)) change(run, resolution, series).expired.measure(run, series);
    }
  }
}

std::string RollupChanges::key_of(const Bucket& bucket) const {
  return keys_.rollup(bucket.job, bucket.resolution, bucket.start, bucket.series);
}

std::vector<RollupChanges::Place> RollupChanges::places_of_taken() {
  std::vector<Place> places;
  for (auto at = changes_.begin(); at != changes_.end(); ++at) {
    std::set<std::size_t> outcomes;
    for (const RollupChange::Taken& each : at->second.change.taken) {
      if (each.of.outcomes[each.outcome].values.count != 0) outcomes.insert(each.outcome);
    }
    for (const std::size_t outcome : outcomes) places.push_back({at, outcome});
  }
  return places;
}

// Those of the places whose low or high is one of those taken; what has expired there beside them.
absl::Status RollupChanges::read_points(Connection& connection, const std::vector<Place>& places, bool watch,
                                        std::vector<Place>& hit, std::vector<RollupChange::Found>& expired) {
  Pipeline ask;
  for (const Place& place : places) {
    const std::string key = key_of(place.at->first);
    if (watch) ask.add("WATCH", key);
    const std::string digit(1, static_cast<char>('0' + place.outcome));
    ask.add("HMGET", key, digit + "L", digit + "H", digit + "x", digit + "y");
  }
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ReplyView points = (*replies)[watch ? 2 * i + 1 : i];
    const auto& [series, change] = places[i].at->second;
    const bool any = std::ranges::any_of(change.taken, [&, &its = series](const RollupChange::Taken& each) {
      const auto& values = each.of.outcomes[places[i].outcome].values;
      return values.count != 0 &&
             (low_text(values.low, its) == points[0].text() || high_text(values.high, its) == points[1].text());
    });
    if (!any) continue;
    hit.push_back(places[i]);
    expired.push_back({std::string(points[2].text()), std::string(points[3].text())});
  }
  return absl::OkStatus();
}

// Two readings: who only adds to a rollup shall not be in the way of a commit that takes nothing of weight out of it.
// Those that take out are one behind the other, by a key of the job that each of them changes.
absl::Status RollupChanges::find_extremes(Connection& connection) {
  if (jobs_taken_from_.empty()) return absl::OkStatus();
  Pipeline watch;
  for (const std::string& job : jobs_taken_from_) watch.add("WATCH", keys_.taken(job));
  if (const auto watched = connection.ask(watch); !watched.ok()) return watched.status();
  const std::vector<Place> places = places_of_taken();
  std::vector<Place> near, hit;
  std::vector<RollupChange::Found> unused, expired;
  if (absl::Status status = read_points(connection, places, false, near, unused); !status.ok()) return status;
  if (absl::Status status = read_points(connection, near, true, hit, expired); !status.ok()) return status;
  for (std::size_t i = 0; i < hit.size(); ++i) {  // hours and days first
    if (hit[i].at->first.resolution == Resolution::kAll) continue;
    if (absl::Status status = find_among_runs(connection, hit[i], expired[i]); !status.ok()) return status;
  }
  for (const Place& place : hit) {
    if (place.at->first.resolution != Resolution::kAll) continue;
    if (absl::Status status = find_among_days(connection, place); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RollupChanges::find_among_runs(Connection& connection, const Place& place,
                                            const RollupChange::Found& expired) {
  const Bucket& bucket = place.at->first;
  auto& [series, change] = place.at->second;
  const std::string state(1, static_cast<char>('0' + 2 + place.outcome));
  Pipeline ask;
  ask.add("EVALSHA", kPage.sha1, 1, keys_.starts(bucket.job),
          "(" + place_of(bucket.start + Keys::length_of(bucket.resolution)), "[" + place_of(bucket.start), -1, state,
          keys_.prefix(), bucket.job);
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  Rollup left;
  for (std::size_t i = 2; i < replies->back().size(); ++i) {
    const absl::StatusOr<Record> record = decode_record(replies->back()[i].text());
    if (record.ok() && !replaced_.contains(record->run.id)) left.measure(record->run, series);
  }
  RollupChange::Found found = expired;
  keep_further(found, points_of(left.outcomes[place.outcome].values, series));
  keep_further(found, points_of(change.added.outcomes[place.outcome].values, series));
  change.found[place.outcome] = found;
  return absl::OkStatus();
}

absl::Status RollupChanges::find_among_days(Connection& connection, const Place& place) {
  const Bucket& bucket = place.at->first;
  auto& [series, change] = place.at->second;
  Pipeline list;
  list.add("ZRANGE", keys_.days(bucket.job), 0, -1);
  const absl::StatusOr<Replies> days = connection.ask(list);
  if (!days.ok()) return days.status();
  const ReplyView numbers = days->back();
  if (numbers.size() == 0) return absl::OkStatus();
  Pipeline ask;
  const std::string digit(1, static_cast<char>('0' + place.outcome));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    ask.add("HMGET", keys_.rollup(bucket.job, Resolution::kDay, numbers[i].number() * stats::kDay, bucket.series),
            digit + "L", digit + "H");
  }
  const absl::StatusOr<Replies> points = connection.ask(ask);
  if (!points.ok()) return points.status();
  RollupChange::Found found;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto changed =
        changes_.find({bucket.job, Resolution::kDay, numbers[i].number() * stats::kDay, bucket.series});
    if (changed != changes_.end() && changed->second.change.found[place.outcome]) {
      keep_further(found, *changed->second.change.found[place.outcome]);
    } else {
      keep_further(found, {std::string((*points)[i][0].text()), std::string((*points)[i][1].text())});
    }
  }
  keep_further(found, points_of(change.added.outcomes[place.outcome].values, series));
  change.found[place.outcome] = found;
  return absl::OkStatus();
}

void RollupChanges::write(Pipeline& out) const {
  struct OfJob {
    std::set<Nanos> days, hours;
    std::set<std::string> series;
  };
  std::map<std::string, OfJob> jobs;
  for (const auto& [bucket, of] : changes_) {
    if (of.change.empty()) continue;
    out.add(of.change.arguments(key_of(bucket), of.series));
    if (of.change.added.empty()) continue;
    OfJob& job = jobs[bucket.job];
    const Nanos number = Keys::number_of(bucket.resolution, bucket.start);
    if (bucket.resolution == Resolution::kAll) job.series.insert(bucket.series);
    if (bucket.resolution == Resolution::kDay) job.days.insert(number);
    if (bucket.resolution == Resolution::kHour) job.hours.insert(number);
  }
  const auto index = [&out](const std::string& key, const std::set<Nanos>& numbers) {
    if (numbers.empty()) return;
    Command add("ZADD", key);
    for (const Nanos number : numbers) add.add(number).add(number);
    out.add(add);
  };
  for (const auto& [name, job] : jobs) {
    index(keys_.days(name), job.days);
    index(keys_.hours(name), job.hours);
    Command series("SADD", keys_.series(name));
    for (const std::string& each : job.series) series.add(each);
    if (!job.series.empty()) out.add(series);
  }
  for (const std::string& job : jobs_taken_from_) out.add("INCR", keys_.taken(job));
}

}  // namespace kleptometrics::aggregator::redis

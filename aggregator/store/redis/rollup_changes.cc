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

std::string field_of(std::size_t outcome, char name) { return {static_cast<char>('0' + outcome), name}; }

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

// A low or a high that is found anew is one only if meanwhile nothing was added to that outcome (its number of values),
// nothing was taken out of the job (`taken`), and nothing expired there. Additions to others are in nobody's way, and
// of values that are no low and no high only the order of those that take out counts: it makes none of them one.
absl::Status RollupChanges::find_extremes(Connection& connection, Transaction& transaction) {
  if (jobs_taken_from_.empty()) return absl::OkStatus();
  const std::vector<Place> places = places_of_taken();
  Pipeline ask;
  for (const std::string& job : jobs_taken_from_) ask.add("GET", keys_.taken(job));
  const std::string fields = "LHxyn";
  for (const Place& place : places) {
    Command get("HMGET", key_of(place.at->first));
    for (const char field : fields) get.add(field_of(place.outcome, field));
    ask.add(get);
  }
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  std::size_t at = 0;
  for (const std::string& job : jobs_taken_from_) transaction.expect(keys_.taken(job), (*replies)[at++].text());
  std::vector<Place> of_all;
  for (const Place& place : places) {
    const ReplyView points = (*replies)[at++];
    if (!takes_one_of(place, points[0].text(), points[1].text())) continue;
    for (std::size_t i = 2; i < fields.size(); ++i)
      transaction.expect_field(key_of(place.at->first), field_of(place.outcome, fields[i]), points[i].text());
    if (place.at->first.resolution == Resolution::kAll) {
      of_all.push_back(place);
      continue;
    }
    const RollupChange::Found expired{std::string(points[2].text()), std::string(points[3].text())};
    if (absl::Status status = find_among_runs(connection, place, expired); !status.ok()) return status;
  }
  for (const Place& place : of_all) {  // which stands on that of the days
    if (absl::Status status = find_among_days(connection, place); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool RollupChanges::takes_one_of(const Place& place, std::string_view low, std::string_view high) {
  const auto& [series, change] = place.at->second;
  return std::ranges::any_of(change.taken, [&, &its = series](const RollupChange::Taken& each) {
    const auto& values = each.of.outcomes[place.outcome].values;
    return values.count != 0 && (low_text(values.low, its) == low || high_text(values.high, its) == high);
  });
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
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    ask.add("HMGET", keys_.rollup(bucket.job, Resolution::kDay, numbers[i].number() * stats::kDay, bucket.series),
            field_of(place.outcome, 'L'), field_of(place.outcome, 'H'));
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

void RollupChanges::write(Transaction& out) const {
  struct OfJob {
    std::set<Nanos> days, hours;
    std::set<std::string> series;
  };
  std::map<std::string, OfJob> jobs;
  for (const auto& [bucket, of] : changes_) {
    if (of.change.empty()) continue;
    out.add(key_of(bucket), of.change, of.series);
    if (of.change.added.empty()) continue;
    OfJob& job = jobs[bucket.job];
    const Nanos number = Keys::number_of(bucket.resolution, bucket.start);
    if (bucket.resolution == Resolution::kAll) job.series.insert(bucket.series);
    if (bucket.resolution == Resolution::kDay) job.days.insert(number);
    if (bucket.resolution == Resolution::kHour) job.hours.insert(number);
  }
  const auto index = [&out](const std::string& key, const std::set<Nanos>& numbers) {
    if (numbers.empty()) return;
    Command pairs;
    for (const Nanos number : numbers) pairs.add(number).add(number);
    out.add(Command("ZADD", key), pairs);
  };
  for (const auto& [name, job] : jobs) {
    index(keys_.days(name), job.days);
    index(keys_.hours(name), job.hours);
    Command series;
    for (const std::string& each : job.series) series.add(each);
    if (!job.series.empty()) out.add(Command("SADD", keys_.series(name)), series);
  }
  for (const std::string& job : jobs_taken_from_) out.add(Command("INCR", keys_.taken(job)));
}

}  // namespace kleptometrics::aggregator::redis

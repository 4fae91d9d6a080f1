#include "aggregator/store/rollup_table.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace kleptometrics::aggregator {

using stats::Resolution;

absl::Status RollupTable::expire(std::int64_t job, const Run& run) {
  for (const stats::Series& series : stats::series_of(run)) {
    const absl::StatusOr<std::int64_t> key = key_of(series);
    if (!key.ok()) return key.status();
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay}) {
      if (!kept_by(resolution, series)) continue;
      const RollupKey at{resolution, *key, job, start_of(run.started_at, resolution)};
      if (absl::Status status = expire_in(at, series, run); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// A rollup of at most two values an outcome: the lowest and the highest.
absl::Status RollupTable::expire_in(const RollupKey& key, const stats::Series& series, const Run& run) {
  absl::StatusOr<stats::Rollup> extremes = read_expired(key);
  if (!extremes.ok()) return extremes.status();
  stats::Distribution& known = extremes->of(run.state).values;
  stats::Rollup with = *extremes;
  with.measure(run, series);
  const stats::Distribution& all = with.of(run.state).values;
  if (known.count == 2 && all.low == known.low && all.high == known.high) return absl::OkStatus();
  stats::Distribution kept;
  kept.add(all.low);
  if (all.count > 1) kept.add(all.high);
  known = kept;
  return store_expired(key, *extremes);
}

absl::Status RollupTable::remove(std::int64_t job, const Run& run, bool hour, const Others& others) {
  std::vector<stats::Series> all = stats::series_of(run);
  if (all.empty() || !all.front().durations()) all.insert(all.begin(), stats::Series());  // counts the run
  for (const stats::Series& series : all) {
    const absl::StatusOr<std::int64_t> key = key_of(series);
    if (!key.ok()) return key.status();
    // The finer first: all time finds its extremes among days.
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay, Resolution::kAll}) {
      if (!kept_by(resolution, series) || (resolution == Resolution::kHour && !hour)) continue;
      const RollupKey at{resolution, *key, job, start_of(run.started_at, resolution)};
      if (absl::Status status = remove_from(at, run, series, others); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status RollupTable::remove_from(const RollupKey& key, const Run& run, const stats::Series& series,
                                      const Others& others) {
  absl::StatusOr<stats::Rollup> rollup = read(key);
  if (!rollup.ok()) return rollup.status();
  stats::Rollup::Outcome& outcome = rollup->of(run.state);
  if (series.durations()) {
    --outcome.runs;
    if (stats::late(run, stats::kGraceDefault)) --outcome.late;
  }
  const auto amount = amount_of(run, series.measure, series.step);
  if (!amount) return store(key, *rollup);
  const bool extremes_stay = outcome.values.remove({*amount, run.id, run.started_at});
  if (outcome.values.count != 0 && (!extremes_stay || !stats::is_time(series.measure.kind))) {
    const absl::Status status = add_up_again(key, outcome.values, run.state, series, others);
    if (!status.ok()) return status;
  }
  return store(key, *rollup);
}

// What cannot be taken out of a sum: a low or a high, and the moments of numbers, which round. Of an hour or a day from
// its runs, of all time from the days.
absl::Status RollupTable::add_up_again(const RollupKey& key, stats::Distribution& values, State state,
                                       const stats::Series& series, const Others& others) {
  std::vector<stats::Point> points;
  stats::Moments moments;
  absl::Status status;
  std::uint64_t count = 0;
  if (key.resolution == Resolution::kAll) {
    status = each_day(key.job, key.series, [&](const stats::Rollup& day) {
      const stats::Distribution& its = day.of(state).values;
      if (its.count == 0) return;
      points.insert(points.end(), {its.low, its.high});
      moments.merge(count, its.numbers, its.count);
      count += its.count;
    });
  } else {
    const bool hour = key.resolution == Resolution::kHour;
    status = others(key.start, key.start + length_of(key.resolution), hour, [&](const Run& run) {
      if (run.state != state) return;
      const auto amount = amount_of(run, series.measure, series.step);
      if (!amount) return;
      points.push_back({*amount, run.id, run.started_at});
      moments.add(amount->number, count++);
    });
  }
  if (!status.ok()) return status;
  if (key.resolution != Resolution::kAll) {
    const absl::StatusOr<stats::Rollup> expired = read_expired(key);
    if (!expired.ok()) return expired.status();
    const stats::Distribution& its = expired->of(state).values;
    if (its.count != 0) points.insert(points.end(), {its.low, its.high});
  }
  values.find_extremes(points);
  if (!stats::is_time(series.measure.kind) && count == values.count)
    values.numbers = moments;  // else some have expired
  return status;
}

namespace {

constexpr double kRounding = 1e-9;

bool near(double a, double b) { return std::abs(a - b) <= kRounding * std::max(std::abs(a), std::abs(b)); }

// Numbers that are no times round: their means and deviations may differ by that.
bool same(const stats::Distribution& a, const stats::Distribution& b) {
  const double spread = std::max(std::abs(a.low.amount.number), std::abs(a.high.amount.number));
  const auto n = static_cast<double>(a.count);
  return a.count == b.count && a.times == b.times && a.low == b.low && a.high == b.high && a.sketch == b.sketch &&
         near(a.numbers.mean, b.numbers.mean) &&
         std::abs(a.numbers.deviations - b.numbers.deviations) <= kRounding * (1 + n * spread * spread);
}

}  // namespace

bool same(const stats::Rollup& a, const stats::Rollup& b) {
  for (std::size_t i = 0; i < a.outcomes.size(); ++i) {
    const stats::Rollup::Outcome& x = a.outcomes[i];
    const stats::Rollup::Outcome& y = b.outcomes[i];
    if (x.runs != y.runs || x.late != y.late || !same(x.values, y.values)) return false;
  }
  return true;
}

bool holds(const stats::Rollup& more, const stats::Rollup& less) {
  for (std::size_t i = 0; i < more.outcomes.size(); ++i) {
    if (more.outcomes[i].runs < less.outcomes[i].runs || more.outcomes[i].values.count < less.outcomes[i].values.count)
      return false;
  }
  return true;
}

}  // namespace kleptometrics::aggregator

#include "aggregator/stats/rollup.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace kleptometrics::aggregator::stats {
namespace {

constexpr std::string_view kStepPrefix = "step:";
constexpr int kNumberUnitBits = 16;  // numbers are sketched in units of 2^-16

bool earlier(const Point& a, const Point& b) { return std::tie(a.at, a.run_id) < std::tie(b.at, b.run_id); }
bool lower(const Point& a, const Point& b) { return a.amount < b.amount || (a.amount == b.amount && earlier(a, b)); }
bool higher(const Point& a, const Point& b) { return b.amount < a.amount || (a.amount == b.amount && earlier(a, b)); }

void add_to(Sketch& sketch, const Amount& amount) {
  if (amount.number > 0) {
    sketch.add_bucket(bucket_of_number(amount.number), 1);
  } else {
    sketch.add(amount.nanos);
  }
}

void remove_from(Sketch& sketch, const Amount& amount) {
  if (amount.number > 0) {
    sketch.remove_bucket(bucket_of_number(amount.number), 1);
  } else {
    sketch.remove(amount.nanos);
  }
}

bool holds_times(const Distribution& values) { return values.numbers == Moments{}; }

double mean_of(const Distribution& values) {
  if (!holds_times(values)) return std::clamp(values.numbers.mean, values.low.amount.number, values.high.amount.number);
  const auto whole = static_cast<double>(static_cast<std::uint64_t>(values.times.sum / values.count));
  const auto rest = static_cast<double>(static_cast<std::uint64_t>(values.times.sum % values.count));
  return (whole + rest / static_cast<double>(values.count)) / static_cast<double>(kNanosPerSecond);
}

// Of the population. For times it is taken around w, the whole part of the mean: the sum of (x - w)^2 is
// squares - w (2 sum - count w), exact in 192 bits, and near it nothing is lost to rounding.
double deviation_of(const Distribution& values) {
  const auto count = static_cast<long double>(values.count);
  if (!holds_times(values)) return static_cast<double>(std::sqrt(std::max(0.0L, values.numbers.deviations / count)));
  using Wide = TimeSums::Wide;
  const auto w = static_cast<std::uint64_t>(values.times.sum / values.count);
  const Wide rest = values.times.sum % values.count;  // sum - count w
  const Wide factor = values.times.sum + rest;
  const Wide low = Wide{w} * static_cast<std::uint64_t>(factor);
  const Wide high = Wide{w} * static_cast<std::uint64_t>(factor >> 64U) + (low >> 64U);
  const Wide taken = (high << 64U) | static_cast<std::uint64_t>(low);
  const std::uint64_t borrow = values.times.squares < taken ? 1 : 0;
  const std::uint64_t left_high = values.times.squares_high - static_cast<std::uint64_t>(high >> 64U) - borrow;
  const long double squares =
      static_cast<long double>(left_high) * 0x1p128L + static_cast<long double>(values.times.squares - taken);
  const long double off = static_cast<long double>(rest) / count;
  return static_cast<double>(std::sqrt(std::max(0.0L, squares / count - off * off)) /
                             static_cast<long double>(kNanosPerSecond));
}

// The value at rank ceil(percent / 100 * count), as near as the sketch knows; the first and the last are exact.
double quantile_of(const Distribution& values, unsigned percent) {
  const std::uint64_t count = values.count;
  const std::uint64_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;
  const double low = value_of(values.low.amount);
  const double high = value_of(values.high.amount);
  if (rank <= 1) return low;
  if (rank >= count) return high;
  const double middle = values.sketch.at_rank(rank);
  const double value =
      holds_times(values) ? middle / static_cast<double>(kNanosPerSecond) : std::ldexp(middle, -kNumberUnitBits);
  return std::clamp(value, low, high);
}

Extreme extreme_of(const Point& point) { return {value_of(point.amount), point.run_id, point.at}; }

bool asked(const std::vector<State>& outcomes, State state) {
  return std::find(outcomes.begin(), outcomes.end(), state) != outcomes.end();
}

}  // namespace

std::vector<Series> series_of(const Run& run) {
  using Kind = Measure::Kind;
  std::vector<Series> all;
  const auto add = [&](Kind kind, const std::string& counter, const std::string& step) {
    Series series;
    series.measure.kind = kind;
    series.measure.counter = counter;
    series.step = step;
    if (amount_of(run, series.measure, step)) all.push_back(std::move(series));
  };
  const std::string none;
  for (const Kind kind : {Kind::kDuration, Kind::kStartDelay, Kind::kCpu, Kind::kMaxRssBytes}) add(kind, none, none);
  for (const auto& [name, value] : run.counters) {
    add(Kind::kCounter, name, none);
    add(Kind::kSecondsPer, name, none);
  }
  for (const Step& step : run.steps) add(Kind::kDuration, none, step.name);
  return all;
}

std::string text_of(const Series& series) {
  if (!series.step.empty()) return std::string(kStepPrefix) + series.step;
  return text_of(series.measure);
}

std::optional<Series> series_named(std::string_view text) {
  if (text.size() > kStepPrefix.size() && text.starts_with(kStepPrefix)) {
    Series step;
    step.step = text.substr(kStepPrefix.size());
    return step;
  }
  auto measure = Measure::parse(text);
  if (!measure) return std::nullopt;
  return Series{*std::move(measure), {}};
}

void TimeSums::add(std::uint64_t nanos) {
  sum += nanos;
  const Wide square = Wide{nanos} * nanos;
  squares += square;
  if (squares < square) ++squares_high;
}

void TimeSums::remove(std::uint64_t nanos) {
  sum -= nanos;
  const Wide square = Wide{nanos} * nanos;
  if (squares < square) --squares_high;
  squares -= square;
}

void TimeSums::merge(const TimeSums& other) {
  sum += other.sum;
  squares += other.squares;
  squares_high += other.squares_high + (squares < other.squares ? 1 : 0);
}

void Moments::add(double number, std::uint64_t count) { merge(count, {number, 0}, 1); }

void Moments::merge(std::uint64_t count, const Moments& other, std::uint64_t other_count) {
  if (other_count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const auto ours = static_cast<double>(count);
  const auto theirs = static_cast<double>(other_count);
  const double apart = other.mean - mean;
  deviations += other.deviations + apart * apart * (ours * theirs / (ours + theirs));
  mean += apart * (theirs / (ours + theirs));
}

void Moments::remove(double number, std::uint64_t count) {
  if (count <= 1) {
    *this = {};
    return;
  }
  const auto all = static_cast<double>(count);
  const double before = mean + (mean - number) / (all - 1);
  deviations = std::max(0.0, deviations - (number - mean) * (number - before));
  mean = before;
}

void Distribution::add(const Point& point) {
  if (count == 0 || lower(point, low)) low = point;
  if (count == 0 || higher(point, high)) high = point;
  times.add(point.amount.nanos);
  numbers.add(point.amount.number, count);
  add_to(sketch, point.amount);
  ++count;
}

void Distribution::merge(const Distribution& other) {
  if (other.count == 0) return;
  if (count == 0 || lower(other.low, low)) low = other.low;
  if (count == 0 || higher(other.high, high)) high = other.high;
  times.merge(other.times);
  numbers.merge(count, other.numbers, other.count);
  sketch.merge(other.sketch);
  count += other.count;
}

bool Distribution::remove(const Point& point) {
  times.remove(point.amount.nanos);
  numbers.remove(point.amount.number, count);
  remove_from(sketch, point.amount);
  if (--count == 0) {
    *this = {};
    return true;
  }
  return point != low && point != high;
}

void Distribution::find_extremes(const std::vector<Point>& points) {
  const auto at_rank = [this](std::uint64_t rank) {
    const double middle = sketch.at_rank(rank);
    Point point;
    if (holds_times(*this)) {
      point.amount.nanos = static_cast<std::uint64_t>(std::llround(middle));
    } else {
      point.amount.number = std::ldexp(middle, -kNumberUnitBits);
    }
    return point;
  };
  const auto place = [](const Point& point) {
    Sketch one;
    add_to(one, point.amount);
    return one.zero_count() != 0 ? Sketch::kBucketMin - 1 : one.offset();
  };
  low = at_rank(1);
  high = at_rank(count);
  const int lowest = place(low);
  const int highest = place(high);
  bool any_low = false;
  bool any_high = false;
  for (const Point& point : points) {
    if (place(point) == lowest && (!any_low || lower(point, low))) {
      low = point;
      any_low = true;
    }
    if (place(point) == highest && (!any_high || higher(point, high))) {
      high = point;
      any_high = true;
    }
  }
}

int bucket_of_number(double number) {
  int exponent = 0;
  const double mantissa = std::frexp(number, &exponent);  // in [0.5, 1)
  const auto whole = static_cast<std::uint64_t>(std::ldexp(mantissa, 64));
  const int octaves = std::clamp(exponent + kNumberUnitBits, -1, 64) - 64;
  const int bucket = Sketch::bucket_of(whole) + octaves * Sketch::kBucketsPerOctave;
  return std::clamp(bucket, Sketch::kBucketMin, Sketch::kBucketMax);
}

void Rollup::count(const Run& run) {
  if (!terminal(run.state)) return;
  Outcome& outcome = of(run.state);
  ++outcome.runs;
  if (late(run, kGraceDefault)) ++outcome.late;
}

void Rollup::measure(const Run& run, const Series& series) {
  if (!terminal(run.state)) return;
  const auto amount = amount_of(run, series.measure, series.step);
  if (amount) of(run.state).values.add({*amount, run.id, run.started_at});
}

void Rollup::merge(const Rollup& other) {
  for (std::size_t at = 0; at < outcomes.size(); ++at) {
    outcomes[at].runs += other.outcomes[at].runs;
    outcomes[at].late += other.outcomes[at].late;
    outcomes[at].values.merge(other.outcomes[at].values);
  }
}

Stats stats_of(const Rollup& rollup, const std::vector<State>& outcomes) {
  Stats stats;
  stats.succeeded = rollup.of(State::kSucceeded).runs;
  stats.failed = rollup.of(State::kFailed).runs;
  stats.canceled = rollup.of(State::kCanceled).runs;
  stats.crashed = rollup.of(State::kCrashed).runs;
  for (const Rollup::Outcome& outcome : rollup.outcomes) stats.late += outcome.late;
  const std::uint64_t tried = stats.succeeded + stats.failed + stats.crashed;
  if (tried != 0) stats.success_rate = static_cast<double>(stats.succeeded) / static_cast<double>(tried);
  Distribution values;
  for (const State state : {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
    if (asked(outcomes, state)) values.merge(rollup.of(state).values);
  }
  stats.count = values.count;
  if (values.count == 0) return stats;
  stats.high = extreme_of(values.high);
  stats.low = extreme_of(values.low);
  stats.max = stats.high->value;
  stats.min = stats.low->value;
  stats.mean = mean_of(values);
  stats.stddev = deviation_of(values);
  stats.median = quantile_of(values, 50);
  stats.p90 = quantile_of(values, 90);
  stats.p95 = quantile_of(values, 95);
  stats.p99 = quantile_of(values, 99);
  if (values.count > 2) stats.quantile_error = Sketch::kRelativeError;
  return stats;
}

Nanos start_of(Nanos at, Resolution resolution) {
  if (resolution == Resolution::kAll) return 0;
  const Nanos length = resolution == Resolution::kHour ? kHour : kDay;
  const Nanos into = at % length;
  return at - (into < 0 ? into + length : into);
}

}  // namespace kleptometrics::aggregator::stats

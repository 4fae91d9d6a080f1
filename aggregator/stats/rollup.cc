#include "aggregator/stats/rollup.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace kleptometrics::aggregator::stats {
namespace {

constexpr std::string_view kStepPrefix = "step:";
constexpr long double kNumberMax = std::numeric_limits<double>::max();
constexpr double kErrorBeyondSketch = 1;  // of a quantile among numbers that a sketch does not hold

bool earlier(const Point& a, const Point& b) { return std::tie(a.at, a.run_id) < std::tie(b.at, b.run_id); }
bool lower(const Point& a, const Point& b) { return a.amount < b.amount || (a.amount == b.amount && earlier(a, b)); }
bool higher(const Point& a, const Point& b) { return b.amount < a.amount || (a.amount == b.amount && earlier(a, b)); }

int unit_bits_of(const Amount& amount) { return amount.ratio ? kRatioUnitBits : kNumberUnitBits; }
int bucket_of(const Amount& amount) { return bucket_of_number(amount.number, unit_bits_of(amount)); }

// Where the amount lies among the buckets of a sketch; before all of them for what is counted as 0.
int place_of(const Amount& amount) {
  if (amount.number > 0) return bucket_of(amount);
  return amount.nanos == 0 ? Sketch::kBucketMin - 1 : Sketch::bucket_of(amount.nanos);
}

void add_to(Sketch& sketch, const Amount& amount) {
  if (amount.number > 0) {
    sketch.add_bucket(bucket_of(amount), 1);
  } else {
    sketch.add(amount.nanos);
  }
}

void remove_from(Sketch& sketch, const Amount& amount) {
  if (amount.number > 0) {
    sketch.remove_bucket(bucket_of(amount), 1);
  } else {
    sketch.remove(amount.nanos);
  }
}

// Numbers that are all 0 may pass for times, they are answered the same.
bool holds_times(const Distribution& values) { return values.low.amount.number == 0 && values.high.amount.number == 0; }

// Whether the sketch says of every value where it lies: one of its lowest bucket may be anywhere below its unit.
bool held(const Distribution& values) {
  if (holds_times(values)) return true;
  const double most = std::ldexp(1.0, 64 - unit_bits_of(values.high.amount));
  const bool least_taken = !values.sketch.counts().empty() && values.sketch.offset() == Sketch::kBucketMin;
  return values.low.amount.number >= 0 && values.high.amount.number <= most && !least_taken;
}

double mean_of(const Distribution& values) {
  if (!holds_times(values)) return std::clamp(values.numbers.mean, values.low.amount.number, values.high.amount.number);
  const auto whole = static_cast<double>(static_cast<std::uint64_t>(values.times.sum / values.count));
  const auto rest = static_cast<double>(static_cast<std::uint64_t>(values.times.sum % values.count));
  return (whole + rest / static_cast<double>(values.count)) / static_cast<double>(kNanosPerSecond);
}

// Rounding, of values taken out above all, may leave more than values between these two can have: half their distance.
// T. Popoviciu, "Sur les équations algébriques ayant toutes leurs racines réelles", Mathematica 9, 1935. Says nothing
// where an end is the middle of a bucket and the value of no run.
double deviation_of_numbers(const Distribution& values) {
  const double deviation = std::sqrt(values.numbers.deviations / static_cast<double>(values.count));
  if (values.low.run_id.none() || values.high.run_id.none()) return deviation;
  return std::min(deviation, values.high.amount.number / 2 - values.low.amount.number / 2);
}

// Of the population. For times it is taken around w, the whole part of the mean: the sum of (x - w)^2 is
// squares - w (2 sum - count w), exact in 192 bits, and near it nothing is lost to rounding.
double deviation_of(const Distribution& values) {
  const auto count = static_cast<long double>(values.count);
  if (!holds_times(values)) return deviation_of_numbers(values);
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
  if (holds_times(values)) return std::clamp(middle / static_cast<double>(kNanosPerSecond), low, high);
  // One that is less than a unit is nearer to the low than to the unit, relative to itself.
  const double number = middle <= 1 ? 0 : std::ldexp(middle, -unit_bits_of(values.high.amount));
  return std::clamp(number, low, high);
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

// In extended precision, which neither the difference of any two numbers nor its square leaves.
void Moments::merge(std::uint64_t count, const Moments& other, std::uint64_t other_count) {
  if (other_count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const auto ours = static_cast<long double>(count);
  const auto theirs = static_cast<long double>(other_count);
  const long double apart = static_cast<long double>(other.mean) - mean;
  const long double all =
      static_cast<long double>(deviations) + other.deviations + apart * apart * (ours * theirs / (ours + theirs));
  deviations = static_cast<double>(std::min(all, kNumberMax));
  mean = static_cast<double>(mean + apart * (theirs / (ours + theirs)));
}

void Moments::remove(double number, std::uint64_t count) {
  if (count <= 1) {
    *this = {};
    return;
  }
  const auto all = static_cast<long double>(count);
  const long double before = mean + (static_cast<long double>(mean) - number) / (all - 1);
  const long double left = deviations - (static_cast<long double>(number) - mean) * (number - before);
  deviations = static_cast<double>(std::max(left, 0.0L));
  mean = static_cast<double>(std::clamp(before, -kNumberMax, kNumberMax));
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
  const bool nanos = holds_times(*this);
  const bool ratio = high.amount.ratio;
  const auto middle_of = [&](std::uint64_t rank) {
    const double middle = sketch.at_rank(rank);
    Point point;
    point.amount.ratio = ratio;
    if (nanos) {
      point.amount.nanos = static_cast<std::uint64_t>(std::round(middle));
    } else {
      point.amount.number = std::ldexp(middle, -unit_bits_of(point.amount));
    }
    return point;
  };
  low = middle_of(1);
  high = middle_of(count);
  const int lowest = place_of(low.amount);
  const int highest = place_of(high.amount);
  bool any_low = false;
  bool any_high = false;
  for (const Point& point : points) {
    const int place = place_of(point.amount);
    if (place == lowest && (!any_low || lower(point, low))) {
      low = point;
      any_low = true;
    }
    if (place == highest && (!any_high || higher(point, high))) {
      high = point;
      any_high = true;
    }
  }
}

int bucket_of_number(double number, int unit_bits) {
  int exponent = 0;
  const double mantissa = std::frexp(number, &exponent);  // in [0.5, 1)
  if (!std::isfinite(number) || exponent + unit_bits > 64) return Sketch::kBucketMax;
  if (exponent + unit_bits < 1) return Sketch::kBucketMin;
  const auto whole = static_cast<std::uint64_t>(std::ldexp(mantissa, 64));  // the number with its highest bit at 2^63
  return Sketch::bucket_of(whole) - (64 - exponent - unit_bits) * Sketch::kBucketsPerOctave;
}

void Rollup::count(const Run& run) {
  if (!terminal(run.state)) return;
  Outcome& outcome = of(run.state);
  ++outcome.runs;
  if (stats::late(run, kGraceDefault)) ++outcome.late;
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

std::uint64_t Rollup::late() const {
  std::uint64_t sum = 0;
  for (const Outcome& outcome : outcomes) sum += outcome.late;
  return sum;
}

Stats stats_of(const Rollup& rollup, const std::vector<State>& outcomes) {
  Stats stats;
  stats.succeeded = rollup.of(State::kSucceeded).runs;
  stats.failed = rollup.of(State::kFailed).runs;
  stats.canceled = rollup.of(State::kCanceled).runs;
  stats.crashed = rollup.of(State::kCrashed).runs;
  stats.late = rollup.late();
  stats.success_rate = success_rate_of(stats);
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
  if (values.count > 2) stats.quantile_error = held(values) ? Sketch::kRelativeError : kErrorBeyondSketch;
  return stats;
}

Nanos start_of(Nanos at, Resolution resolution) {
  if (resolution == Resolution::kAll) return 0;
  const Nanos length = resolution == Resolution::kHour ? kHour : kDay;
  const Nanos into = at % length;
  return at - (into < 0 ? into + length : into);
}

}  // namespace kleptometrics::aggregator::stats

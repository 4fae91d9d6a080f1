#include "aggregator/stats/stats.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>
#include <utility>

namespace kleptometrics::aggregator::stats {
namespace {

constexpr auto kPerSecond = static_cast<double>(kNanosPerSecond);

// A length of time in nanoseconds: wide enough for the sum of any two that a run can hold.
__extension__ using Wide = __int128;
using Time = std::optional<Wide>;

Time duration_of(const Run& run) {
  if (run.duration) return *run.duration;
  if (!run.finished_at) return std::nullopt;
  return std::max<Wide>(0, Wide{*run.finished_at} - run.started_at);
}

Time start_delay_of(const Run& run) {
  if (!run.scheduled_at) return std::nullopt;
  return std::max<Wide>(0, Wide{run.started_at} - *run.scheduled_at);
}

Time cpu_of(const Resources& used) {
  if (!used.cpu_user && !used.cpu_system) return std::nullopt;
  return Wide{used.cpu_user.value_or(0)} + used.cpu_system.value_or(0);
}

Time step_total(const Run& run, std::string_view path) {
  for (const Step& step : run.steps) {
    if (step.name != path) continue;
    if (step.count == 0) return std::nullopt;
    return step.total;
  }
  return std::nullopt;
}

// Of the measures that are times.
Time time_of(const Run& run, const Measure& measure, std::string_view step) {
  if (!step.empty()) {
    return measure.kind == Measure::Kind::kDuration ? step_total(run, step) : std::nullopt;
  }
  switch (measure.kind) {
    case Measure::Kind::kDuration:
      return duration_of(run);
    case Measure::Kind::kStartDelay:
      return start_delay_of(run);
    case Measure::Kind::kCpu:
      return cpu_of(run.resources);
    default:
      return std::nullopt;
  }
}

double seconds(Wide nanos) { return static_cast<double>(nanos) / kPerSecond; }

std::optional<double> counter_of(const Run& run, const std::string& name) {
  const auto found = run.counters.find(name);
  if (found == run.counters.end()) return std::nullopt;
  return found->second;
}

std::optional<double> seconds_per(const Run& run, const std::string& name) {
  const Time duration = duration_of(run);
  const auto counter = counter_of(run, name);
  if (!duration || !counter || !(*counter > 0)) return std::nullopt;
  const double ratio = seconds(*duration) / *counter;
  if (!std::isfinite(ratio)) return std::nullopt;
  return ratio;
}

// Of the measures that are no times.
std::optional<double> number_of(const Run& run, const Measure& measure) {
  switch (measure.kind) {
    case Measure::Kind::kMaxRssBytes:
      if (!run.resources.max_rss_bytes) return std::nullopt;
      return static_cast<double>(*run.resources.max_rss_bytes);
    case Measure::Kind::kCounter:
      return counter_of(run, measure.counter);
    case Measure::Kind::kSecondsPer:
      return seconds_per(run, measure.counter);
    default:
      return std::nullopt;
  }
}

// Population, around a mean that lies among the values. Sorted values: the sum has one order.
template <typename Values>
double deviation(const Values& values, double mean) {
  long double sum = 0;
  for (const auto& each : values) {
    const long double off = static_cast<long double>(each.value) - mean;
    sum += off * off;
  }
  return static_cast<double>(std::sqrt(sum / static_cast<long double>(values.size())));
}

}  // namespace

std::optional<Measure> Measure::parse(std::string_view text) {
  using Kind = Measure::Kind;
  static constexpr std::pair<std::string_view, Kind> kPlain[] = {{"duration", Kind::kDuration},
                                                                 {"start_delay", Kind::kStartDelay},
                                                                 {"cpu", Kind::kCpu},
                                                                 {"max_rss_bytes", Kind::kMaxRssBytes}};
  static constexpr std::pair<std::string_view, Kind> kNamed[] = {{"counter:", Kind::kCounter},
                                                                 {"seconds_per:", Kind::kSecondsPer}};
  for (const auto& [name, kind] : kPlain) {
    if (text == name) return Measure{kind, {}};
  }
  for (const auto& [prefix, kind] : kNamed) {
    if (text.size() > prefix.size() && text.starts_with(prefix)) {
      return Measure{kind, std::string(text.substr(prefix.size()))};
    }
  }
  return std::nullopt;
}

bool is_time(Measure::Kind kind) {
  return kind == Measure::Kind::kDuration || kind == Measure::Kind::kStartDelay || kind == Measure::Kind::kCpu;
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() + 1) / 2 - 1);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::optional<double> success_rate_of(const Stats& stats) {
  const std::uint64_t tried = stats.succeeded + stats.failed + stats.crashed;
  if (tried == 0) return std::nullopt;
  return static_cast<double>(stats.succeeded) / static_cast<double>(tried);
}

std::string text_of(const Measure& measure) {
  using Kind = Measure::Kind;
  switch (measure.kind) {
    case Kind::kDuration:
      return "duration";
    case Kind::kStartDelay:
      return "start_delay";
    case Kind::kCpu:
      return "cpu";
    case Kind::kMaxRssBytes:
      return "max_rss_bytes";
    case Kind::kCounter:
      return "counter:" + measure.counter;
    case Kind::kSecondsPer:
      return "seconds_per:" + measure.counter;
  }
  return {};
}

bool late(const Run& run, Nanos grace) {
  const Time delay = start_delay_of(run);
  return delay && *delay > grace;
}

std::optional<Amount> amount_of(const Run& run, const Measure& measure, std::string_view step) {
  if (step.empty() && !is_time(measure.kind)) {
    const auto number = number_of(run, measure);
    if (!number) return std::nullopt;
    return Amount{0, *number, measure.kind == Measure::Kind::kSecondsPer};
  }
  const Time time = time_of(run, measure, step);
  if (!time) return std::nullopt;
  return Amount{static_cast<std::uint64_t>(std::min<Wide>(*time, std::numeric_limits<std::uint64_t>::max())), 0, false};
}

double value_of(const Amount& amount) {
  return amount.nanos == 0 ? amount.number : static_cast<double>(amount.nanos) / kPerSecond;
}

std::optional<double> value_of(const Run& run, const Measure& measure, std::string_view step) {
  const auto amount = amount_of(run, measure, step);
  if (!amount) return std::nullopt;
  return value_of(*amount);
}

Accumulator::Accumulator(Measure measure, std::string step, std::vector<State> outcomes, Nanos grace)
    : measure_(std::move(measure)), step_(std::move(step)), outcomes_(std::move(outcomes)), grace_(grace) {}

void Accumulator::count(const Run& run) {
  switch (run.state) {
    case State::kRunning:
      return;
    case State::kSucceeded:
      ++stats_.succeeded;
      break;
    case State::kFailed:
      ++stats_.failed;
      break;
    case State::kCanceled:
      ++stats_.canceled;
      break;
    case State::kCrashed:
      ++stats_.crashed;
      break;
  }
  if (late(run, grace_)) ++stats_.late;
}

void Accumulator::add(const Run& run) {
  if (!terminal(run.state)) return;
  count(run);
  if (std::find(outcomes_.begin(), outcomes_.end(), run.state) == outcomes_.end()) return;
  const auto value = value_of(run, measure_, step_);
  if (!value) return;
  nanos_ += time_of(run, measure_, step_).value_or(0);
  values_.push_back({*value, run.id, run.started_at});
}

// Of times: whole nanoseconds and the rest apart, so that the mean of equal times is that time. Else in
// extended precision, held between the extremes against its rounding.
double Accumulator::mean() const {
  if (is_time(measure_.kind)) {
    const auto n = static_cast<Sum>(values_.size());
    const double rest = static_cast<double>(nanos_ % n) / static_cast<double>(n);
    return (static_cast<double>(nanos_ / n) + rest) / kPerSecond;
  }
  long double sum = 0;
  for (const Value& each : values_) sum += each.value;
  const auto mean = static_cast<double>(sum / static_cast<long double>(values_.size()));
  return std::clamp(mean, values_.front().value, values_.back().value);
}

Stats Accumulator::finish() {
  stats_.success_rate = success_rate_of(stats_);
  if (values_.empty()) return stats_;
  std::sort(values_.begin(), values_.end(), [](const Value& a, const Value& b) {
    return std::tie(a.value, a.at, a.run_id) < std::tie(b.value, b.at, b.run_id);
  });
  const auto at_percent = [this](std::size_t percent) {  // rank ceil(q n), in integers
    return values_[(values_.size() * percent + 99) / 100 - 1].value;
  };
  const auto extreme = [](const Value& each) { return Extreme{each.value, each.run_id, each.at}; };
  const auto high = std::lower_bound(values_.begin(), values_.end(), values_.back().value,
                                     [](const Value& a, double value) { return a.value < value; });
  stats_.count = values_.size();
  stats_.min = values_.front().value;
  stats_.max = values_.back().value;
  stats_.mean = mean();
  stats_.stddev = deviation(values_, *stats_.mean);
  stats_.median = at_percent(50);
  stats_.p90 = at_percent(90);
  stats_.p95 = at_percent(95);
  stats_.p99 = at_percent(99);
  stats_.high = extreme(*high);
  stats_.low = extreme(values_.front());
  return stats_;
}

}  // namespace kleptometrics::aggregator::stats

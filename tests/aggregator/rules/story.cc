#include "tests/aggregator/rules/story.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {
namespace {

using aggregator::JobSpec;
using aggregator::State;
using aggregator::rules::RunFacts;

constexpr Nanos kMinute = 60 * kNanosPerSecond;
constexpr Nanos kHour = 60 * kMinute;
constexpr Nanos kDay = 24 * kHour;

class Dice {
 public:
  explicit Dice(std::mt19937_64& random) : random_(random) {}
  // In [0, below).
  Nanos up_to(Nanos below) { return static_cast<Nanos>(random_() % static_cast<std::uint64_t>(below)); }
  bool one_in(Nanos count) { return up_to(count) == 0; }
  bool percent(Nanos share) { return up_to(100) < share; }
  Nanos between(Nanos low, Nanos high) { return low + up_to(high - low); }

 private:
  std::mt19937_64& random_;
};

// A daily pattern that is easy to count and to write as an expression.
struct Pattern {
  std::string cron;
  std::vector<int> hours;
  int minute = 0;
  bool weekdays_only = false;
  int only_weekday = -1;  // Sunday is 0
};

std::string list_text(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

Pattern make_pattern(Dice& dice) {
  Pattern pattern;
  pattern.minute = static_cast<int>(dice.up_to(60));
  const int hour = static_cast<int>(dice.up_to(24));
  const Nanos kind = dice.up_to(100);
  pattern.hours = {dice.percent(50) ? 1 + hour % 3 : hour};  // clocks are changed in the small hours
  if (kind >= 92) pattern.hours = {hour % 6, 6 + hour % 6, 12 + hour % 6, 18 + hour % 6};
  if (kind == 99) {
    pattern.hours.clear();
    for (int each = 0; each < 24; ++each) pattern.hours.push_back(each);
  }
  pattern.weekdays_only = kind >= 50 && kind < 75;
  pattern.only_weekday = kind >= 75 && kind < 92 ? hour % 7 : -1;
  const std::string days = pattern.weekdays_only       ? "1-5"
                           : pattern.only_weekday >= 0 ? std::to_string(pattern.only_weekday)
                                                       : "*";
  pattern.cron = std::to_string(pattern.minute) + " " + list_text(pattern.hours) + " * * " + days;
  return pattern;
}

int weekday_of(absl::CivilDay day) { return (static_cast<int>(absl::GetWeekday(day)) + 1) % 7; }

bool has_day(const Pattern& pattern, absl::CivilDay day) {
  const int weekday = weekday_of(day);
  if (pattern.weekdays_only) return weekday >= 1 && weekday <= 5;
  return pattern.only_weekday < 0 || pattern.only_weekday == weekday;
}

// Left out: when the clock is put forward. Twice: the first time.
Nanos instant(absl::CivilSecond shown, const absl::TimeZone& zone) {
  const auto info = zone.At(shown);
  return absl::ToUnixNanos(info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre);
}

std::vector<Nanos> counted(const Pattern& pattern, const absl::TimeZone& zone) {
  std::set<Nanos> occurrences;
  const absl::CivilDay end(2027, 1, 20);
  for (absl::CivilDay day(2025, 12, 10); day < end; ++day) {
    if (!has_day(pattern, day)) continue;
    for (const int hour : pattern.hours) {
      occurrences.insert(instant(absl::CivilSecond(day) + 3600 * hour + 60 * pattern.minute, zone));
    }
  }
  return {occurrences.begin(), occurrences.end()};
}

absl::TimeZone zone_of(const std::string& name) {
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!name.empty()) absl::LoadTimeZone(name, &zone);
  return zone;
}

void add_windows(Dice& dice, Story& story) {
  if (dice.percent(20)) {
    const Nanos since = dice.between(story.since, story.until);
    const Nanos until = since + dice.between(kHour, 20 * kDay);
    story.spec.maintenance.push_back({since, until, "", 0});
    story.windows.push_back({since, until});
  }
  if (!dice.percent(10)) return;
  const absl::TimeZone zone = zone_of(story.spec.timezone);
  const Nanos duration = dice.between(kHour, 30 * kHour);
  story.spec.maintenance.push_back({0, 0, "0 1 * * 0", duration});
  for (const Nanos since : counted({"", {1}, 0, false, 0}, zone)) story.windows.push_back({since, since + duration});
}

bool is_down(const std::vector<Period>& downtimes, Nanos at) {
  return std::any_of(downtimes.begin(), downtimes.end(),
                     [at](const Period& span) { return span.since <= at && at <= span.until; });
}

void add_pause(Dice& dice, Story& story, const std::vector<Period>& downtimes) {
  if (!dice.percent(25)) return;
  Pause pause;
  pause.at = dice.between(story.since, story.until);
  pause.until = pause.at + dice.between(kHour, 30 * kDay);
  if (is_down(downtimes, pause.at)) return;
  if (dice.percent(50)) {
    const Nanos resumed_at = pause.at + dice.up_to(pause.until - pause.at) / 2 + 1;
    if (!is_down(downtimes, resumed_at) && resumed_at < story.until) pause.resumed_at = resumed_at;
  }
  story.pause = pause;
}

void set_limits(Dice& dice, Story& story, Nanos typical) {
  if (dice.percent(60)) story.spec.max_duration = 2 * typical;
  if (dice.percent(40)) story.spec.min_duration = typical / 8;
  if (dice.percent(30)) story.limits = aggregator::rules::Limits{typical * 3 / 2, typical / 4, typical, 50};
  story.spec.failures_before_alert = static_cast<std::uint32_t>(dice.between(1, 4));
  story.spec.successes_before_recovery = static_cast<std::uint32_t>(dice.between(1, 4));
  const std::array<Nanos, 5> graces = {0, kMinute, 5 * kMinute, kHour, 30 * kHour};
  story.spec.grace = graces[static_cast<std::size_t>(dice.up_to(dice.one_in(10) ? 5 : 4))];
}

// Tells the runs of a story as they come, one expected start after the other.
class Teller {
 public:
  Teller(Dice& dice, Story& story, Nanos period, Nanos typical)
      : dice_(dice), story_(story), period_(period), typical_(typical), names_slots_(dice.percent(40)) {}

  // The start, if there is one, of what was expected at the instant.
  std::optional<Nanos> expect(Nanos at) {
    if (outage_ == 0 && dice_.one_in(150)) outage_ = dice_.between(1, 8) * (dice_.percent(50) ? 1 : -1);
    if (outage_ < 0) {
      ++outage_;
      return std::nullopt;
    }
    if (outage_ > 0) --outage_;
    if (dice_.percent(2)) return std::nullopt;
    const Nanos start = at + lag();
    const State state = add(start, at, 1);
    if (state == State::kFailed && dice_.percent(60)) add(start + dice_.up_to(period_ / 2), at, 2);
    if (dice_.percent(3)) add(at + dice_.up_to(period_), std::nullopt, 1);
    return start;
  }

 private:
  Nanos lag() {
    const Nanos kind = dice_.up_to(100);
    const Nanos grace = story_.spec.grace;
    if (kind < 5) return -dice_.up_to(period_ * 2 / 5) - 1;
    if (kind < 12) return grace + dice_.up_to(period_ + period_ / 4);
    if (kind == 12) return grace;
    if (kind == 13) return grace + 1;
    return dice_.up_to(std::min(grace, period_ / 3) + 1);
  }

  Nanos duration() {
    const Nanos kind = dice_.up_to(1000);
    if (kind < 20) return dice_.up_to(typical_ / 3) + 1;
    if (kind < 60) return dice_.between(typical_, 6 * typical_);
    if (kind < 65) return dice_.between(period_, 3 * period_);
    if (kind < 67 && story_.spec.max_duration != 0) return story_.spec.max_duration + dice_.up_to(2);
    return dice_.between(typical_ / 2, typical_ * 5 / 4);
  }

  State outcome() {
    const Nanos kind = dice_.up_to(outage_ > 0 ? 12 : 100);
    if (kind < 6) return State::kFailed;
    if (kind < 8) return State::kCrashed;
    return kind < 10 ? State::kCanceled : State::kSucceeded;
  }

  State add(Nanos start, std::optional<Nanos> scheduled_at, std::uint32_t attempt) {
    RunFacts run;
    run.id = id_of(++count_);
    run.started_at = start;
    run.attempt = attempt;
    if (names_slots_ && story_.spec.interval == 0) run.scheduled_at = scheduled_at;
    run.state = dice_.one_in(2000) ? State::kRunning : outcome();
    run.duration = duration();
    run.ended_at = start + run.duration;
    if (run.state == State::kRunning || run.ended_at >= story_.until) run.state = State::kRunning;
    run.revision = run.state == State::kRunning ? 1 : 2;
    if (start >= story_.since && start < story_.until) story_.runs.push_back(run);
    return run.state;
  }

  Dice& dice_;
  Story& story_;
  Nanos period_;
  Nanos typical_;
  bool names_slots_;
  Nanos outage_ = 0;  // above 0: so many runs in which most fail; below: so many that do not come
  std::uint32_t count_ = 0;
};

void tell_by_occurrences(Dice& dice, Story& story) {
  const Nanos period = std::min(story.occurrences[8] - story.occurrences[7], kDay);
  const Nanos typical = dice.between(period / 200, period / 8);
  set_limits(dice, story, typical);
  Teller teller(dice, story, period, typical);
  for (const Nanos at : story.occurrences) {
    if (at > story.since - period && at < story.until) teller.expect(at);
  }
}

void tell_by_interval(Dice& dice, Story& story) {
  const Nanos period = story.spec.interval;
  const Nanos typical = dice.between(period / 200, period / 8);
  set_limits(dice, story, typical);
  Teller teller(dice, story, period, typical);
  Nanos at = story.since + dice.up_to(period);
  while (at < story.until) at = teller.expect(at).value_or(at) + period;
}

}  // namespace

std::vector<Period> make_downtimes(std::mt19937_64& random) {
  Dice dice(random);
  std::vector<Period> downtimes;
  Nanos at = kYearBegin;
  while (true) {
    at += dice.between(5 * kDay, 80 * kDay);
    const std::array<Nanos, 4> lengths = {10 * kMinute, 5 * kHour, 20 * kHour, 4 * kDay};
    const Nanos until = at + dice.up_to(lengths[static_cast<std::size_t>(dice.up_to(4))]) + 1;
    if (until >= kYearEnd) return downtimes;
    downtimes.push_back({at, until});
    at = until;
  }
}

Story make_story(std::mt19937_64& random, std::uint32_t number, const std::vector<Period>& downtimes) {
  static const std::array<std::string, 6> kZones = {
      "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"};
  Dice dice(random);
  Story story;
  story.job = "job-" + std::to_string(number);
  story.since = kYearBegin + dice.up_to(dice.percent(50) ? kDay : 60 * kDay);
  while (is_down(downtimes, story.since)) story.since += kDay;
  story.until = kYearEnd;
  story.spec.timezone = kZones[static_cast<std::size_t>(dice.up_to(kZones.size()))];
  if (dice.percent(15)) {
    story.spec.interval = dice.between(6 * kHour, 40 * kHour);
    tell_by_interval(dice, story);
  } else {
    const Pattern pattern = make_pattern(dice);
    story.spec.cron = pattern.cron;
    story.occurrences = counted(pattern, zone_of(story.spec.timezone));
    tell_by_occurrences(dice, story);
  }
  add_windows(dice, story);
  add_pause(dice, story, downtimes);
  std::sort(story.runs.begin(), story.runs.end(), [](const RunFacts& a, const RunFacts& b) {
    return std::tie(a.started_at, a.id) < std::tie(b.started_at, b.id);
  });
  return story;
}

}  // namespace kleptometrics::fakes

#include "aggregator/schedule/cron.h"

#include <array>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"
#include "aggregator/schedule/cron_field.h"

namespace kleptometrics::aggregator::schedule {
namespace {

using absl::CivilDay;
using absl::CivilHour;
using absl::CivilMinute;
using absl::CivilMonth;

using Bits = std::uint64_t;

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNicknames = {{{"@hourly", "0 * * * *"},
                                                                                      {"@daily", "0 0 * * *"},
                                                                                      {"@midnight", "0 0 * * *"},
                                                                                      {"@weekly", "0 0 * * 0"},
                                                                                      {"@monthly", "0 0 1 * *"},
                                                                                      {"@yearly", "0 0 1 1 *"},
                                                                                      {"@annually", "0 0 1 1 *"}}};

constexpr std::array<int, 13> kLongestMonths = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

// A leap day on a given day of the week comes after 40 years where one at the end of a century is left out.
constexpr int kYearsBetweenMax = 41;

constexpr Bits up_to(unsigned bit) { return (Bits{2} << bit) - 1; }

// The lowest set bit that is at least `bit`, the highest that is at most `bit`; -1 if there is none. Below 63 all.
int next_bit(Bits bits, int bit) {
  const Bits left = bit <= 0 ? bits : bits & ~up_to(static_cast<unsigned>(bit - 1));
  return left == 0 ? -1 : std::countr_zero(left);
}
int last_bit(Bits bits, int bit) {
  const Bits left = bit < 0 ? 0 : bits & up_to(static_cast<unsigned>(bit));
  return left == 0 ? -1 : 63 - std::countl_zero(left);
}

int first_of(Bits bits) { return std::countr_zero(bits); }
int last_of(Bits bits) { return 63 - std::countl_zero(bits); }

int days_in(CivilMonth month) { return static_cast<int>(CivilDay(month + 1) - CivilDay(month)); }

// Sunday is 0.
int weekday_of(CivilDay day) { return (static_cast<int>(absl::GetWeekday(day)) + 1) % 7; }
static_assert(static_cast<int>(absl::Weekday::monday) == 0 && static_cast<int>(absl::Weekday::sunday) == 6);

CivilMinute at_clock(CivilDay day, int hour, int minute) {
  return CivilMinute(day.year(), day.month(), day.day(), hour, minute);
}

bool holds(Bits bits, int bit) { return ((bits >> static_cast<unsigned>(bit)) & 1U) != 0; }

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (const auto word : absl::StrSplit(absl_view(text), absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
    words.emplace_back(word.data(), word.size());
  }
  return words;
}

// The five words behind a nickname.
absl::StatusOr<std::vector<std::string_view>> expand(std::string_view nickname) {
  for (const auto& [name, fields] : kNicknames) {
    if (absl::EqualsIgnoreCase(absl_view(name), absl_view(nickname))) return words_of(fields);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      quoted(nickname), " is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"));
}

absl::StatusOr<std::vector<std::string_view>> fields_of(std::string_view text) {
  std::vector<std::string_view> words = words_of(text);
  if (words.size() == 1 && words.front().front() == '@') return expand(words.front());
  if (words.size() == 5) return words;
  return absl::InvalidArgumentError(
      absl::StrCat(quoted(text), " has ", words.size(), words.size() == 1 ? " field" : " fields",
                   "; an expression has 5: minute, hour, day of month, month, day of week"));
}

}  // namespace

absl::StatusOr<Cron> Cron::parse(std::string_view text) {
  const auto words = fields_of(text);
  if (!words.ok()) return words.status();
  std::array<CronField, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto field = parse_cron_field(static_cast<CronUnit>(i), (*words)[i]);
    if (!field.ok()) return field.status();
    fields[i] = *field;
  }
  Cron cron;
  cron.minutes_ = fields[0].values;
  cron.hours_ = fields[1].values;
  cron.days_of_month_ = fields[2].values;
  cron.months_ = fields[3].values;
  cron.days_of_week_ = fields[4].values;
  cron.either_day_ = !fields[2].star && !fields[4].star;
  if (cron.possible()) return cron;
  return absl::InvalidArgumentError(
      absl::StrCat("day of month: ", quoted((*words)[2]), " is no day of any month in ", quoted((*words)[3])));
}

// Every weekday is the first day, and the 29th of February, of some year.
bool Cron::possible() const {
  if (either_day_) return true;
  const int first = first_of(days_of_month_);
  for (std::size_t month = 1; month < kLongestMonths.size(); ++month) {
    if (holds(months_, static_cast<int>(month)) && first <= kLongestMonths[month]) return true;
  }
  return false;
}

Bits Cron::days_of(CivilMonth month) const {
  if (!holds(months_, month.month())) return 0;
  const int first = weekday_of(CivilDay(month));
  // The week from the first day on, five times over, from bit 1.
  const Bits week = ((days_of_week_ | days_of_week_ << 7U) >> static_cast<unsigned>(first)) & up_to(6);
  Bits weeks = 0;
  for (unsigned shift = 1; shift < 32; shift += 7) weeks |= week << shift;
  const Bits days = either_day_ ? days_of_month_ | weeks : days_of_month_ & weeks;
  return days & up_to(static_cast<unsigned>(days_in(month)));
}

bool Cron::matches(CivilMinute minute) const {
  return holds(minutes_, minute.minute()) && holds(hours_, minute.hour()) &&
         holds(days_of(CivilMonth(minute)), minute.day());
}

// The rest of the hour, then of the day, then of the month; then whole months.
std::optional<CivilMinute> Cron::at_or_after(CivilMinute minute) const {
  if (holds(days_of(CivilMonth(minute)), minute.day())) {
    const int same_hour = holds(hours_, minute.hour()) ? next_bit(minutes_, minute.minute()) : -1;
    if (same_hour >= 0) return CivilMinute(CivilHour(minute)) + same_hour;
    const int hour = next_bit(hours_, minute.hour() + 1);
    if (hour >= 0) return at_clock(CivilDay(minute), hour, first_of(minutes_));
  }
  int from = minute.day() + 1;
  const auto year_max = minute.year() + kYearsBetweenMax;
  for (CivilMonth month(minute); month.year() <= year_max; ++month, from = 1) {
    const int day = next_bit(days_of(month), from);
    if (day >= 0) return at_clock(CivilDay(month) + (day - 1), first_of(hours_), first_of(minutes_));
  }
  return std::nullopt;
}

std::optional<CivilMinute> Cron::at_or_before(CivilMinute minute) const {
  if (holds(days_of(CivilMonth(minute)), minute.day())) {
    const int same_hour = holds(hours_, minute.hour()) ? last_bit(minutes_, minute.minute()) : -1;
    if (same_hour >= 0) return CivilMinute(CivilHour(minute)) + same_hour;
    const int hour = last_bit(hours_, minute.hour() - 1);
    if (hour >= 0) return at_clock(CivilDay(minute), hour, last_of(minutes_));
  }
  int from = minute.day() - 1;
  const auto year_min = minute.year() - kYearsBetweenMax;
  for (CivilMonth month(minute); month.year() >= year_min; --month, from = 31) {
    const int day = last_bit(days_of(month), from);
    if (day >= 0) return at_clock(CivilDay(month) + (day - 1), last_of(hours_), last_of(minutes_));
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator::schedule

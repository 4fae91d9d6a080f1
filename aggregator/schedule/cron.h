// Cron expressions, as crontab(5) has them: which minutes of which days are named. Days and hours are those of a clock
// on a wall; what a change of that clock makes of them is said in schedule.h. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"

namespace kleptometrics::aggregator::schedule {

class Cron {
 public:
  // Five fields with blanks between them: minute, hour, day of month, month, day of week; or one of `@hourly`,
  // `@daily`,
  // `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`, in any case. A field is `*` or a list of `N`, `N-M`,
  // either with a step `/S`; `N/S` goes from N to the end. Months and days of the week also by the three letters of
  // their English names, in any case; Sunday is 0 and 7.
  //
  // Days follow the rule of crontab(5), and of Vixie's cron behind it: where both the day of the month and the day of
  // the week are restricted, a day needs to match one of them, else both; a field that begins with `*` is none that
  // restricts, so that `*/2` and a day of the week must both match.
  //
  // InvalidArgument with a sentence that names the field and what is at fault in it, also for what would never come,
  // such as the 31st of February. Takes time in proportion to the text.
  static absl::StatusOr<Cron> parse(std::string_view text);

  bool matches(absl::CivilMinute minute) const;

  // The first minute that is named, this one or later; the last, this one or earlier. nullopt if there is none within
  // the 41 years that lie between two of any expression that parse() took. Some hundred nanoseconds.
  std::optional<absl::CivilMinute> at_or_after(absl::CivilMinute minute) const;
  std::optional<absl::CivilMinute> at_or_before(absl::CivilMinute minute) const;

  bool operator==(const Cron&) const = default;

 private:
  Cron() = default;
  // The days of a month that are named: bit n is day n.
  std::uint64_t days_of(absl::CivilMonth month) const;
  bool possible() const;

  std::uint64_t minutes_ = 0;  // bit n: n is named; so are the others
  std::uint64_t hours_ = 0;
  std::uint64_t days_of_month_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t days_of_week_ = 0;  // Sunday is bit 0
  bool either_day_ = false;         // one of the two is enough
};

}  // namespace kleptometrics::aggregator::schedule

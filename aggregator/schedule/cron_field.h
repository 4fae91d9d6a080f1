// One field of a cron expression: which of its values it names. For cron.cc alone. Pure, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::schedule {

enum class CronUnit { kMinute, kHour, kDayOfMonth, kMonth, kDayOfWeek };

struct CronField {
  std::uint64_t values = 0;  // bit n: n is one of them; never 0. Sunday is bit 0.
  bool star = false;         // begins with `*`, and so restricts no day (crontab(5))
};

// InvalidArgument with a sentence that begins with the unit's name and shows what is at fault: `minute: 75 is beyond
// 59`.
absl::StatusOr<CronField> parse_cron_field(CronUnit unit, std::string_view text);

}  // namespace kleptometrics::aggregator::schedule

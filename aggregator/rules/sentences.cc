#include "aggregator/rules/sentences.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "lib/base/instant.h"

namespace kleptometrics::aggregator::rules {
namespace {

struct Unit {
  Nanos size;
  std::string_view name;
};
constexpr std::array<Unit, 7> kUnits = {{{86'400 * kNanosPerSecond, "d"},
                                         {3'600 * kNanosPerSecond, "h"},
                                         {60 * kNanosPerSecond, "min"},
                                         {kNanosPerSecond, "s"},
                                         {1'000'000, "ms"},
                                         {1'000, "us"},
                                         {1, "ns"}}};

std::string down_to(Nanos length, Nanos smallest) {
  std::string text;
  for (const Unit& unit : kUnits) {
    if (unit.size < smallest || length < unit.size) continue;
    if (!text.empty()) text += ' ';
    text += std::to_string(length / unit.size) + ' ' + std::string(unit.name);
    length %= unit.size;
  }
  return text.empty() ? "0 s" : text;
}

std::string usual_text(const Limits& limits) {
  return length_text(limits.typical) + " are usual, by " + std::to_string(limits.runs) +
         (limits.runs == 1 ? " run" : " runs");
}

std::string runs_for_text(Nanos started_at, Nanos limit) {
  return "runs for more than " + length_text(limit) + ", since " + instant_text(started_at);
}

}  // namespace

std::string length_text(Nanos length) {
  if (length >= 60 * kNanosPerSecond) return down_to(length, kNanosPerSecond);
  return down_to(length, length >= kNanosPerSecond ? 1'000'000 : 1);
}

std::string length_text(Nanos length, Nanos limit) {
  std::string text = length_text(length);
  return text == length_text(limit) ? down_to(length, 1) : text;
}

std::string late_start_text(Nanos scheduled_at, Nanos delay, Nanos grace) {
  return "started " + length_text(delay, grace) + " after " + instant_text(scheduled_at) + "; " + length_text(grace) +
         " are allowed";
}

std::string missed_text(Nanos scheduled_at, Nanos grace) {
  return "not started " + length_text(grace) + " after " + instant_text(scheduled_at) +
         ", which is all that is allowed";
}

std::string overrun_text(Nanos started_at, Nanos limit) {
  return runs_for_text(started_at, limit) + "; " + length_text(limit) + " are allowed";
}

std::string slower_text(Nanos started_at, const Limits& limits) {
  return runs_for_text(started_at, limits.too_long.value_or(0)) + "; " + usual_text(limits);
}

std::string shift_text(const Shift& shift) {
  const double ratio = static_cast<double>(shift.median) / static_cast<double>(std::max<Nanos>(shift.median_before, 1));
  char percent[32];
  std::snprintf(percent, sizeof percent, "%+.0f %%", (ratio - 1) * 100);
  return "the last " + std::to_string(shift.runs) + " runs took " + length_text(shift.median) +
         " in the median, against " + length_text(shift.median_before) + " over " + std::to_string(shift.runs_before) +
         " before, " + percent;
}

std::string too_short_text(Nanos duration, Nanos min_duration) {
  return "succeeded after " + length_text(duration, min_duration) + "; at least " + length_text(min_duration) +
         " are expected";
}

std::string too_short_text(Nanos duration, const Limits& limits) {
  const Nanos least = limits.too_short.value_or(0);
  return "succeeded after " + length_text(duration, least) + "; " + usual_text(limits) + ", and at least " +
         length_text(least);
}

std::string failure_text(const RunFacts& run, std::uint32_t in_a_row, std::uint32_t enough) {
  std::string text = std::string(name_of(run.state)) + " at " + instant_text(run.ended_at);
  if (!run.cause.empty()) text += ": " + run.cause;
  if (enough <= 1 && in_a_row <= 1) return text;
  return text + "; " + std::to_string(in_a_row) + " runs in a row, and " + std::to_string(enough) +
         (enough == 1 ? " is" : " are") + " enough for an alert";
}

}  // namespace kleptometrics::aggregator::rules

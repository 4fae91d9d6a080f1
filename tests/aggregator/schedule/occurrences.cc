// Tells occurrences to scripts that compare them with those of others. A line in, `AFTER COUNT ZONE EXPRESSION`, is
// answered by a line out: the first COUNT occurrences after AFTER, in seconds since 1970, or `refused: ` and the
// reason.
#include <iostream>
#include <sstream>
#include <string>

#include "aggregator/schedule/schedule.h"

namespace {

using kleptometrics::kNanosPerSecond;
using kleptometrics::Nanos;
using kleptometrics::aggregator::JobSpec;
using kleptometrics::aggregator::schedule::Schedule;

std::string answer(const std::string& line) {
  std::istringstream in(line);
  Nanos after = 0;
  int count = 0;
  JobSpec spec;
  in >> after >> count >> spec.timezone >> std::ws;
  std::getline(in, spec.cron);
  const auto schedule = Schedule::of(spec);
  if (!schedule.ok()) return "refused: " + std::string(schedule.status().message());
  std::string text;
  auto next = schedule->next(after * kNanosPerSecond);
  for (; count > 0 && next; --count, next = schedule->next(*next)) {
    text += (text.empty() ? "" : " ") + std::to_string(*next / kNanosPerSecond);
  }
  return text;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
  return std::cout.flush() ? 0 : 1;
}

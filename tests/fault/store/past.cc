#include "tests/fault/store/past.h"

#include "aggregator/stats/rollup.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using aggregator::State;
using aggregator::Step;

constexpr Nanos kFirstDay = fakes::kStart / aggregator::stats::kDay * aggregator::stats::kDay;

// A third of the runs are dense: many of one job in one hour.
bool dense(std::uint32_t number) { return number % 3 == 0; }

Nanos start_of(std::uint32_t number) {
  return dense(number) ? kFirstDay + fakes::seconds(number) : kFirstDay + Nanos{number} * 41 * fakes::seconds(60);
}

}  // namespace

Uuid Past::id(std::uint32_t number) const {
  Uuid id = id_of(seed_, number);
  if (number % 2 != 0) return id;
  const auto millis = static_cast<std::uint64_t>(start_of(number) / 1'000'000);
  for (unsigned i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
  id.bytes[6] = 0x70;
  return id;
}

Run Past::begun(std::uint32_t number) const {
  Run run = fakes::started(dense(number) ? "dense" : "job-" + std::to_string(number % 5), number, start_of(number));
  run.id = id(number);
  run.host = "host-" + std::to_string(number % 3);
  if (draw(number, 1) % 2 == 0)
    run.scheduled_at = run.started_at - fakes::seconds(static_cast<double>(draw(number, 2) % 120));
  for (std::size_t i = 0; run.program.size() < text_bytes_; ++i) run.program += std::to_string(draw(number, 100 + i));
  return run;
}

Run Past::ended(std::uint32_t number) const {
  constexpr State kStates[] = {State::kSucceeded, State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed};
  Run run = begun(number);
  run = fakes::finished(run, static_cast<Nanos>(draw(number, 3) % 20 << (draw(number, 4) % 30)),
                        kStates[draw(number, 5) % 5]);
  measure(number, run);
  return run;
}

void Past::measure(std::uint32_t number, Run& run) const {
  if (draw(number, 6) % 2 == 0) run.counters["rows"] = static_cast<double>(draw(number, 7) % 1000) / 4;
  if (draw(number, 8) % 3 == 0) run.resources.max_rss_bytes = 4096 * (1 + draw(number, 9) % 99);
  if (draw(number, 10) % 3 == 0) run.resources.cpu_user = 1000 * (draw(number, 11) % 99);
  if (draw(number, 12) % 3 != 0) return;
  Step step;
  step.name = draw(number, 13) % 2 == 0 ? "load" : "load/parse";
  step.count = 1;
  step.total = step.min = step.max = 1 + draw(number, 14) % 1'000'000;
  step.sketch.add(step.total);
  run.steps.push_back(step);
}

Run Past::presumed(std::uint32_t number) const {
  Run run = fakes::finished(begun(number), fakes::seconds(7), State::kCrashed);
  run.revision = 1;
  run.verdict = true;
  return run;
}

Run Past::noted(Run run, std::uint64_t revision) {
  run.annotations = {revision, {{"ticket", std::to_string(revision)}}, "note " + std::to_string(revision)};
  return run;
}

}  // namespace kleptometrics::fault

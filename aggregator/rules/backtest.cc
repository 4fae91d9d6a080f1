#include "aggregator/rules/backtest.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "aggregator/rules/job_watch.h"

namespace kleptometrics::aggregator::rules {
namespace {

struct Event {
  Nanos at;
  RunFacts facts;
};

RunFacts at_start(const RunFacts& run) {
  RunFacts facts;
  facts.id = run.id;
  facts.started_at = run.started_at;
  facts.scheduled_at = run.scheduled_at;
  facts.attempt = run.attempt;
  return facts;
}

// What became known in the range, in the order in which it did.
std::vector<Event> events_of(const std::vector<RunFacts>& runs, Nanos until) {
  std::vector<Event> events;
  for (RunFacts run : runs) {
    run.history = false;
    run.overrun_limit = run.slower_limit = 0;
    events.push_back({run.started_at, at_start(run)});
    if (run.state != State::kRunning && run.ended_at < until) events.push_back({run.ended_at, std::move(run)});
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
  return events;
}

// The last record of each id, in the order of the first.
template <typename Record>
std::vector<Record> last_of_each(std::vector<Record> records) {
  std::map<Uuid, std::size_t> places;
  std::vector<Record> last;
  for (Record& record : records) {
    const auto [place, is_new] = places.emplace(record.id, last.size());
    if (is_new) {
      last.push_back(std::move(record));
    } else {
      last[place->second] = std::move(record);
    }
  }
  return last;
}

Findings play(JobWatch& watch, const std::vector<Event>& events, Nanos until) {
  Findings found;
  for (std::size_t i = 0; i < events.size(); ++i) {
    watch.take(events[i].facts);
    const bool more_at_once = i + 1 < events.size() && events[i + 1].at == events[i].at;
    if (!more_at_once) watch.advance(events[i].at, found);
  }
  watch.advance(until, found);
  return found;
}

void count_alerted(BacktestResult& result) {
  std::set<Uuid> runs;
  for (const Alert& alert : result.alerts) {
    if (!alert.run_id.none()) runs.insert(alert.run_id);
  }
  for (const Delay& delay : result.delays) result.gaps += delay.kind == DelayKind::kMissed ? 1 : 0;
  result.alerted_runs = runs.size();
}

std::string counted(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string summary_of(const BacktestResult& result) {
  std::string text = std::to_string(result.alerted_runs) + " of " + counted(result.runs, "run");
  if (result.gaps != 0) text += ", and " + counted(result.gaps, "gap");
  return text;
}

}  // namespace

BacktestResult backtest(const std::string& job, JobSpec spec, const std::vector<RunFacts>& runs, Nanos since,
                        Nanos until, const std::optional<Limits>& limits) {
  spec.paused_until.reset();
  std::vector<RunFacts> inside;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(inside),
               [&](const RunFacts& run) { return since <= run.started_at && run.started_at < until; });
  JobWatch watch(job, std::move(spec), since);
  watch.expect(limits);
  Findings found = play(watch, events_of(inside, until), until);
  BacktestResult result;
  result.runs = inside.size();
  result.delays = last_of_each(std::move(found.delays));
  result.alerts = last_of_each(std::move(found.alerts));
  count_alerted(result);
  result.summary = summary_of(result);
  return result;
}

BacktestResult backtest(const std::string& job, JobSpec spec, const std::vector<Run>& runs, Nanos since, Nanos until,
                        const std::optional<Limits>& limits) {
  std::vector<RunFacts> facts;
  facts.reserve(runs.size());
  for (const Run& run : runs) facts.push_back(facts_of(run, run.started_at));
  return backtest(job, std::move(spec), facts, since, until, limits);
}

}  // namespace kleptometrics::aggregator::rules

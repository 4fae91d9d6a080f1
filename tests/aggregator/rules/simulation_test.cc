// A year of many jobs under a fake clock, against a model that knows the whole story (model.h).
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/rules/job_watch.h"
#include "lib/base/instant.h"
#include "tests/aggregator/rules/model.h"
#include "tests/aggregator/rules/story.h"

namespace kleptometrics {
namespace {

using aggregator::Alert;
using aggregator::Delay;
using aggregator::JobSpec;
using aggregator::State;
using aggregator::rules::Findings;
using aggregator::rules::JobWatch;
using aggregator::rules::JobWatchState;
using aggregator::rules::RunFacts;
using namespace fakes;

constexpr std::uint32_t kJobs = 500;

std::string text_of(const Delay& delay) {
  return std::string(name_of(delay.kind)) + " at " + instant_text(delay.scheduled_at.value_or(0)) + " run " +
         delay.run_id.text().substr(28) + " allowed " + std::to_string(delay.expected) + " took " +
         std::to_string(delay.actual.value_or(-1)) + " from " + instant_text(delay.opened_at) + " to " +
         (delay.closed_at ? instant_text(*delay.closed_at) : "now");
}

std::string text_of(const Alert& alert) {
  return std::string(name_of(alert.kind)) + " run " + alert.run_id.text().substr(28) + " allowed " +
         std::to_string(alert.expected.value_or(-1)) + " took " + std::to_string(alert.actual.value_or(-1)) + " from " +
         instant_text(alert.opened_at) + " to " + (alert.closed_at ? instant_text(*alert.closed_at) : "now");
}

// What is told, in the end; and whether each record opened and closed once.
template <typename Record>
class Records {
 public:
  void write(Record record) {
    const auto [place, is_new] = records_.emplace(record.id, record);
    if (is_new) return;
    // Late starts that were missed at first close as something else than they opened as; nothing opens again.
    once_ = once_ && place->second.open() && !record.open();
    place->second = std::move(record);
  }
  bool once() const { return once_; }
  std::map<Uuid, Record> take() { return std::move(records_); }

 private:
  std::map<Uuid, Record> records_;
  bool once_ = true;
};

struct Outcome {
  Records<Delay> delays;
  Records<Alert> alerts;
  bool withdrawn = false;

  void write(Findings& found) {
    for (Delay& delay : found.delays) delays.write(std::move(delay));
    for (Alert& alert : found.alerts) alerts.write(std::move(alert));
    withdrawn = withdrawn || !found.withdrawn.empty();
    found = {};
  }
};

// Something that happens at its time.
struct Event {
  enum class What { kStart, kEnd, kPause, kResume, kDown, kUp };
  Nanos at;
  What what;
  const RunFacts* run = nullptr;
};

std::vector<Event> events_of(const Story& story, const std::vector<Period>& downtimes) {
  std::vector<Event> events;
  for (const RunFacts& run : story.runs) {
    events.push_back({run.started_at, Event::What::kStart, &run});
    if (run.state != State::kRunning) events.push_back({run.ended_at, Event::What::kEnd, &run});
  }
  for (const Period& down : downtimes) {
    if (down.until < story.since) continue;
    events.push_back({down.since, Event::What::kDown});
    events.push_back({down.until, Event::What::kUp});
  }
  if (story.pause) {
    events.push_back({story.pause->at, Event::What::kPause});
    if (story.pause->resumed_at) events.push_back({*story.pause->resumed_at, Event::What::kResume});
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
  return events;
}

RunFacts as_running(const RunFacts& run) {
  RunFacts facts;
  facts.id = run.id;
  facts.started_at = run.started_at;
  facts.scheduled_at = run.scheduled_at;
  facts.attempt = run.attempt;
  facts.revision = 1;
  return facts;
}

RunFacts as_ended(RunFacts run, Nanos now) {
  run.history = run.ended_at < now - aggregator::rules::kHistoryAge;
  return run;
}

// An aggregator that watches the job of a story: wakes when it said it would, and when something happens.
class Aggregator {
 public:
  Aggregator(const Story& story, std::mt19937_64& random)
      : story_(story), random_(random), watch_(story.job, story.spec, story.since) {
    watch_.expect(story.limits);
  }

  Outcome live(const std::vector<Event>& events) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      sleep_until(events[i].at);
      happen(events[i]);
      const bool more_at_once = i + 1 < events.size() && events[i + 1].at == events[i].at;
      if (up_ && !more_at_once) advance(events[i].at);
    }
    sleep_until(story_.until);
    advance(story_.until);
    return std::move(outcome_);
  }

 private:
  void sleep_until(Nanos at) {
    while (up_) {
      const auto deadline = watch_.next_deadline();
      if (!deadline || *deadline >= at) return;
      advance(*deadline);
    }
  }

  void advance(Nanos now) {
    watch_.advance(now, found_);
    outcome_.write(found_);
  }

  void happen(const Event& event) {
    switch (event.what) {
      case Event::What::kStart:
        return up_ ? watch_.take(as_running(*event.run)) : spool(*event.run, false);
      case Event::What::kEnd:
        return up_ ? watch_.take(as_ended(*event.run, event.at)) : spool(*event.run, true);
      case Event::What::kPause:
        return replace(story_.pause->until, event.at);
      case Event::What::kResume:
        return replace(std::nullopt, event.at);
      case Event::What::kDown:
        up_ = false;
        return;
      case Event::What::kUp:
        return restart(event.at);
    }
  }

  void replace(std::optional<Nanos> paused_until, Nanos now) {
    JobSpec spec = watch_.spec();
    spec.paused_until = paused_until;
    watch_.replace(std::move(spec), now, found_);
    outcome_.write(found_);
  }

  void spool(const RunFacts& run, bool ended) { spooled_[run.id] = {&run, ended}; }

  // The state that was saved, then what the journals say, in any order.
  void restart(Nanos now) {
    JobWatchState saved = watch_.state();
    watch_ = JobWatch(story_.job, watch_.spec(), std::move(saved));
    watch_.expect(story_.limits);
    std::vector<std::pair<const RunFacts*, bool>> runs;
    for (const auto& [id, run] : spooled_) runs.push_back(run);
    std::shuffle(runs.begin(), runs.end(), random_);
    for (const auto& [run, ended] : runs) watch_.take(ended ? as_ended(*run, now) : as_running(*run));
    spooled_.clear();
    up_ = true;
  }

  const Story& story_;
  std::mt19937_64& random_;
  JobWatch watch_;
  bool up_ = true;
  std::map<Uuid, std::pair<const RunFacts*, bool>> spooled_;
  Findings found_;
  Outcome outcome_;
};

template <typename Record>
std::set<std::string> texts(const std::vector<Record>& records) {
  std::set<std::string> list;
  for (const Record& record : records) list.insert(text_of(record));
  return list;
}

template <typename Record>
std::vector<Record> values(std::map<Uuid, Record> records) {
  std::vector<Record> list;
  for (auto& [id, record] : records) list.push_back(std::move(record));
  return list;
}

void by_id(std::vector<Delay>& list) {
  std::sort(list.begin(), list.end(), [](const Delay& a, const Delay& b) { return a.id < b.id; });
}
void by_id(std::vector<Alert>& list) {
  std::sort(list.begin(), list.end(), [](const Alert& a, const Alert& b) { return a.id < b.id; });
}

// One line for each difference.
template <typename Record>
std::string difference(std::vector<Record> found, std::vector<Record> expected) {
  by_id(expected);
  if (found == expected) return {};
  const auto has = texts(found);
  const auto wants = texts(expected);
  std::string text;
  for (const auto& line : has) text += wants.count(line) == 0 ? "\n  too many: " + line : "";
  for (const auto& line : wants) text += has.count(line) == 0 ? "\n  left out: " + line : "";
  return text.empty() ? "\n  ids" : text;
}

struct Totals {
  std::size_t runs = 0;
  std::map<std::string, std::size_t> kinds;
};

std::string compare(Outcome outcome, const Told& expected, Totals& totals) {
  std::string text;
  if (!outcome.delays.once() || !outcome.alerts.once()) text += "\n  a record opened or closed twice";
  if (outcome.withdrawn) text += "\n  something was invented";
  auto alerts = values(outcome.alerts.take());
  for (Alert& alert : alerts) {
    if (alert.message.empty()) text += "\n  an alert without a sentence";
    alert.message.clear();
    ++totals.kinds["alert " + std::string(name_of(alert.kind))];
  }
  const auto delays = values(outcome.delays.take());
  for (const Delay& delay : delays) ++totals.kinds["delay " + std::string(name_of(delay.kind))];
  return text + difference(delays, expected.delays) + difference(alerts, expected.alerts);
}

std::string describe(const Story& story) {
  const JobSpec& spec = story.spec;
  std::string text = "cron " + spec.cron + " interval " + std::to_string(spec.interval) + " " + spec.timezone +
                     " grace " + std::to_string(spec.grace / kNanosPerSecond) + " s since " + instant_text(story.since);
  if (story.pause) {
    text += " paused " + instant_text(story.pause->at) + " until " + instant_text(story.pause->until);
    if (story.pause->resumed_at) text += " resumed " + instant_text(*story.pause->resumed_at);
  }
  for (const Period& span : story.windows) {
    if (story.windows.size() < 3) text += " window " + instant_text(span.since) + " " + instant_text(span.until);
  }
  return text;
}

void simulate(std::uint64_t seed, Totals& totals) {
  std::mt19937_64 random(seed);
  const auto downtimes = make_downtimes(random);
  for (std::uint32_t number = 0; number < kJobs; ++number) {
    const Story story = make_story(random, number, downtimes);
    totals.runs += story.runs.size();
    Outcome outcome = Aggregator(story, random).live(events_of(story, downtimes));
    const std::string differences = compare(std::move(outcome), expected_of(story, downtimes), totals);
    if (differences.empty()) continue;
    FAIL("seed " << seed << " job " << number << ": " << describe(story) << differences);
  }
}

void simulate(std::uint64_t first, std::uint64_t count) {
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count; ++seed) simulate(seed, totals);
  std::string text = std::to_string(totals.runs) + " runs";
  for (const auto& [kind, number] : totals.kinds) text += ", " + kind + ": " + std::to_string(number);
  WARN(text);
  CHECK(totals.kinds.size() == 10);  // each kind of delay and of alert
}

TEST_CASE("A year of 500 jobs is told as a model tells it that knows the whole story, seeds 1 to 10") {
  simulate(1, 10);
}
TEST_CASE("A year of 500 jobs is told as a model tells it that knows the whole story, seeds 11 to 20") {
  simulate(11, 10);
}
TEST_CASE("A year of 500 jobs is told as a model tells it that knows the whole story, seeds 21 to 30") {
  simulate(21, 10);
}
TEST_CASE("A year of 500 jobs is told as a model tells it that knows the whole story, seeds 31 to 40") {
  simulate(31, 10);
}
TEST_CASE("A year of 500 jobs is told as a model tells it that knows the whole story, seeds 41 to 50") {
  simulate(41, 10);
}

}  // namespace
}  // namespace kleptometrics

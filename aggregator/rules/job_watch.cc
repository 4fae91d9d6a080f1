#include "aggregator/rules/job_watch.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "aggregator/rules/pass.h"
#include "aggregator/rules/run_rules.h"
#include "aggregator/rules/start_rules.h"

namespace kleptometrics::aggregator::rules {
namespace {

using Runs = std::vector<RunFacts>;

bool starts_before(const RunFacts& a, const RunFacts& b) {
  return std::tie(a.started_at, a.id) < std::tie(b.started_at, b.id);
}

Runs::iterator find(Runs& runs, const Uuid& id) {
  return std::find_if(runs.begin(), runs.end(), [&id](const RunFacts& run) { return run.id == id; });
}

// What a pass is about: which runs are new, and which have ended.
struct News {
  Runs starts;
  std::vector<End> ends;
};

// The newest snapshot of each run.
Runs newest_of_each(Runs pending) {
  std::stable_sort(pending.begin(), pending.end(), [](const RunFacts& a, const RunFacts& b) { return a.id < b.id; });
  Runs newest;
  for (RunFacts& run : pending) {
    if (newest.empty() || newest.back().id != run.id) {
      newest.push_back(std::move(run));
    } else if (newer(run, newest.back())) {
      newest.back() = std::move(run);
    }
  }
  return newest;
}

// Takes what has been told of the run along.
RunFacts continued(RunFacts run, const RunFacts& known) {
  run.overrun_limit = known.overrun_limit;
  run.slower_limit = known.slower_limit;
  return run;
}

void note_known_running(JobWatchState& state, Runs::iterator known, RunFacts run, News& news) {
  run = continued(std::move(run), *known);
  if (run.state == State::kRunning) {
    *known = std::move(run);
    return;
  }
  state.running.erase(known);
  news.ends.push_back({std::move(run)});
}

void note_known_ended(JobWatchState& state, Runs::iterator known, RunFacts run, News& news) {
  if (!newer(run, *known)) return;
  End end{continued(std::move(run), *known), std::move(*known)};
  state.ended.erase(known);
  news.ends.push_back(std::move(end));
}

void note_new(JobWatchState& state, RunFacts run, News& news) {
  news.starts.push_back(run);
  if (run.state == State::kRunning) {
    state.running.insert(std::upper_bound(state.running.begin(), state.running.end(), run, starts_before), run);
  } else {
    news.ends.push_back({std::move(run)});
  }
}

void note(JobWatchState& state, RunFacts run, News& news) {
  if (const auto ended = find(state.ended, run.id); ended != state.ended.end()) {
    note_known_ended(state, ended, std::move(run), news);
  } else if (const auto running = find(state.running, run.id); running != state.running.end()) {
    note_known_running(state, running, std::move(run), news);
  } else {
    note_new(state, std::move(run), news);
  }
}

News news_of(JobWatchState& state) {
  News news;
  for (RunFacts& run : newest_of_each(std::exchange(state.pending, {}))) note(state, std::move(run), news);
  std::sort(news.starts.begin(), news.starts.end(), starts_before);
  std::sort(news.ends.begin(), news.ends.end(), [](const End& a, const End& b) {
    return std::tie(a.run.ended_at, a.run.id) < std::tie(b.run.ended_at, b.run.id);
  });
  return news;
}

void judge_starts(Pass& pass, const Runs& starts) {
  if (pass.calendar.has_interval()) return judge_intervals(pass, starts);
  judge_occurrences(pass, starts);
}

void forget_starts(Pass& pass, const std::string& clause) {
  if (pass.calendar.has_interval()) return forget_intervals(pass, clause);
  forget_occurrences(pass, clause);
}

void forget_running_beyond(Pass& pass) {
  while (pass.state.running.size() > kRunningMax) {
    const RunFacts first = pass.state.running.front();
    pass.state.running.erase(pass.state.running.begin());
    forget_running(pass, first);
  }
}

bool same_schedule(const JobSpec& a, const JobSpec& b) {
  return a.cron == b.cron && a.interval == b.interval && a.timezone == b.timezone;
}

bool pauses(const JobSpec& spec, Nanos now) { return spec.paused_until && now < *spec.paused_until; }

// Why nothing that is missing is expected any more, by a specification that comes; empty: it is.
std::string starting_anew(const JobSpec& from, const JobSpec& to, Nanos now) {
  if (!same_schedule(from, to)) return "the job has another schedule now";
  if (from.paused_until == to.paused_until) return {};
  if (pauses(to, now)) return "the job is paused now";
  return pauses(from, now) ? "the job has been resumed" : "";
}

}  // namespace

JobWatch::JobWatch(std::string job, JobSpec spec, Nanos since) : job_(std::move(job)), calendar_(std::move(spec)) {
  state_.since = since;
  state_.judged = since - 1;
}

JobWatch::JobWatch(std::string job, JobSpec spec, JobWatchState state)
    : job_(std::move(job)), calendar_(std::move(spec)), state_(std::move(state)) {}

void JobWatch::take(const Run& run, Nanos now) { take(facts_of(run, now)); }

void JobWatch::take(RunFacts facts) {
  state_.pending.push_back(std::move(facts));
  if (state_.pending.size() <= kPendingMax) return;
  const auto first = std::min_element(state_.pending.begin(), state_.pending.end(), starts_before);
  state_.since = std::max(state_.since, first->started_at + 1);
  state_.pending.erase(first);
}

void JobWatch::advance(Nanos now, Findings& out) {
  Pass pass{job_, calendar_, limits_, now, state_, out};
  News news = news_of(state_);
  judge_starts(pass, news.starts);
  for (End& end : news.ends) {
    judge_duration(pass, end.run);
    judge_outcome(pass, end);
  }
  judge_running(pass);
  judge_shift(pass);
  forget_running_beyond(pass);
}

std::optional<Nanos> JobWatch::next_deadline() const {
  std::optional<Nanos> next = next_of_running(state_, calendar_, limits_);
  const auto start =
      calendar_.has_interval() ? next_of_intervals(state_, calendar_) : next_of_occurrences(state_, calendar_);
  if (start && (!next || *start < *next)) next = start;
  return next;
}

void JobWatch::start_anew(Nanos since) {
  if (const auto until = calendar_.spec().paused_until) state_.last_pause = Span{state_.since, std::min(*until, since)};
  state_.since = since;
}

void JobWatch::replace(JobSpec spec, Nanos now, Findings& out) {
  advance(now, out);
  const JobSpec& before = calendar_.spec();
  const std::string reason = starting_anew(before, spec, now);
  const bool other_schedule = !same_schedule(before, spec);
  if (!reason.empty()) {
    Pass pass{job_, calendar_, limits_, now, state_, out};
    forget_starts(pass, reason);
    start_anew(now);
    state_.judged = now - 1;
  } else if (before.paused_until && before.paused_until != spec.paused_until) {
    start_anew(std::max(state_.since, *before.paused_until));  // which is over
  }
  calendar_ = Calendar(std::move(spec));
  if (!other_schedule) return;
  state_.starts.clear();
  state_.slots.clear();
  note_starts(state_, calendar_, state_.ended);
  note_starts(state_, calendar_, state_.running);
}

}  // namespace kleptometrics::aggregator::rules

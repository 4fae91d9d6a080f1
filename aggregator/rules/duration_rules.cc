#include <algorithm>
#include <utility>

#include "aggregator/rules/run_rules.h"
#include "aggregator/rules/sentences.h"

namespace kleptometrics::aggregator::rules {
namespace {

Delay overrun(const Pass& pass, const RunFacts& run, Nanos limit) {
  Delay delay;
  delay.id = overrun_id(pass.job, run.id);
  delay.kind = DelayKind::kOverrun;
  delay.job = pass.job;
  delay.run_id = run.id;
  delay.scheduled_at = run.scheduled_at;
  delay.expected = limit;
  delay.opened_at = later(run.started_at, limit);
  return delay;
}

Delay closed_overrun(const Pass& pass, const RunFacts& run, Nanos limit) {
  Delay delay = overrun(pass, run, limit);
  delay.actual = run.duration;
  delay.closed_at = std::max(run.ended_at, delay.opened_at);
  return delay;
}

void open_alert(Pass& pass, AlertKind kind, const RunFacts& run, Nanos limit, std::string message) {
  if (run.history) return;
  Alert alert;
  alert.id = alert_id(pass.job, kind, run.id);
  alert.kind = kind;
  alert.run_id = run.id;
  alert.opened_at = later(run.started_at, limit);
  alert.expected = limit;
  alert.message = std::move(message);
  pass.open(std::move(alert));
}

Nanos too_long(const RunFacts& run, const std::optional<Limits>& limits) {
  const std::optional<Limits> learned = learned_for(run, limits);
  return learned ? learned->too_long.value_or(0) : 0;
}

void open_overrun(Pass& pass, const RunFacts& run, Nanos limit) {
  open_alert(pass, AlertKind::kOverrun, run, limit, overrun_text(run.started_at, limit));
}

void open_slower(Pass& pass, const RunFacts& run) {
  open_alert(pass, AlertKind::kSlower, run, too_long(run, pass.limits),
             slower_text(run.started_at, *learned_for(run, pass.limits)));
}

// Whether a run that runs since `started_at` has passed the limit; 0: none.
bool passed(Nanos started_at, Nanos limit, Nanos now) { return limit != 0 && later(started_at, limit) < now; }

void close_alert(Pass& pass, AlertKind kind, const RunFacts& run, Nanos limit) {
  const bool stands = run.duration > limit;
  const std::string clause = stands ? "it took " + length_text(run.duration, limit)
                                    : "it is known now that it took " + length_text(run.duration);
  pass.close(alert_id(pass.job, kind, run.id), stands ? run.ended_at : pass.now, clause, run.duration);
}

void judge_overrun(Pass& pass, RunFacts& run) {
  const bool told = run.overrun_limit != 0;
  const Nanos limit = told ? run.overrun_limit : pass.spec().max_duration;
  if (limit == 0) return;
  if (run.duration > limit) {
    pass.out.put(closed_overrun(pass, run, limit));
    if (!told) open_overrun(pass, run, limit);
    run.overrun_limit = limit;
  } else if (told) {
    pass.out.withdraw(overrun_id(pass.job, run.id));
    run.overrun_limit = 0;
  }
  close_alert(pass, AlertKind::kOverrun, run, limit);
}

void judge_slower(Pass& pass, RunFacts& run) {
  const bool told = run.slower_limit != 0;
  const Nanos limit = told ? run.slower_limit : too_long(run, pass.limits);
  if (limit == 0) return;
  if (!told && run.duration > limit) open_slower(pass, run);
  run.slower_limit = run.duration > limit ? limit : 0;
  close_alert(pass, AlertKind::kSlower, run, limit);
}

}  // namespace

std::optional<Limits> learned_for(const RunFacts& run, const std::optional<Limits>& limits) {
  std::optional<Limits> own = limits;
  if (own && run.too_long) own->too_long = run.too_long;
  if (own && run.too_short) own->too_short = run.too_short;
  return own;
}

void judge_shift(Pass& pass) {
  if (!pass.limits) return;
  const auto& alerts = pass.state.open_alerts;
  const auto open = std::ranges::find_if(
      alerts, [](const Alert& alert) { return alert.kind == AlertKind::kSlower && alert.run_id.none(); });
  if (!pass.limits->shift) {
    if (open != alerts.end()) pass.close(Uuid(open->id), pass.now, "the newest runs are as those before");
    return;
  }
  if (open != alerts.end()) return;
  Alert alert;
  alert.id = alert_id(pass.job, AlertKind::kSlower, pass.now);
  alert.kind = AlertKind::kSlower;
  alert.opened_at = pass.now;
  alert.expected = pass.limits->shift->median_before;
  alert.actual = pass.limits->shift->median;
  alert.message = shift_text(*pass.limits->shift);
  pass.open(std::move(alert));
}

void judge_running(Pass& pass) {
  for (RunFacts& run : pass.state.running) {
    if (const Nanos limit = pass.spec().max_duration;
        run.overrun_limit == 0 && passed(run.started_at, limit, pass.now)) {
      run.overrun_limit = limit;
      pass.out.put(overrun(pass, run, limit));
      open_overrun(pass, run, limit);
    }
    if (const Nanos limit = too_long(run, pass.limits);
        run.slower_limit == 0 && passed(run.started_at, limit, pass.now)) {
      run.slower_limit = limit;
      open_slower(pass, run);
    }
  }
}

void judge_duration(Pass& pass, RunFacts& run) {
  judge_overrun(pass, run);
  judge_slower(pass, run);
}

void forget_running(Pass& pass, const RunFacts& run) {
  const std::string clause = "so many runs are running that it is no longer watched";
  if (run.overrun_limit != 0) {
    Delay delay = overrun(pass, run, run.overrun_limit);
    delay.closed_at = std::max(pass.now, delay.opened_at);
    pass.out.put(std::move(delay));
  }
  pass.close(alert_id(pass.job, AlertKind::kOverrun, run.id), pass.now, clause);
  pass.close(alert_id(pass.job, AlertKind::kSlower, run.id), pass.now, clause);
}

std::optional<Nanos> next_of_running(const JobWatchState& state, const Calendar& calendar,
                                     const std::optional<Limits>& limits) {
  Nanos next = kNanosEnd;
  const auto consider = [&next](const RunFacts& run, Nanos limit, Nanos told) {
    if (limit != 0 && told == 0) next = std::min(next, later(later(run.started_at, limit), 1));
  };
  for (const RunFacts& run : state.running) {
    consider(run, calendar.spec().max_duration, run.overrun_limit);
    consider(run, too_long(run, limits), run.slower_limit);
  }
  return next == kNanosEnd ? std::nullopt : std::optional<Nanos>(next);
}

}  // namespace kleptometrics::aggregator::rules

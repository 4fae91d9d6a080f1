#include "aggregator/rules/start_rules.h"

#include "aggregator/rules/sentences.h"
#include "lib/base/instant.h"

namespace kleptometrics::aggregator::rules {

Alert alert_about(const Pass& pass, AlertKind kind, Nanos scheduled_at, Nanos opened_at) {
  Alert alert;
  alert.id = alert_id(pass.job, kind, scheduled_at);
  alert.kind = kind;
  alert.opened_at = opened_at;
  alert.expected = pass.spec().grace;
  return alert;
}

void open_missed(Pass& pass, Nanos scheduled_at) {
  if (pass.open_alert(AlertKind::kMissed) != nullptr) return;
  Alert alert = alert_about(pass, AlertKind::kMissed, scheduled_at, pass.calendar.deadline(scheduled_at));
  alert.message = missed_text(scheduled_at, pass.spec().grace);
  pass.open(std::move(alert));
}

void open_late(Pass& pass, const RunFacts& run, Nanos scheduled_at) {
  if (run.history || pass.open_alert(AlertKind::kLateStart) != nullptr) return;
  Alert alert = alert_about(pass, AlertKind::kLateStart, scheduled_at, run.started_at);
  alert.run_id = run.id;
  alert.actual = run.started_at - scheduled_at;
  alert.message = late_start_text(scheduled_at, *alert.actual, pass.spec().grace);
  pass.open(std::move(alert));
}

void close_missed_by_start(Pass& pass, const RunFacts& run) {
  const Alert* alert = pass.open_alert(AlertKind::kMissed);
  if (alert == nullptr || run.started_at <= alert->opened_at) return;
  pass.close(AlertKind::kMissed, run.started_at, "a run started at " + instant_text(run.started_at));
}

void close_late_by_start(Pass& pass, Nanos start) {
  const Alert* alert = pass.open_alert(AlertKind::kLateStart);
  if (alert == nullptr || start <= alert->opened_at) return;
  pass.close(AlertKind::kLateStart, start, "the start at " + instant_text(start) + " was on time");
}

void withdraw_start_delay(Pass& pass, Nanos scheduled_at, Nanos start) {
  pass.out.withdraw(start_delay_id(pass.job, scheduled_at));
  const std::string clause = "it is known now that a run started in time, at " + instant_text(start);
  pass.close(alert_id(pass.job, AlertKind::kMissed, scheduled_at), pass.now, clause);
  pass.close(alert_id(pass.job, AlertKind::kLateStart, scheduled_at), pass.now, clause);
}

Delay start_delay(const Pass& pass, DelayKind kind, Nanos scheduled_at) {
  Delay delay;
  delay.id = start_delay_id(pass.job, scheduled_at);
  delay.kind = kind;
  delay.job = pass.job;
  delay.scheduled_at = scheduled_at;
  delay.expected = pass.spec().grace;
  delay.opened_at = pass.calendar.deadline(scheduled_at);
  return delay;
}

Delay late_start(const Pass& pass, Nanos scheduled_at, Nanos start, const Uuid& run_id) {
  Delay delay = start_delay(pass, DelayKind::kLateStart, scheduled_at);
  delay.run_id = run_id;
  delay.actual = start - scheduled_at;
  delay.closed_at = start;
  return delay;
}

}  // namespace kleptometrics::aggregator::rules

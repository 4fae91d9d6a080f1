#include "aggregator/wire/answers.h"

#include <google/protobuf/arena.h>

#include <cmath>

#include "aggregator/model/utf8.h"
#include "aggregator/wire/run_encoder.h"
#include "kleptometrics/v1/query.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

using stats::Subject;

std::string readable(std::string_view text) {
  std::string out(text);
  if (valid_utf8(text)) return out;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return out;
}

// A message of the answer, filled by `write`.
template <typename Message, typename Write>
std::string encoded(Write write) {
  google::protobuf::Arena arena;
  auto& message = *google::protobuf::Arena::CreateMessage<Message>(&arena);
  write(message);
  return message.SerializeAsString();
}

// As the JSON: what is no finite number is unknown.
bool known(const std::optional<double>& value) { return value && std::isfinite(*value); }

void write(const stats::Extreme& extreme, v1::Extreme& out) {
  out.set_value(extreme.value);
  out.set_run_id(extreme.run_id.bytes.data(), extreme.run_id.bytes.size());
  out.set_at_ns(extreme.at);
}

// Of every message that may be about more than was asked for.
template <typename Message>
void write(const stats::Rounded& rounded, Message& out) {
  if (!rounded.approximate) return;
  out.set_approximate(true);
  if (rounded.since) out.set_since_ns(*rounded.since);
  if (rounded.until) out.set_until_ns(*rounded.until);
}

void write(const stats::Stats& stats, const Subject& subject, v1::Stats& out) {
  out.set_job(readable(subject.job));
  out.set_measure(readable(subject.measure));
  out.set_step(readable(subject.step));
  out.set_count(stats.count);
  if (known(stats.min)) out.set_min(*stats.min);
  if (known(stats.max)) out.set_max(*stats.max);
  if (known(stats.mean)) out.set_mean(*stats.mean);
  if (known(stats.stddev)) out.set_stddev(*stats.stddev);
  if (known(stats.median)) out.set_median(*stats.median);
  if (known(stats.p90)) out.set_p90(*stats.p90);
  if (known(stats.p95)) out.set_p95(*stats.p95);
  if (known(stats.p99)) out.set_p99(*stats.p99);
  if (stats.high) write(*stats.high, *out.mutable_high());
  if (stats.low) write(*stats.low, *out.mutable_low());
  out.set_succeeded(stats.succeeded);
  out.set_failed(stats.failed);
  out.set_canceled(stats.canceled);
  out.set_crashed(stats.crashed);
  out.set_late(stats.late);
  out.set_overrun(stats.overrun);
  out.set_missed(stats.missed);
  if (known(stats.success_rate)) out.set_success_rate(*stats.success_rate);
  out.set_quantile_error(stats.quantile_error);
  write(stats.rounded, out);
}

void write(const Run& run, bool with_steps, Interner& strings, v1::RunPage& out) {
  RunEncoder(strings, *out.add_runs()).write_seen(run, with_steps);
}

void write(const MaintenanceWindow& window, v1::MaintenanceWindow& out) {
  out.set_since_ns(window.since);
  out.set_until_ns(window.until);
  out.set_cron(readable(window.cron));
  out.set_duration_ns(window.duration);
}

void write(const JobSpec& spec, v1::Job& out) {
  out.set_description(readable(spec.description));
  for (const std::string& tag : spec.tags) out.add_tags(readable(tag));
  out.set_retention_days(spec.retention_days);
  out.set_cron(readable(spec.cron));
  out.set_interval_ns(spec.interval);
  out.set_timezone(readable(spec.timezone));
  out.set_grace_ns(spec.grace);
  out.set_max_duration_ns(spec.max_duration);
  out.set_min_duration_ns(spec.min_duration);
  out.set_failures_before_alert(spec.failures_before_alert);
  out.set_successes_before_recovery(spec.successes_before_recovery);
  for (const MaintenanceWindow& window : spec.maintenance) write(window, *out.add_maintenance());
}

void write(const stats::Eta& eta, std::size_t run, v1::Eta& out) {
  out.set_run(static_cast<std::uint32_t>(run));
  out.set_median_ns(eta.median);
  out.set_low_ns(eta.low);
  out.set_high_ns(eta.high);
}

void write(const stats::Typical& typical, v1::Typical& out) {
  out.set_median_seconds(typical.median);
  out.set_low_seconds(typical.low);
  out.set_high_seconds(typical.high);
  if (known(typical.period)) out.set_period_seconds(*typical.period);
}

void write(const JobAnswer& job, v1::Job& out) {
  out.set_name(readable(job.name));
  out.set_status(readable(job.status));
  if (job.last_run != nullptr) {
    v1::RunPage& page = *out.mutable_last_run();
    Interner strings(*page.mutable_strings());
    write(*job.last_run, false, strings, page);
  }
  write(*job.stats, {job.name, "duration", {}}, *out.mutable_stats());
  if (job.spec != nullptr) write(*job.spec, out);
  out.set_paused(job.paused);
  if (job.paused && job.spec->paused_until < kNanosEnd) out.set_paused_until_ns(*job.spec->paused_until);
  if (job.next_expected_at) out.set_next_expected_at_ns(*job.next_expected_at);
  if (job.typical != nullptr) write(*job.typical, *out.mutable_typical());
}

void write(const stats::Bucket& bucket, const Subject& subject, v1::Bucket& out) {
  out.set_start_ns(bucket.start);
  out.set_end_ns(bucket.end);
  write(bucket.stats, subject, *out.mutable_stats());
}

void write(const stats::Cell& cell, const Subject& subject, v1::Cell& out) {
  const std::string_view weekday = stats::name_of_weekday(cell.weekday);
  out.set_weekday(weekday.data(), weekday.size());
  out.set_hour(static_cast<std::uint32_t>(cell.hour));
  write(cell.stats, subject, *out.mutable_stats());
}

void write(const stats::Difference& difference, const Subject& subject, v1::Difference& out) {
  const Subject of{subject.job, subject.measure, difference.step};
  out.set_step(readable(difference.step));
  write(difference.window, of, *out.mutable_window());
  write(difference.baseline, of, *out.mutable_baseline());
  if (known(difference.median_ratio)) out.set_median_ratio(*difference.median_ratio);
  if (known(difference.p95_ratio)) out.set_p95_ratio(*difference.p95_ratio);
  if (known(difference.probability_slower)) out.set_probability_slower(*difference.probability_slower);
  if (known(difference.p_value)) out.set_p_value(*difference.p_value);
  const std::string_view verdict = stats::name_of(difference.verdict);
  out.set_verdict(verdict.data(), verdict.size());
  out.set_explanation(readable(difference.explanation));
  if (known(difference.effect_size)) out.set_effect_size(*difference.effect_size);
  if (known(difference.shift)) out.set_shift(*difference.shift);
}

void write(const stats::PerCounter& per, v1::PerCounter& out) {
  out.set_counter(readable(per.counter));
  if (known(per.window_median)) out.set_window_median(*per.window_median);
  if (known(per.baseline_median)) out.set_baseline_median(*per.baseline_median);
  if (known(per.ratio)) out.set_ratio(*per.ratio);
  if (known(per.p_value)) out.set_p_value(*per.p_value);
  if (known(per.counter_ratio)) out.set_counter_ratio(*per.counter_ratio);
  const std::string_view verdict = stats::name_of(per.verdict);
  out.set_verdict(verdict.data(), verdict.size());
}

void write(const stats::PartDifference& part, v1::PartDifference& out) {
  out.set_name(readable(part.name));
  if (known(part.value)) out.set_value(*part.value);
  if (known(part.reference)) out.set_reference(*part.reference);
  if (known(part.difference)) out.set_difference(*part.difference);
  if (known(part.ratio)) out.set_ratio(*part.ratio);
}

void write_alone(const Run& run, v1::RunPage& out) {
  Interner strings(*out.mutable_strings());
  write(run, false, strings, out);
}

void write(const stats::ChangePoint& change, v1::ChangePoint& out) {
  out.set_at_ns(change.at);
  out.set_median_before(change.median_before);
  out.set_median_after(change.median_after);
  if (known(change.ratio)) out.set_ratio(*change.ratio);
  out.set_p_value(change.p_value);
  out.set_runs_before(change.runs_before);
  out.set_runs_after(change.runs_after);
  for (const std::string& version : change.versions_before) out.add_versions_before(readable(version));
  for (const std::string& version : change.versions_after) out.add_versions_after(readable(version));
  for (const std::string& build : change.build_ids_before) out.add_build_ids_before(readable(build));
  for (const std::string& build : change.build_ids_after) out.add_build_ids_after(readable(build));
  const std::string_view verdict = stats::name_of(change.verdict);
  out.set_verdict(verdict.data(), verdict.size());
  out.set_explanation(readable(change.explanation));
}

// What delays and alerts have in common.
template <typename Finding, typename Message>
void write_head(const Finding& finding, Message& out) {
  out.set_id(std::string(finding.id.view()));
  const std::string_view kind = name_of(finding.kind);
  out.set_kind(kind.data(), kind.size());
  out.set_job(readable(finding.job));
  if (!finding.run_id.none()) out.set_run_id(std::string(finding.run_id.view()));
  out.set_opened_at_ns(finding.opened_at);
  if (finding.closed_at) out.set_closed_at_ns(*finding.closed_at);
  if (finding.actual) out.set_actual_ns(*finding.actual);
}

void write(const Delay& delay, v1::Delay& out) {
  write_head(delay, out);
  if (delay.scheduled_at) out.set_scheduled_at_ns(*delay.scheduled_at);
  out.set_expected_ns(delay.expected);
}

void write(const Alert& alert, v1::Alert& out) {
  write_head(alert, out);
  if (alert.acknowledged_at) out.set_acknowledged_at_ns(*alert.acknowledged_at);
  out.set_message(readable(alert.message));
  if (alert.expected) out.set_expected_ns(*alert.expected);
}

}  // namespace

std::string encode_runs(const std::vector<Run>& runs, std::string_view next_page_token,
                        const std::vector<std::optional<stats::Eta>>& etas) {
  return encoded<v1::RunPage>([&](v1::RunPage& page) {
    Interner strings(*page.mutable_strings());
    for (const Run& run : runs) write(run, true, strings, page);
    for (std::size_t i = 0; i < etas.size(); ++i) {
      if (etas[i]) write(*etas[i], i, *page.add_etas());
    }
    page.set_next_page_token(readable(next_page_token));
  });
}

std::string encode_run_page(const Run& run, const std::optional<stats::Eta>& eta) {
  return encoded<v1::RunPage>([&](v1::RunPage& page) {
    Interner strings(*page.mutable_strings());
    write(run, true, strings, page);
    if (eta) write(*eta, 0, *page.add_etas());
  });
}

std::string encode_job(const JobAnswer& job) {
  return encoded<v1::Job>([&](v1::Job& out) { write(job, out); });
}

std::string encode_jobs(const std::vector<JobAnswer>& jobs, std::string_view next_page_token) {
  return encoded<v1::JobPage>([&](v1::JobPage& page) {
    for (const JobAnswer& job : jobs) write(job, *page.add_jobs());
    page.set_next_page_token(readable(next_page_token));
  });
}

std::string encode_stats(const stats::Stats& stats, const Subject& subject) {
  return encoded<v1::Stats>([&](v1::Stats& out) { write(stats, subject, out); });
}

std::string encode_history(const stats::History& history, const Subject& subject) {
  return encoded<v1::History>([&](v1::History& out) {
    for (const stats::Bucket& bucket : history.buckets) write(bucket, subject, *out.add_buckets());
    if (history.peak) write(history.buckets[*history.peak], subject, *out.mutable_peak());
    if (history.low) write(history.buckets[*history.low], subject, *out.mutable_low());
    write(history.rounded, out);
  });
}

std::string encode_profile(const stats::Profile& profile, const Subject& subject) {
  return encoded<v1::Profile>([&](v1::Profile& out) {
    for (const stats::Cell& cell : profile.cells) write(cell, subject, *out.add_cells());
    if (profile.peak) write(profile.cells[*profile.peak], subject, *out.mutable_peak());
    if (profile.low) write(profile.cells[*profile.low], subject, *out.mutable_low());
    write(profile.rounded, out);
  });
}

std::string encode_top(const stats::Top& top, std::string_view by) {
  return encoded<v1::Top>([&](v1::Top& out) {
    out.set_by(readable(by));
    for (const stats::RankedJob& job : top.jobs) {
      v1::RankedJob& ranked = *out.add_jobs();
      ranked.set_job(readable(job.job));
      ranked.set_value(job.value);
      write(job.stats, {job.job, "duration", {}}, *ranked.mutable_stats());
    }
    write(top.rounded, out);
  });
}

std::string encode_comparison(const stats::Comparison& comparison, const Subject& subject) {
  return encoded<v1::Comparison>([&](v1::Comparison& out) {
    write(comparison.total, subject, *out.mutable_total());
    for (const stats::Difference& step : comparison.steps) write(step, subject, *out.add_steps());
    if (comparison.normalized) write(*comparison.normalized, *out.mutable_normalized());
  });
}

std::string encode_run_comparison(const stats::RunComparison& comparison) {
  return encoded<v1::RunComparison>([&](v1::RunComparison& out) {
    write_alone(comparison.run, *out.mutable_run());
    if (comparison.to) write_alone(*comparison.to, *out.mutable_to());
    if (comparison.baseline) {
      write(*comparison.baseline, {comparison.run.job, "duration", {}}, *out.mutable_baseline());
    }
    if (known(comparison.percentile_rank)) out.set_percentile_rank(*comparison.percentile_rank);
    write(comparison.total, *out.mutable_total());
    for (const stats::PartDifference& part : comparison.steps) write(part, *out.add_steps());
    for (const stats::PartDifference& part : comparison.counters) write(part, *out.add_counters());
    for (const stats::PartDifference& part : comparison.resources) write(part, *out.add_resources());
    const std::string_view verdict = stats::name_of(comparison.verdict);
    out.set_verdict(verdict.data(), verdict.size());
    out.set_explanation(readable(comparison.explanation));
  });
}

std::string encode_changes(const stats::ChangePoints& found, const Subject& subject) {
  return encoded<v1::ChangePoints>([&](v1::ChangePoints& out) {
    out.set_job(readable(subject.job));
    out.set_measure(readable(subject.measure));
    out.set_step(readable(subject.step));
    out.set_points(found.points);
    for (const stats::ChangePoint& change : found.changes) write(change, *out.add_changes());
  });
}

std::string encode_delays(const std::vector<Delay>& delays, std::string_view next_page_token) {
  return encoded<v1::DelayPage>([&](v1::DelayPage& page) {
    for (const Delay& delay : delays) write(delay, *page.add_delays());
    page.set_next_page_token(readable(next_page_token));
  });
}

std::string encode_alerts(const std::vector<Alert>& alerts, std::string_view next_page_token) {
  return encoded<v1::AlertPage>([&](v1::AlertPage& page) {
    for (const Alert& alert : alerts) write(alert, *page.add_alerts());
    page.set_next_page_token(readable(next_page_token));
  });
}

std::string encode_problem(int status, std::string_view title, std::string_view detail, std::string_view field) {
  return encoded<v1::Problem>([&](v1::Problem& out) {
    out.set_status(status);
    out.set_title(readable(title));
    out.set_detail(readable(detail));
    out.set_field(readable(field));
  });
}

}  // namespace kleptometrics::aggregator::wire

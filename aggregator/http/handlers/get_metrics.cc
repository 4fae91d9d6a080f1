#include <array>
#include <string>
#include <vector>

#include "aggregator/http/exposition.h"
#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/time_text.h"
#include "aggregator/stats/ladder.h"

namespace kleptometrics::aggregator::http {
namespace {

using query::JobSeries;

// Bounds of the histograms, from a second to a day.
constexpr std::array<std::uint64_t, 10> kBoundSeconds = {1, 5, 15, 60, 300, 900, 3600, 10'800, 28'800, 86'400};

constexpr std::array kDelayKinds = {DelayKind::kLateStart, DelayKind::kMissed, DelayKind::kOverrun};
constexpr std::array kAlertKinds = {AlertKind::kFailed, AlertKind::kCrashed, AlertKind::kLateStart,
                                    AlertKind::kMissed, AlertKind::kOverrun, AlertKind::kTooShort,
                                    AlertKind::kSlower};

void write_instants(const std::vector<JobSeries>& jobs, std::optional<Nanos> JobSeries::*at, std::string_view name,
                    std::string_view help, Exposition& out) {
  out.family(name, "gauge", help);
  for (const JobSeries& job : jobs) {
    if (job.*at) out.sample({{"job", job.name}}, signed_seconds_of(*(job.*at)));
  }
}

void write_durations(const std::vector<JobSeries>& jobs, Exposition& out) {
  std::array<std::uint64_t, kBoundSeconds.size()> bounds{};
  std::array<std::string, kBoundSeconds.size()> names;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = kBoundSeconds[i] * static_cast<std::uint64_t>(kNanosPerSecond);
    names[i] = std::to_string(kBoundSeconds[i]);
  }
  out.family("kleptometrics_job_run_duration_seconds", "histogram", "How long runs took that succeeded, of all time.");
  for (const JobSeries& job : jobs) {
    const stats::Distribution& values = job.durations.of(State::kSucceeded).values;
    if (values.count == 0) continue;
    const auto counts = stats::counts_up_to(values, bounds);
    for (std::size_t i = 0; i < bounds.size(); ++i)
      out.sample({{"job", job.name}, {"le", names[i]}}, counts[i], "_bucket");
    out.sample({{"job", job.name}, {"le", "+Inf"}}, values.count, "_bucket");
    out.sample({{"job", job.name}}, static_cast<double>(values.times.sum) / 1e9, "_sum");
    out.sample({{"job", job.name}}, values.count, "_count");
  }
}

void write_runs(const std::vector<JobSeries>& jobs, Exposition& out) {
  out.family("kleptometrics_job_runs_total", "counter", "Runs that ended, by how they did, of all time.");
  for (const JobSeries& job : jobs) {
    for (const State state : {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
      const std::uint64_t runs = job.durations.of(state).runs;
      if (runs != 0) out.sample({{"job", job.name}, {"state", name_of(state)}}, runs);
    }
  }
}

void write_jobs(const std::vector<JobSeries>& jobs, Exposition& out) {
  write_instants(jobs, &JobSeries::last_success, "kleptometrics_job_last_success_timestamp_seconds",
                 "When the newest run ended that succeeded.", out);
  write_instants(jobs, &JobSeries::last_failure, "kleptometrics_job_last_failure_timestamp_seconds",
                 "When the newest run ended that failed or crashed.", out);
  out.family("kleptometrics_job_running", "gauge", "1 while a run has not ended, else 0.");
  for (const JobSeries& job : jobs) out.sample({{"job", job.name}}, std::uint64_t{job.running});
  write_runs(jobs, out);
  write_durations(jobs, out);
  out.family("kleptometrics_job_dropped_reports", "gauge",
             "Reports that the program of the newest run had lost by then; left out where it has lost none.");
  for (const JobSeries& job : jobs) {
    if (job.dropped != 0) out.sample({{"job", job.name}}, job.dropped);
  }
}

// Open delays or alerts: of each job and kind of which there are any, and of each kind over all jobs.
template <typename Kinds, typename Counts>
void write_open(const std::string& what, const Kinds& kinds, const Counts& counts, Exposition& out) {
  out.family("kleptometrics_job_" + what + "_open", "gauge", "Open " + what + "; left out where there are none.");
  for (const auto& each : counts) out.sample({{"job", each.job}, {"kind", name_of(each.kind)}}, each.count);
  out.family("kleptometrics_" + what + "_open", "gauge", "Open " + what + " of all jobs.");
  for (const auto kind : kinds) {
    std::uint64_t sum = 0;
    for (const auto& each : counts) sum += each.kind == kind ? each.count : 0;
    out.sample({{"kind", name_of(kind)}}, sum);
  }
}

void write_service(const Committer& committer, Store& store, const ServiceCounters& others, std::size_t jobs,
                   Exposition& out) {
  const bool ready = committer.fatal_error().ok() && store.ready().ok();
  out.family("kleptometrics_ready", "gauge", "1 while reports are taken, else 0.");
  out.sample({}, std::uint64_t{ready});
  out.family("kleptometrics_jobs", "gauge", "Jobs that the series of jobs are about: those not forgotten.");
  out.sample({}, std::uint64_t{jobs});
  out.family("kleptometrics_queued_commands", "gauge", "Reports and changes that wait to be committed.");
  out.sample({}, std::uint64_t{committer.queued_runs()});
  const IngestCounts counts = committer.counts();
  out.family("kleptometrics_commands_total", "counter",
             "Reports and changes, by what became of them, since the start.");
  out.sample({{"outcome", "accepted"}}, counts.accepted);
  out.sample({{"outcome", "duplicate"}}, counts.duplicates);
  out.sample({{"outcome", "rejected"}}, counts.rejected);
  out.sample({{"outcome", "deferred"}}, counts.deferred);
  out.sample({{"outcome", "unavailable"}}, counts.unavailable);
  if (!others) return;
  for (const ServiceCounter& each : others()) {
    out.family("kleptometrics_" + std::string(each.name), each.type, each.help);
    out.sample({}, each.value);
  }
}

}  // namespace

Response get_metrics(query::SeriesReader& series, const Committer& committer, Store& store, const Clock& clock,
                     const ServiceCounters& others) {
  const auto jobs = series.read(clock.now().wall);
  if (!jobs.ok()) return problem(jobs.status());
  const auto delays = store.delay_counts({.open = true});
  if (!delays.ok()) return problem(delays.status());
  const auto alerts = store.alert_counts({.open = true});
  if (!alerts.ok()) return problem(alerts.status());
  Exposition out;
  write_jobs(*jobs, out);
  write_open("delays", kDelayKinds, *delays, out);
  write_open("alerts", kAlertKinds, *alerts, out);
  write_service(committer, store, others, jobs->size(), out);
  Response response;
  response.content_type = kExposition;
  response.body = std::move(out.text());
  return response;
}

}  // namespace kleptometrics::aggregator::http

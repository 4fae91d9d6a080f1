// The answers to questions as the messages of query.proto: the same that the JSON says, for programs that would rather
// not parse text. The handlers choose between the two; neither form knows of the other. Pure functions of their
// arguments: any thread.
//
// Texts that came from the one who asks (a path, a step) may be no UTF-8, which a message must not hold: every byte of
// such a text that is not ASCII becomes '?'.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/alert.h"
#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/stats/change_points.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/eta.h"
#include "aggregator/stats/expectation.h"
#include "aggregator/stats/history.h"
#include "aggregator/stats/profile.h"
#include "aggregator/stats/run_compare.h"
#include "aggregator/stats/stats.h"
#include "aggregator/stats/top.h"

namespace kleptometrics::aggregator::wire {

// A job as the wire shows it; borrows for the call.
struct JobAnswer {
  std::string_view name, status;
  const Run* last_run = nullptr;  // shown without its steps; null: none
  const stats::Stats* stats = nullptr;
  const JobSpec* spec = nullptr;  // null: none
  bool paused = false;
  std::optional<Nanos> next_expected_at{};
  const stats::Typical* typical = nullptr;  // null: not known
};

// RunPage. Labels and failures are the effective ones. `next_page_token` empty: nothing is left. `etas`: one a run, or
// none at all.
std::string encode_runs(const std::vector<Run>& runs, std::string_view next_page_token,
                        const std::vector<std::optional<stats::Eta>>& etas = {});
std::string encode_run_page(const Run& run, const std::optional<stats::Eta>& eta = std::nullopt);
std::string encode_job(const JobAnswer& job);
std::string encode_jobs(const std::vector<JobAnswer>& jobs, std::string_view next_page_token);
// `subject` is repeated in every Stats of an answer.
std::string encode_stats(const stats::Stats& stats, const stats::Subject& subject);
std::string encode_history(const stats::History& history, const stats::Subject& subject);
std::string encode_profile(const stats::Profile& profile, const stats::Subject& subject);
// `by` as asked for.
std::string encode_top(const stats::Top& top, std::string_view by);
std::string encode_comparison(const stats::Comparison& comparison, const stats::Subject& subject);
std::string encode_run_comparison(const stats::RunComparison& comparison);
std::string encode_changes(const stats::ChangePoints& found, const stats::Subject& subject);
// DelayPage and AlertPage.
std::string encode_delays(const std::vector<Delay>& delays, std::string_view next_page_token);
std::string encode_alerts(const std::vector<Alert>& alerts, std::string_view next_page_token);
std::string encode_problem(int status, std::string_view title, std::string_view detail, std::string_view field);

}  // namespace kleptometrics::aggregator::wire

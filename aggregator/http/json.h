// Runs, steps, statistics and jobs as JSON texts and back, with exactly the names and conventions of the API.
// The JSON library stays behind json_write.cc, json_job.cc, json_compare.cc, json_findings.cc, json_parts.h,
// json_read.cc and json_value.h: handlers deal in texts and plain values. Absent means unknown, so what is unknown is
// left out. Pure functions: any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/ingest/committer.h"
#include "aggregator/ingest/push.h"
#include "aggregator/model/alert.h"
#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/query/query.h"
#include "aggregator/stats/change_points.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/history.h"
#include "aggregator/stats/profile.h"
#include "aggregator/stats/run_compare.h"
#include "aggregator/stats/stats.h"
#include "aggregator/stats/top.h"

namespace kleptometrics::aggregator::http {

// ---- Writing. Always one line of valid UTF-8, whatever bytes the names and messages hold (what is no UTF-8
// becomes U+FFFD).

enum class Steps { kWith, kWithout };

std::string run_json(const Run& run, Steps steps = Steps::kWith, const std::optional<stats::Eta>& eta = std::nullopt,
                     const std::vector<Delay>& delays = {});
// `etas`: one a run. `next_page_token` empty: nothing is left.
std::string runs_json(const std::vector<Run>& runs, const std::vector<std::optional<stats::Eta>>& etas,
                      std::string_view next_page_token);
std::string job_json(const query::JobView& job);
std::string jobs_json(const std::vector<query::JobView>& jobs, std::string_view next_page_token);
// The subject is repeated at the head of these answers; `step` unless empty.
std::string stats_json(const stats::Stats& stats, const stats::Subject& subject);
// `bucket` and `timezone` as asked for.
std::string history_json(const stats::History& history, const stats::Subject& subject, std::string_view bucket,
                         std::string_view timezone);
std::string profile_json(const stats::Profile& profile, const stats::Subject& subject, std::string_view timezone);
// `by` as asked for.
std::string top_json(const stats::Top& top, std::string_view by);
std::string comparison_json(const stats::Comparison& comparison, const stats::Subject& subject);
std::string run_comparison_json(const stats::RunComparison& comparison);
std::string changes_json(const stats::ChangePoints& found, const stats::Subject& subject);
std::string delays_json(const std::vector<Delay>& delays, std::string_view next_page_token);
std::string alert_json(const Alert& alert);
// Of each list the first 1,000, beside how many there are.
std::string backtest_json(const query::Backtest& backtest);
std::string alerts_json(const std::vector<Alert>& alerts, std::string_view next_page_token);
std::string batch_json(const BatchResult& result);
// RFC 9457. `field` empty: no field is at fault.
std::string problem_json(int status, std::string_view title, std::string_view detail, std::string_view field);

// ---- Reading. Strict: an unknown or doubled field, a wrong type or a number out of range is an error that
// names the field (`failure.kind`, `steps[0].count`). Limits and meaning are not checked here but by
// validate().

template <typename T>
using Parsed = std::variant<T, FieldError>;

// One Run. Fields that only answers have (start_delay_seconds, eta, delays, quantiles of steps) are ignored,
// so that an exported run can be posted back. `run.id` is none and `run.job` empty where not given.
Parsed<ReportRun> parse_run(std::string_view text);

// `{"runs":[Run,…]}`: an error of the whole, or one entry a run, in order.
Parsed<std::vector<Parsed<ReportRun>>> parse_runs(std::string_view text);

// What a job is meant to be, with its tags in order. Fields that only answers have (status, last_run, statistics and so
// on) are ignored, so that a job that was read can be put back; `name` too, if it is `job`.
Parsed<JobSpec> parse_job(std::string_view text, std::string_view job);

// Until when a job is to be paused: `{"until": INSTANT}`; without a body, or without `until`, kNanosEnd.
Parsed<Nanos> parse_pause(std::string_view text);
// An error, unless the text is empty or an object without members.
std::optional<FieldError> refuse_members(std::string_view text);

// The fields that PATCH takes; `id` is the caller's. A field of Run that PATCH cannot change is an error.
Parsed<PatchRun> parse_patch(std::string_view text);

}  // namespace kleptometrics::aggregator::http

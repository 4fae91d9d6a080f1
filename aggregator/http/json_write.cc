#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <nlohmann/json.hpp>

#include "aggregator/http/json.h"
#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// `90`, not `90.0`: whole numbers that a double holds exactly are written as such.
Json number(double value) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  if (std::trunc(value) == value && std::abs(value) < kExactMax) return static_cast<std::int64_t>(value);
  return value;
}

Json seconds(std::uint64_t nanos) { return number(seconds_of(nanos)); }
Json signed_seconds(Nanos nanos) { return number(signed_seconds_of(nanos)); }

void put_text(Json& json, const char* name, const std::string& value) {
  if (!value.empty()) json[name] = value;
}
void put_instant(Json& json, const char* name, std::optional<Nanos> value) {
  if (value) json[name] = instant_text(*value);
}
void put_number(Json& json, const char* name, std::optional<double> value) {
  if (value && std::isfinite(*value)) json[name] = number(*value);
}
void put_count(Json& json, const char* name, std::optional<std::uint64_t> value) {
  if (value) json[name] = *value;
}
void put_seconds(Json& json, const char* name, std::optional<std::uint64_t> nanos) {
  if (nanos) json[name] = seconds(*nanos);
}

Json failure_of(const Failure& failure) {
  Json json = Json::object();
  json["kind"] = name_of(failure.kind);
  put_text(json, "message", failure.message);
  if (failure.signal != 0) json["signal"] = failure.signal;
  return json;
}

Json step_of(const Step& step) {
  Json json = Json::object();
  json["name"] = step.name;
  json["count"] = step.count;
  json["failed"] = step.failed;
  json["total_seconds"] = seconds(step.total);
  if (step.count == 0) return json;
  json["min_seconds"] = seconds(step.min);
  json["max_seconds"] = seconds(step.max);
  if (step.sketch.count() == 0) return json;
  // The middle of a bucket may lie beyond the longest that is in it.
  const auto quantile = [&step](double q) {
    const double within =
        std::clamp(step.sketch.quantile(q), static_cast<double>(step.min), static_cast<double>(step.max));
    return number(within / static_cast<double>(kNanosPerSecond));
  };
  json["median_seconds"] = quantile(0.5);
  json["p95_seconds"] = quantile(0.95);
  return json;
}

Json resources_of(const Resources& used) {
  Json json = Json::object();
  put_seconds(json, "cpu_user_seconds", used.cpu_user);
  put_seconds(json, "cpu_system_seconds", used.cpu_system);
  put_count(json, "max_rss_bytes", used.max_rss_bytes);
  put_count(json, "read_bytes", used.read_bytes);
  put_count(json, "write_bytes", used.write_bytes);
  return json;
}

void put_times(Json& json, const Run& run) {
  put_instant(json, "scheduled_at", run.scheduled_at);
  json["started_at"] = instant_text(run.started_at);
  put_instant(json, "finished_at", run.finished_at);
  if (run.duration) json["duration_seconds"] = signed_seconds(*run.duration);
  if (const auto delay = run.start_delay()) json["start_delay_seconds"] = signed_seconds(*delay);
}

void put_maps(Json& json, const Run& run) {
  if (const Labels all = effective_labels(run); !all.empty()) {
    Json& labels = json["labels"] = Json::object();
    for (const auto& [key, value] : all) labels[key] = value;
  }
  if (!run.counters.empty()) {
    Json& counters = json["counters"] = Json::object();
    for (const auto& [name, value] : run.counters) counters[name] = number(value);
  }
}

Json run_of(const Run& run, Steps steps) {
  Json json = Json::object();
  json["id"] = run.id.text();
  json["job"] = run.job;
  json["state"] = name_of(run.state);
  json["revision"] = run.revision;
  json["attempt"] = run.attempt;
  if (!run.parent_id.none()) json["parent_id"] = run.parent_id.text();
  put_times(json, run);
  put_number(json, "progress", run.progress);
  if (run.exit_code) json["exit_code"] = *run.exit_code;
  if (const auto failure = effective_failure(run)) json["failure"] = failure_of(*failure);
  put_maps(json, run);
  if (steps == Steps::kWith && !run.steps.empty()) {
    Json& list = json["steps"] = Json::array();
    for (const Step& step : run.steps) list.push_back(step_of(step));
  }
  if (run.resources != Resources{}) json["resources"] = resources_of(run.resources);
  put_text(json, "host", run.host);
  if (run.pid != 0) json["pid"] = run.pid;
  put_text(json, "program", run.program);
  put_text(json, "version", run.version);
  put_text(json, "build_id", run.build_id);
  put_text(json, "boot_id", run.boot_id);
  if (run.dropped != 0) json["dropped"] = run.dropped;
  return json;
}

void put_extreme(Json& json, const char* name, const std::optional<stats::Extreme>& extreme) {
  if (!extreme) return;
  json[name] =
      Json{{"value", number(extreme->value)}, {"run_id", extreme->run_id.text()}, {"at", instant_text(extreme->at)}};
}

void put_rounded(Json& json, const stats::Rounded& rounded) {
  if (!rounded.approximate) return;
  json["approximate"] = true;
  put_instant(json, "since", rounded.since);
  put_instant(json, "until", rounded.until);
}

void put_stats(Json& json, const stats::Stats& stats) {
  json["count"] = stats.count;
  put_number(json, "min", stats.min);
  put_number(json, "max", stats.max);
  put_number(json, "mean", stats.mean);
  put_number(json, "stddev", stats.stddev);
  put_number(json, "median", stats.median);
  put_number(json, "p90", stats.p90);
  put_number(json, "p95", stats.p95);
  put_number(json, "p99", stats.p99);
  put_extreme(json, "high", stats.high);
  put_extreme(json, "low", stats.low);
  json["succeeded"] = stats.succeeded;
  json["failed"] = stats.failed;
  json["canceled"] = stats.canceled;
  json["crashed"] = stats.crashed;
  json["late"] = stats.late;
  json["overrun"] = stats.overrun;
  json["missed"] = stats.missed;
  put_number(json, "success_rate", stats.success_rate);
  json["quantile_error"] = number(stats.quantile_error);
  put_rounded(json, stats.rounded);
}

Json subject_of(const stats::Subject& subject) {
  Json json = Json::object();
  json["job"] = subject.job;
  json["measure"] = subject.measure;
  if (!subject.step.empty()) json["step"] = subject.step;
  return json;
}

Json bucket_of(const stats::Bucket& bucket) {
  Json json = Json::object();
  json["start"] = instant_text(bucket.start);
  json["end"] = instant_text(bucket.end);
  put_stats(json, bucket.stats);
  return json;
}

Json cell_of(const stats::Cell& cell) {
  Json json = Json::object();
  json["weekday"] = stats::name_of_weekday(cell.weekday);
  json["hour"] = cell.hour;
  put_stats(json, cell.stats);
  return json;
}

Json ranked_of(const stats::RankedJob& job) {
  Json json = Json::object();
  json["job"] = job.job;
  json["value"] = number(job.value);
  put_stats(json, job.stats);
  return json;
}

void put_difference(Json& json, const stats::Difference& difference) {
  put_stats(json["window"] = Json::object(), difference.window);
  put_stats(json["baseline"] = Json::object(), difference.baseline);
  put_number(json, "median_ratio", difference.median_ratio);
  put_number(json, "p95_ratio", difference.p95_ratio);
  put_number(json, "probability_slower", difference.probability_slower);
  put_number(json, "p_value", difference.p_value);
  json["verdict"] = stats::name_of(difference.verdict);
  json["explanation"] = difference.explanation;
}

// A list is put together as text: a page of big runs never stands in memory twice over as a tree.
template <typename T, typename Write>
std::string list_of(const char* name, const std::vector<T>& items, std::string_view next_page_token, Write write) {
  std::string text = "{\"" + std::string(name) + "\":[";
  for (const T& item : items) {
    if (&item != items.data()) text += ',';
    text += write(item);
  }
  text += ']';
  if (!next_page_token.empty()) text += ",\"next_page_token\":" + text_of(Json(next_page_token));
  return text + "}";
}

// A head, and behind it the parts that an answer consists of, with the peak and the low of them.
template <typename Part>
std::string parts_of(const Json& head, const char* name, const std::vector<Part>& parts,
                     std::optional<std::size_t> peak, std::optional<std::size_t> low, Json (*write)(const Part&)) {
  std::string text = text_of(head);
  text.back() = ',';
  text += list_of(name, parts, {}, [write](const Part& part) { return text_of(write(part)); }).substr(1);
  text.pop_back();
  if (peak) text += ",\"peak\":" + text_of(write(parts[*peak]));
  if (low) text += ",\"low\":" + text_of(write(parts[*low]));
  return text + "}";
}

}  // namespace

std::string run_json(const Run& run, Steps steps) { return text_of(run_of(run, steps)); }

std::string runs_json(const std::vector<Run>& runs, std::string_view next_page_token) {
  return list_of("runs", runs, next_page_token, [](const Run& run) { return run_json(run); });
}

std::string job_json(const query::JobView& job) {
  Json json = Json::object();
  json["name"] = job.name;
  json["status"] = query::name_of(job.status);
  put_text(json, "description", job.spec.description);
  if (!job.spec.tags.empty()) json["tags"] = job.spec.tags;
  if (job.spec.retention_days != 0) json["retention_days"] = job.spec.retention_days;
  if (job.last_run) json["last_run"] = run_of(*job.last_run, Steps::kWithout);
  Json& statistics = json["statistics"] = Json::object();
  put_stats(statistics, job.stats);
  return text_of(json);
}

std::string jobs_json(const std::vector<query::JobView>& jobs, std::string_view next_page_token) {
  return list_of("jobs", jobs, next_page_token, job_json);
}

std::string stats_json(const stats::Stats& stats, const stats::Subject& subject) {
  Json json = subject_of(subject);
  put_stats(json, stats);
  return text_of(json);
}

std::string history_json(const stats::History& history, const stats::Subject& subject, std::string_view bucket,
                         std::string_view timezone) {
  Json head = subject_of(subject);
  head["bucket"] = bucket;
  head["timezone"] = timezone;
  put_rounded(head, history.rounded);
  return parts_of(head, "buckets", history.buckets, history.peak, history.low, bucket_of);
}

std::string profile_json(const stats::Profile& profile, const stats::Subject& subject, std::string_view timezone) {
  Json head = subject_of(subject);
  head["timezone"] = timezone;
  put_rounded(head, profile.rounded);
  return parts_of(head, "cells", profile.cells, profile.peak, profile.low, cell_of);
}

std::string top_json(const stats::Top& top, std::string_view by) {
  Json head = Json::object();
  head["by"] = by;
  put_rounded(head, top.rounded);
  return parts_of(head, "jobs", top.jobs, {}, {}, ranked_of);
}

std::string comparison_json(const stats::Comparison& comparison, const stats::Subject& subject) {
  Json json = subject_of(subject);
  put_difference(json, comparison.total);
  Json& steps = json["steps"] = Json::array();
  for (const stats::Difference& step : comparison.steps) {
    Json& entry = steps.emplace_back(Json{{"step", step.step}});
    put_difference(entry, step);
  }
  return text_of(json);
}

std::string batch_json(const BatchResult& result) {
  Json json = Json::object();
  json["accepted"] = result.accepted;
  json["duplicates"] = result.duplicates;
  Json& rejected = json["rejected"] = Json::array();
  for (const auto& one : result.rejected) {
    Json& entry = rejected.emplace_back(Json{{"index", one.index}});
    put_text(entry, "field", one.field);
    entry["detail"] = one.detail;
    entry["retryable"] = one.retryable;
  }
  return text_of(json);
}

std::string problem_json(int status, std::string_view title, std::string_view detail, std::string_view field) {
  Json json = {{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  if (!field.empty()) json["field"] = field;
  return text_of(json);
}

}  // namespace kleptometrics::aggregator::http

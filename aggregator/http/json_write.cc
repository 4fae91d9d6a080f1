#include <string>

#include "aggregator/http/json.h"
#include "aggregator/http/json_parts.h"
#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {
namespace {

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

Json typical_of(const stats::Typical& typical) {
  Json json = Json::object();
  json["median_seconds"] = number(typical.median);
  json["low_seconds"] = number(typical.low);
  json["high_seconds"] = number(typical.high);
  put_number(json, "period_seconds", typical.period);
  return json;
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

std::string run_json(const Run& run, Steps steps, const std::optional<stats::Eta>& eta,
                     const std::vector<Delay>& delays) {
  Json json = run_of(run, steps, eta ? &*eta : nullptr);
  for (const Delay& delay : delays) json["delays"].push_back(delay_of(delay));
  return text_of(json);
}

std::string runs_json(const std::vector<Run>& runs, const std::vector<std::optional<stats::Eta>>& etas,
                      std::string_view next_page_token) {
  return list_of("runs", runs, next_page_token, [&](const Run& run) {
    return run_json(run, Steps::kWith, etas[static_cast<std::size_t>(&run - runs.data())]);
  });
}

std::string job_json(const query::JobView& job) {
  Json json = Json::object();
  json["name"] = job.name;
  json["status"] = query::name_of(job.status);
  put_spec(json, job.spec);
  json["paused"] = job.paused;
  if (job.paused && *job.spec.paused_until < kNanosEnd) put_instant(json, "paused_until", job.spec.paused_until);
  put_instant(json, "next_expected_at", job.next_expected_at);
  if (job.last_run) json["last_run"] = run_of(*job.last_run, Steps::kWithout);
  if (job.typical) json["typical"] = typical_of(*job.typical);
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

#include "aggregator/http/json_parts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {
namespace {

Json seconds(std::uint64_t nanos) { return number(seconds_of(nanos)); }
Json signed_seconds(Nanos nanos) { return number(signed_seconds_of(nanos)); }

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

Json eta_json(const stats::Eta& eta) {
  Json json = Json::object();
  json["median"] = instant_text(eta.median);
  json["low"] = instant_text(eta.low);
  json["high"] = instant_text(eta.high);
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

void put_extreme(Json& json, const char* name, const std::optional<stats::Extreme>& extreme) {
  if (!extreme) return;
  json[name] =
      Json{{"value", number(extreme->value)}, {"run_id", extreme->run_id.text()}, {"at", instant_text(extreme->at)}};
}

}  // namespace

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// `90`, not `90.0`: whole numbers that a double holds exactly are written as such.
Json number(double value) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  if (std::trunc(value) == value && std::abs(value) < kExactMax) return static_cast<std::int64_t>(value);
  return value;
}

void put_text(Json& json, const char* name, const std::string& value) {
  if (!value.empty()) json[name] = value;
}

void put_instant(Json& json, const char* name, std::optional<Nanos> value) {
  if (value) json[name] = instant_text(*value);
}

void put_number(Json& json, const char* name, std::optional<double> value) {
  if (value && std::isfinite(*value)) json[name] = number(*value);
}

Json run_of(const Run& run, Steps steps, const stats::Eta* eta) {
  Json json = Json::object();
  json["id"] = run.id.text();
  json["job"] = run.job;
  json["state"] = name_of(run.state);
  json["revision"] = run.revision;
  json["attempt"] = run.attempt;
  if (!run.parent_id.none()) json["parent_id"] = run.parent_id.text();
  put_times(json, run);
  put_number(json, "progress", run.progress);
  if (eta != nullptr) json["eta"] = eta_json(*eta);
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

}  // namespace kleptometrics::aggregator::http

// What a job is meant to be, in JSON and back: the part of a Job that its owner writes.
#include <algorithm>
#include <iterator>

#include "aggregator/http/json.h"
#include "aggregator/http/json_parts.h"
#include "aggregator/http/json_value.h"
#include "aggregator/http/time_text.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

std::string text_in(const Value& v) {
  std::string text = v.text();
  if (text.empty()) v.fail("field " + v.shown() + " is empty");
  return text;
}

// Without one the field is left out, so that 0 says nothing.
Nanos length_in(const Value& v) {
  const Nanos length = v.seconds();
  if (length == 0) v.fail("field " + v.shown() + " must be more than 0");
  return length;
}

void read_tags(const Value& v, JobSpec& spec) {
  v.array([&spec](const Value& tag) { spec.tags.push_back(tag.text()); });
}

constexpr Field<JobSpec> kScheduleFields[] = {
    {"cron", [](const Value& v, JobSpec& s) { s.cron = text_in(v); }},
    {"interval_seconds", [](const Value& v, JobSpec& s) { s.interval = length_in(v); }},
};

struct ReadWindow {
  MaintenanceWindow window{};
  int of_once = 0;  // fields that belong to one that comes once
  int of_returning = 0;
};

void read_since(const Value& v, ReadWindow& read) {
  read.window.since = v.instant();
  ++read.of_once;
}
void read_until(const Value& v, ReadWindow& read) {
  read.window.until = v.instant();
  ++read.of_once;
}
void read_window_cron(const Value& v, ReadWindow& read) {
  read.window.cron = text_in(v);
  ++read.of_returning;
}
void read_window_duration(const Value& v, ReadWindow& read) {
  read.window.duration = length_in(v);
  ++read.of_returning;
}

constexpr Field<ReadWindow> kWindowFields[] = {{"since", read_since},
                                               {"until", read_until},
                                               {"cron", read_window_cron},
                                               {"duration_seconds", read_window_duration}};

void read_window(const Value& v, JobSpec& spec) {
  ReadWindow read;
  v.fields(kWindowFields, read);
  const bool whole = (read.of_once == 2) != (read.of_returning == 2) && read.of_once + read.of_returning == 2;
  if (!whole) v.fail("field " + v.shown() + " must have either since and until, or cron and duration_seconds");
  spec.maintenance.push_back(std::move(read.window));
}

void read_maintenance(const Value& v, JobSpec& spec) {
  v.array([&spec](const Value& window) { read_window(window, spec); });
}

constexpr Field<JobSpec> kJobFields[] = {
    {"name", ignore<JobSpec>},  // looked at beside
    {"description", [](const Value& v, JobSpec& s) { s.description = v.text(); }},
    {"tags", read_tags},
    {"schedule", [](const Value& v, JobSpec& s) { v.fields(kScheduleFields, s); }},
    {"timezone", [](const Value& v, JobSpec& s) { s.timezone = v.text(); }},
    {"grace_seconds", [](const Value& v, JobSpec& s) { s.grace = v.seconds(); }},
    {"max_duration_seconds", [](const Value& v, JobSpec& s) { s.max_duration = v.seconds(); }},
    {"min_duration_seconds", [](const Value& v, JobSpec& s) { s.min_duration = v.seconds(); }},
    {"failures_before_alert", [](const Value& v, JobSpec& s) { s.failures_before_alert = uint32_of(v); }},
    {"successes_before_recovery", [](const Value& v, JobSpec& s) { s.successes_before_recovery = uint32_of(v); }},
    {"maintenance", read_maintenance},
    {"retention_days", [](const Value& v, JobSpec& s) { s.retention_days = uint32_of(v); }},
    {"paused", ignore<JobSpec>},
    {"paused_until", ignore<JobSpec>},
    {"status", ignore<JobSpec>},
    {"last_run", ignore<JobSpec>},
    {"next_expected_at", ignore<JobSpec>},
    {"typical", ignore<JobSpec>},
    {"statistics", ignore<JobSpec>},
};

struct Pause {
  Nanos until = kNanosEnd;
};

constexpr Field<Pause> kPauseFields[] = {{"until", [](const Value& v, Pause& p) { p.until = v.instant(); }}};

double seconds_in(Nanos length) { return seconds_of(static_cast<std::uint64_t>(length)); }

void put_length(Json& json, const char* name, Nanos length) {
  if (length != 0) json[name] = number(seconds_in(length));
}

Json window_of(const MaintenanceWindow& window) {
  Json json = Json::object();
  if (window.cron.empty()) {
    put_instant(json, "since", window.since);
    put_instant(json, "until", window.until);
  } else {
    json["cron"] = window.cron;
    put_length(json, "duration_seconds", window.duration);
  }
  return json;
}

void put_schedule(Json& json, const JobSpec& spec) {
  if (!spec.scheduled()) return;
  Json& schedule = json["schedule"] = Json::object();
  put_text(schedule, "cron", spec.cron);
  put_length(schedule, "interval_seconds", spec.interval);
}

}  // namespace

void put_spec(Json& json, const JobSpec& spec) {
  put_text(json, "description", spec.description);
  if (!spec.tags.empty()) json["tags"] = spec.tags;
  put_schedule(json, spec);
  put_text(json, "timezone", spec.timezone);
  json["grace_seconds"] = number(seconds_in(spec.grace));
  put_length(json, "max_duration_seconds", spec.max_duration);
  put_length(json, "min_duration_seconds", spec.min_duration);
  json["failures_before_alert"] = spec.failures_before_alert;
  json["successes_before_recovery"] = spec.successes_before_recovery;
  for (const MaintenanceWindow& window : spec.maintenance) json["maintenance"].push_back(window_of(window));
  if (spec.retention_days != 0) json["retention_days"] = spec.retention_days;
}

Parsed<JobSpec> parse_job(std::string_view text, std::string_view job) {
  const auto parsed = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return *error;
  const auto& json = std::get<nlohmann::json>(parsed);
  JobSpec spec;
  std::optional<FieldError> error;
  const Value body(json, "", error);
  body.fields(kJobFields, spec);
  if (!error && json.contains("name")) {
    const std::string name = Value(json["name"], "name", error).text();
    if (!error && name != job)
      error =
          FieldError{"name", "name is " + aggregator::quoted(name) + ", but the path says " + aggregator::quoted(job)};
  }
  if (error) return *std::move(error);
  std::sort(spec.tags.begin(), spec.tags.end());
  spec.tags.erase(std::unique(spec.tags.begin(), spec.tags.end()), spec.tags.end());
  return spec;
}

Parsed<Nanos> parse_pause(std::string_view text) {
  if (text.empty()) return kNanosEnd;
  const auto parsed = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return *error;
  Pause pause;
  std::optional<FieldError> error;
  Value(std::get<nlohmann::json>(parsed), "", error).fields(kPauseFields, pause);
  if (error) return *std::move(error);
  return pause.until;
}

}  // namespace kleptometrics::aggregator::http

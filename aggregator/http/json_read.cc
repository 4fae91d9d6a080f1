// How the fields of a Run in JSON fill the model: one table an object.
#include <cstddef>
#include <iterator>
#include <limits>

#include "aggregator/http/json.h"
#include "aggregator/http/json_value.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr std::int64_t kInt32Min = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

std::int32_t int32_of(const Value& v) { return static_cast<std::int32_t>(v.integer(kInt32Min, kInt32Max)); }
std::uint64_t nanos_in(const Value& v) { return static_cast<std::uint64_t>(v.seconds()); }

void read_labels(const Value& v, std::map<std::string, std::string, std::less<>>& labels) {
  v.object([&](const std::string& key, const Value& value) { labels[key] = value.text(); });
}
void read_counters(const Value& v, std::map<std::string, double, std::less<>>& counters) {
  v.object([&](const std::string& name, const Value& value) { counters[name] = value.number(); });
}

constexpr Field<Failure> kFailureFields[] = {
    {"kind", [](const Value& v, Failure& f) { f.kind = v.failure_kind(); }},
    {"message", [](const Value& v, Failure& f) { f.message = v.text(); }},
    {"signal", [](const Value& v, Failure& f) { f.signal = int32_of(v); }},
};

constexpr Field<Step> kStepFields[] = {
    {"name", [](const Value& v, Step& s) { s.name = v.text(); }},
    {"count", [](const Value& v, Step& s) { s.count = v.count(); }},
    {"failed", [](const Value& v, Step& s) { s.failed = v.count(); }},
    {"total_seconds", [](const Value& v, Step& s) { s.total = nanos_in(v); }},
    {"min_seconds", [](const Value& v, Step& s) { s.min = nanos_in(v); }},
    {"max_seconds", [](const Value& v, Step& s) { s.max = nanos_in(v); }},
    {"median_seconds", ignore<Step>},
    {"p95_seconds", ignore<Step>},
};

constexpr Field<Resources> kResourceFields[] = {
    {"cpu_user_seconds", [](const Value& v, Resources& r) { r.cpu_user = nanos_in(v); }},
    {"cpu_system_seconds", [](const Value& v, Resources& r) { r.cpu_system = nanos_in(v); }},
    {"max_rss_bytes", [](const Value& v, Resources& r) { r.max_rss_bytes = v.count(); }},
    {"read_bytes", [](const Value& v, Resources& r) { r.read_bytes = v.count(); }},
    {"write_bytes", [](const Value& v, Resources& r) { r.write_bytes = v.count(); }},
};

void read_started_at(const Value& v, ReportRun& report) {
  report.run.started_at = v.instant();
  report.started_at_given = true;
}

void read_steps(const Value& v, ReportRun& report) {
  v.array([&](const Value& step) { step.fields(kStepFields, report.run.steps.emplace_back()); });
}

constexpr Field<ReportRun> kRunFields[] = {
    {"id", [](const Value& v, ReportRun& r) { r.run.id = v.uuid(); }},
    {"job", [](const Value& v, ReportRun& r) { r.run.job = v.text(); }},
    {"state", [](const Value& v, ReportRun& r) { r.run.state = v.state(); }},
    {"revision", [](const Value& v, ReportRun& r) { r.run.revision = v.count(); }},
    {"attempt", [](const Value& v, ReportRun& r) { r.run.attempt = uint32_of(v); }},
    {"parent_id", [](const Value& v, ReportRun& r) { r.run.parent_id = v.uuid(); }},
    {"scheduled_at", [](const Value& v, ReportRun& r) { r.run.scheduled_at = v.instant(); }},
    {"started_at", read_started_at},
    {"finished_at", [](const Value& v, ReportRun& r) { r.run.finished_at = v.instant(); }},
    {"duration_seconds", [](const Value& v, ReportRun& r) { r.run.duration = v.seconds(); }},
    {"start_delay_seconds", ignore<ReportRun>},
    {"progress", [](const Value& v, ReportRun& r) { r.run.progress = v.number(); }},
    {"eta", ignore<ReportRun>},
    {"exit_code", [](const Value& v, ReportRun& r) { r.run.exit_code = int32_of(v); }},
    {"failure", [](const Value& v, ReportRun& r) { v.fields(kFailureFields, r.run.failure.emplace()); }},
    {"delays", ignore<ReportRun>},
    {"labels", [](const Value& v, ReportRun& r) { read_labels(v, r.run.labels); }},
    {"counters", [](const Value& v, ReportRun& r) { read_counters(v, r.run.counters); }},
    {"steps", read_steps},
    {"resources", [](const Value& v, ReportRun& r) { v.fields(kResourceFields, r.run.resources); }},
    {"host", [](const Value& v, ReportRun& r) { r.run.host = v.text(); }},
    {"pid", [](const Value& v, ReportRun& r) { r.run.pid = uint32_of(v); }},
    {"program", [](const Value& v, ReportRun& r) { r.run.program = v.text(); }},
    {"version", [](const Value& v, ReportRun& r) { r.run.version = v.text(); }},
    {"build_id", [](const Value& v, ReportRun& r) { r.run.build_id = v.text(); }},
    {"boot_id", [](const Value& v, ReportRun& r) { r.run.boot_id = v.text(); }},
    {"dropped", [](const Value& v, ReportRun& r) { r.run.dropped = v.count(); }},
};

constexpr Field<PatchRun> kPatchFailureFields[] = {
    {"kind", [](const Value& v, PatchRun& p) { p.failure_kind = v.failure_kind(); }},
    {"message", [](const Value& v, PatchRun& p) { p.failure_message = v.text(); }},
    {"signal", [](const Value& v, PatchRun& p) { p.failure_signal = int32_of(v); }},
};

constexpr Field<PatchRun> kPatchFields[] = {
    {"state", [](const Value& v, PatchRun& p) { p.state = v.state(); }},
    {"finished_at", [](const Value& v, PatchRun& p) { p.finished_at = v.instant(); }},
    {"duration_seconds", [](const Value& v, PatchRun& p) { p.duration = v.seconds(); }},
    {"progress", [](const Value& v, PatchRun& p) { p.progress = v.number(); }},
    {"exit_code", [](const Value& v, PatchRun& p) { p.exit_code = int32_of(v); }},
    {"failure", [](const Value& v, PatchRun& p) { v.fields(kPatchFailureFields, p); }},
    {"labels", [](const Value& v, PatchRun& p) { read_labels(v, p.labels); }},
    {"counters", [](const Value& v, PatchRun& p) { read_counters(v, p.counters); }},
};

template <typename Table>
bool has_field(const Table& table, std::string_view name) {
  for (const auto& field : table) {
    if (field.name == name) return true;
  }
  return false;
}

Parsed<ReportRun> report_of(const nlohmann::json& json) {
  ReportRun report;
  report.run.reporter = Reporter::kHttp;
  std::optional<FieldError> error;
  Value(json, "", error).fields(kRunFields, report);
  if (error) return *std::move(error);
  return report;
}

}  // namespace

Parsed<ReportRun> parse_run(std::string_view text) {
  const auto json = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&json)) return *error;
  return report_of(std::get<nlohmann::json>(json));
}

Parsed<std::vector<Parsed<ReportRun>>> parse_runs(std::string_view text) {
  const auto parsed = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return *error;
  const auto& json = std::get<nlohmann::json>(parsed);
  std::optional<FieldError> error;
  std::vector<Parsed<ReportRun>> runs;
  const Value body(json, "", error);
  body.object([&](const std::string& key, const Value& value) {
    if (key != "runs") return value.fail("field " + value.shown() + " is not known; the body is {\"runs\":[...]}");
    value.array([](const Value&) {});  // only that it is one: each run answers for itself
  });
  if (!error && !json.contains("runs")) error = FieldError{"runs", "field \"runs\" is missing"};
  if (error) return *std::move(error);
  for (const auto& run : json["runs"]) runs.push_back(report_of(run));
  return runs;
}

Parsed<PatchRun> parse_patch(std::string_view text) {
  const auto json = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&json)) return *error;
  PatchRun patch;
  std::optional<FieldError> error;
  Value(std::get<nlohmann::json>(json), "", error).object([&](const std::string& key, const Value& value) {
    for (const auto& field : kPatchFields) {
      if (key == field.name) return field.set(value, patch);
    }
    value.fail("field " + value.shown() +
               (has_field(kRunFields, key) ? " cannot be changed by PATCH" : " is not known"));
  });
  if (error) return *std::move(error);
  return patch;
}

}  // namespace kleptometrics::aggregator::http

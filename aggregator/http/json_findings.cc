// Delays and alerts as JSON.
#include <algorithm>
#include <string>

#include "aggregator/http/json.h"
#include "aggregator/http/json_parts.h"
#include "aggregator/http/json_value.h"
#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {
namespace {

void put_seconds(Json& json, const char* name, std::optional<Nanos> nanos) {
  if (nanos) json[name] = number(signed_seconds_of(*nanos));
}

// How both begin.
template <typename Finding>
Json head_of(const Finding& finding) {
  Json json = Json::object();
  json["id"] = finding.id.text();
  json["kind"] = name_of(finding.kind);
  json["job"] = finding.job;
  if (!finding.run_id.none()) json["run_id"] = finding.run_id.text();
  return json;
}

}  // namespace

Json delay_of(const Delay& delay) {
  Json json = head_of(delay);
  put_instant(json, "scheduled_at", delay.scheduled_at);
  put_seconds(json, "expected_seconds", delay.expected);
  put_seconds(json, "actual_seconds", delay.actual);
  json["open"] = delay.open();
  put_instant(json, "opened_at", delay.opened_at);
  put_instant(json, "closed_at", delay.closed_at);
  return json;
}

std::string delays_json(const std::vector<Delay>& delays, std::string_view next_page_token) {
  return list_of("delays", delays, next_page_token, [](const Delay& delay) { return text_of(delay_of(delay)); });
}

namespace {

Json alert_of(const Alert& alert) {
  Json json = head_of(alert);
  put_instant(json, "opened_at", alert.opened_at);
  put_instant(json, "closed_at", alert.closed_at);
  put_instant(json, "acknowledged_at", alert.acknowledged_at);
  put_text(json, "message", alert.message);
  put_seconds(json, "expected_seconds", alert.expected);
  put_seconds(json, "actual_seconds", alert.actual);
  return json;
}

}  // namespace

std::string alert_json(const Alert& alert) { return text_of(alert_of(alert)); }

std::string alerts_json(const std::vector<Alert>& alerts, std::string_view next_page_token) {
  return list_of("alerts", alerts, next_page_token, alert_json);
}

namespace {

constexpr std::size_t kBacktestListedMax = 1000;

// The first of them, which are the earliest.
template <typename T, typename Write>
Json first_of(const std::vector<T>& all, Write write) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(all.size(), kBacktestListedMax); ++i) list.push_back(write(all[i]));
  return list;
}

}  // namespace

std::string backtest_json(const query::Backtest& backtest) {
  const rules::BacktestResult& result = backtest.result;
  Json json = Json::object();
  put_instant(json, "since", backtest.since);
  put_instant(json, "until", backtest.until);
  json["summary"] = result.summary;
  json["runs"] = result.runs;
  json["alerted_runs"] = result.alerted_runs;
  json["gaps"] = result.gaps;
  json["alert_count"] = result.alerts.size();
  json["delay_count"] = result.delays.size();
  json["alerts"] = first_of(result.alerts, alert_of);
  json["delays"] = first_of(result.delays, delay_of);
  return text_of(json);
}

std::optional<FieldError> refuse_members(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::nullopt;
  const auto json = parse_json(text);
  if (const auto* error = std::get_if<FieldError>(&json)) return *error;
  std::optional<FieldError> error;
  Value(std::get<nlohmann::json>(json), "", error).object([](const std::string&, const Value& value) {
    value.fail("field " + value.shown() + " is not known");
  });
  return error;
}

}  // namespace kleptometrics::aggregator::http

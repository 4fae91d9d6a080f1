#include "aggregator/http/json.h"
#include "aggregator/http/json_parts.h"
#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {
namespace {

void put_difference(Json& json, const stats::Difference& difference) {
  put_stats(json["window"] = Json::object(), difference.window);
  put_stats(json["baseline"] = Json::object(), difference.baseline);
  put_number(json, "median_ratio", difference.median_ratio);
  put_number(json, "p95_ratio", difference.p95_ratio);
  put_number(json, "probability_slower", difference.probability_slower);
  put_number(json, "p_value", difference.p_value);
  put_number(json, "effect_size", difference.effect_size);
  put_number(json, "shift", difference.shift);
  json["verdict"] = stats::name_of(difference.verdict);
  json["explanation"] = difference.explanation;
}

Json per_counter_of(const stats::PerCounter& per) {
  Json json = Json::object();
  json["counter"] = per.counter;
  put_number(json, "window_median", per.window_median);
  put_number(json, "baseline_median", per.baseline_median);
  put_number(json, "ratio", per.ratio);
  put_number(json, "p_value", per.p_value);
  put_number(json, "counter_ratio", per.counter_ratio);
  json["verdict"] = stats::name_of(per.verdict);
  return json;
}

// `kind`: the member that names the part; null for the whole.
Json part_of(const stats::PartDifference& part, const char* kind) {
  Json json = Json::object();
  if (kind != nullptr) json[kind] = part.name;
  put_number(json, "value", part.value);
  put_number(json, "reference", part.reference);
  put_number(json, "difference", part.difference);
  put_number(json, "ratio", part.ratio);
  return json;
}

Json parts_of(const std::vector<stats::PartDifference>& parts, const char* kind) {
  Json list = Json::array();
  for (const stats::PartDifference& part : parts) list.push_back(part_of(part, kind));
  return list;
}

Json change_of(const stats::ChangePoint& change) {
  Json json = Json::object();
  json["at"] = instant_text(change.at);
  json["median_before"] = number(change.median_before);
  json["median_after"] = number(change.median_after);
  put_number(json, "ratio", change.ratio);
  json["p_value"] = number(change.p_value);
  json["runs_before"] = change.runs_before;
  json["runs_after"] = change.runs_after;
  json["versions_before"] = change.versions_before;
  json["versions_after"] = change.versions_after;
  json["build_ids_before"] = change.build_ids_before;
  json["build_ids_after"] = change.build_ids_after;
  json["verdict"] = stats::name_of(change.verdict);
  json["explanation"] = change.explanation;
  return json;
}

}  // namespace

std::string comparison_json(const stats::Comparison& comparison, const stats::Subject& subject) {
  Json json = subject_of(subject);
  put_difference(json, comparison.total);
  if (comparison.normalized) json["normalized"] = per_counter_of(*comparison.normalized);
  Json& steps = json["steps"] = Json::array();
  for (const stats::Difference& step : comparison.steps) {
    Json& entry = steps.emplace_back(Json{{"step", step.step}});
    put_difference(entry, step);
  }
  return text_of(json);
}

std::string run_comparison_json(const stats::RunComparison& comparison) {
  Json json = Json::object();
  json["run"] = run_of(comparison.run, Steps::kWithout);
  if (comparison.to) json["to"] = run_of(*comparison.to, Steps::kWithout);
  if (comparison.baseline)
    put_stats(json["baseline"] = Json{{"runs", comparison.baseline->succeeded}}, *comparison.baseline);
  put_number(json, "percentile_rank", comparison.percentile_rank);
  json["total"] = part_of(comparison.total, nullptr);
  json["steps"] = parts_of(comparison.steps, "step");
  json["counters"] = parts_of(comparison.counters, "counter");
  json["resources"] = parts_of(comparison.resources, "resource");
  json["verdict"] = stats::name_of(comparison.verdict);
  json["explanation"] = comparison.explanation;
  return text_of(json);
}

std::string changes_json(const stats::ChangePoints& found, const stats::Subject& subject) {
  Json json = subject_of(subject);
  json["points"] = found.points;
  Json& changes = json["changes"] = Json::array();
  for (const stats::ChangePoint& change : found.changes) changes.push_back(change_of(change));
  return text_of(json);
}

}  // namespace kleptometrics::aggregator::http

// What several answers are made of, as JSON values: for the files that write them, and nobody else: it brings the JSON
// library along. Pure functions: any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "aggregator/http/json.h"
#include "aggregator/model/run.h"
#include "aggregator/stats/eta.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::http {

using Json = nlohmann::ordered_json;

// One line of valid UTF-8: what is none becomes U+FFFD.
std::string text_of(const Json& json);
// `90`, not `90.0`: whole numbers that a double holds exactly are written as such.
Json number(double value);

// A member, if the value is known: texts that are not empty, numbers that are finite.
void put_text(Json& json, const char* name, const std::string& value);
void put_instant(Json& json, const char* name, std::optional<Nanos> value);
void put_number(Json& json, const char* name, std::optional<double> value);

// The members of a Stats, and those of what was rounded, if anything was.
void put_rounded(Json& json, const stats::Rounded& rounded);
void put_stats(Json& json, const stats::Stats& stats);

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

// `eta`: null if it is not known, or the run has ended.
Json run_of(const Run& run, Steps steps, const stats::Eta* eta = nullptr);
// The members that a specification has.
void put_spec(Json& json, const JobSpec& spec);
Json delay_of(const Delay& delay);
// The head of answers that repeat what they are about.
Json subject_of(const stats::Subject& subject);

}  // namespace kleptometrics::aggregator::http

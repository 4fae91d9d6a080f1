#include "aggregator/http/query_parameters.h"

#include <algorithm>
#include <charconv>

#include "aggregator/http/time_text.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr std::string_view kLabelPrefix = "label.";

// A '+' in a query string means a space, so `…T00:00:00+02:00` written plainly arrives with one. No instant
// holds a space: it can only have been the sign.
std::string restore_plus(std::string text) {
  if (const auto at = text.find(' '); at != std::string::npos) text[at] = '+';
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const auto comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

void QueryParameters::fail(std::string_view name, std::string detail) {
  if (!error_) error_ = FieldError{std::string(name), std::move(detail)};
}

const std::string* QueryParameters::find(std::string_view name) {
  known_.emplace_back(name);
  for (const auto& [key, value] : request_.query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string> QueryParameters::text(std::string_view name) {
  const std::string* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->empty()) fail(name, "parameter " + std::string(name) + " is empty");
  return *value;
}

std::uint64_t QueryParameters::count(std::string_view name, std::uint64_t otherwise) {
  const std::string* value = find(name);
  if (value == nullptr) return otherwise;
  std::uint64_t count = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, count);
  if (error == std::errc() && stop == end && count >= 1) return count;
  fail(name, std::string(name) + " must be a whole number from 1 on, got " + aggregator::quoted(*value));
  return otherwise;
}

std::size_t QueryParameters::limit(std::size_t otherwise) {
  const std::string* value = find("limit");
  if (value == nullptr) return otherwise;
  std::size_t limit = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, limit);
  if (error == std::errc() && stop == end && limit >= 1 && limit <= limit_max) return limit;
  fail("limit", "limit must be a whole number from 1 to 1000, got " + aggregator::quoted(*value));
  return otherwise;
}

std::optional<RunCursor> QueryParameters::run_cursor() {
  const std::string* token = find("page_token");
  if (token == nullptr) return std::nullopt;
  auto cursor = run_cursor_of(*token);
  if (!cursor) fail("page_token", "page_token is none that a list of runs gave out");
  return cursor;
}

std::optional<std::string> QueryParameters::job_cursor() {
  const std::string* token = find("page_token");
  if (token == nullptr) return std::nullopt;
  auto name = job_name_of(*token);
  if (!name) fail("page_token", "page_token is none that a list of jobs gave out");
  return name;
}

std::optional<FindingCursor> QueryParameters::finding_cursor(FindingList of) {
  const std::string* token = find("page_token");
  if (token == nullptr) return std::nullopt;
  auto cursor = finding_cursor_of(*token, of);
  if (!cursor) fail("page_token", "page_token is none that this list gave out");
  return cursor;
}

std::optional<bool> QueryParameters::open() {
  const std::string* state = find("state");
  if (state == nullptr) return std::nullopt;
  if (*state != "open" && *state != "closed")
    fail("state", "state must be open or closed, got " + aggregator::quoted(*state));
  return *state == "open";
}

std::vector<std::string> QueryParameters::list(std::string_view name) {
  const std::string* value = find(name);
  return value == nullptr ? std::vector<std::string>() : split(*value);
}

void QueryParameters::fail_list(std::string_view name, std::string_view names, std::string_view got) {
  fail(name, std::string(name) + " must be a list of " + std::string(names) + "; got " + aggregator::quoted(got));
}

std::optional<std::vector<State>> QueryParameters::states(std::string_view name, bool any_allowed) {
  const std::string* list = find(name);
  if (list == nullptr) return std::nullopt;
  if (any_allowed && *list == "any") {
    return std::vector<State>{State::kRunning, State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed};
  }
  std::vector<State> states;
  for (const std::string& one : split(*list)) {
    if (const auto state = state_of(one)) {
      states.push_back(*state);
      continue;
    }
    const char* const names = "running, succeeded, failed, canceled, crashed";
    fail_list(name, std::string(names) + (any_allowed ? ", or any" : ""), one);
  }
  return states;
}

std::optional<Nanos> QueryParameters::instant(std::string_view name) {
  const std::string* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const auto length = parse_length(*value)) return now_ - *length;
  if (const auto at = parse_instant(restore_plus(*value))) return at;
  fail(name, std::string(name) + " must be an RFC 3339 instant such as 2026-01-31T08:00:00Z or a length before now " +
                 "such as 90m, 36h, 7d, 4w; got " + aggregator::quoted(*value));
  return std::nullopt;
}

void QueryParameters::select_time(std::optional<Nanos>& since, std::optional<Nanos>& until) {
  since = instant("since");
  until = instant("until");
  if (since && until && *since > *until) fail("since", "since lies after until");
}

void QueryParameters::select_runs(RunFilter& filter) {
  select_time(filter.since, filter.until);
  filter.host = text("host").value_or("");
  filter.version = text("version").value_or("");
  filter.build_id = text("build_id").value_or("");
  select_labels(filter);
}

void QueryParameters::select_labels(RunFilter& filter) {
  for (const auto& [name, value] : request_.query) {
    if (name.size() <= kLabelPrefix.size() || name.compare(0, kLabelPrefix.size(), kLabelPrefix) != 0) continue;
    known_.push_back(name);
    filter.labels.emplace_back(name.substr(kLabelPrefix.size()), value);
  }
}

std::optional<FieldError> QueryParameters::error() const {
  if (error_) return error_;
  for (std::size_t i = 0; i < request_.query.size(); ++i) {
    const std::string& name = request_.query[i].first;
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      return FieldError{name, "parameter " + aggregator::quoted(name) + " is not known here"};
    }
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (request_.query[earlier].first == name) {
        return FieldError{name, "parameter " + aggregator::quoted(name) + " is given twice"};
      }
    }
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator::http

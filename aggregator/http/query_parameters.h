// The query string of one request, read strictly: every parameter that a handler asked for is checked,
// everything else that was given is an error. The getters return the value, or note what is wrong and return
// a default; the handler asks for all it knows and then calls error() once. Lives as long as its request; one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aggregator/http/message.h"
#include "aggregator/http/page_token.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::http {

class QueryParameters {
 public:
  static constexpr std::size_t limit_default = 50;
  static constexpr std::size_t limit_max = 1000;

  // Borrows the request. `now` is what lengths such as `7d` are before.
  QueryParameters(const Request& request, Nanos now) : request_(request), now_(now) {}

  // The parameter as it stands; nullopt if not given. Given but empty is an error.
  std::optional<std::string> text(std::string_view name);
  // An RFC 3339 instant, or a length before now.
  std::optional<Nanos> instant(std::string_view name);
  // A whole number from 1 on; `otherwise` if not given.
  std::uint64_t count(std::string_view name, std::uint64_t otherwise);
  // `limit`: 1 to 1000; `otherwise` if not given.
  std::size_t limit(std::size_t otherwise = limit_default);
  // `page_token` of a list of runs, or of jobs.
  std::optional<RunCursor> run_cursor();
  std::optional<std::string> job_cursor();
  // `page_token` of a list of delays or alerts.
  std::optional<FindingCursor> finding_cursor(FindingList of);
  // `state`: open, or closed; nullopt if not given.
  std::optional<bool> open();
  // `kind`: names of kinds, comma separated, each of which `kind_of` reads; `names` tells all of them.
  template <typename Kind>
  std::vector<Kind> kinds(std::optional<Kind> (*kind_of)(std::string_view), std::string_view names) {
    std::vector<Kind> kinds;
    for (const std::string& one : list("kind")) {
      if (const auto kind = kind_of(one)) {
        kinds.push_back(*kind);
      } else {
        fail_list("kind", names, one);
      }
    }
    return kinds;
  }
  // What selects delays or alerts: `state`, `kind`, `job`, `since`, `until`.
  template <typename Kind>
  FindingFilter<Kind> findings(std::optional<Kind> (*kind_of)(std::string_view), std::string_view names) {
    FindingFilter<Kind> filter;
    filter.open = open();
    filter.kinds = kinds(kind_of, names);
    filter.job = text("job").value_or("");
    select_time(filter.since, filter.until);
    return filter;
  }
  // Names of states, comma separated; with `any_allowed` also the word `any` for all of them.
  std::optional<std::vector<State>> states(std::string_view name, bool any_allowed = false);
  // `since` and `until`, in this order.
  void select_time(std::optional<Nanos>& since, std::optional<Nanos>& until);
  // `since`, `until`, `host`, `version`, `build_id` and every `label.KEY` into the filter.
  void select_runs(RunFilter& filter);

  void fail(std::string_view name, std::string detail);
  // The first error noted, else one for a parameter that nobody asked for or that is given twice.
  std::optional<FieldError> error() const;

 private:
  const std::string* find(std::string_view name);
  // The parts of a comma separated parameter; none if it is not given.
  std::vector<std::string> list(std::string_view name);
  void fail_list(std::string_view name, std::string_view names, std::string_view got);
  void select_labels(RunFilter& filter);

  const Request& request_;
  const Nanos now_;
  std::vector<std::string> known_;  // asked for so far
  std::optional<FieldError> error_;
};

}  // namespace kleptometrics::aggregator::http

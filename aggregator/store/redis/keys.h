// The names of keys. Everything of one job has its name in braces, so that a cluster would keep it on one server. What
// each holds: README.md. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/stats/rollup.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::redis {

// Changes with what the keys hold; older ones are brought up to date at open.
inline constexpr std::int64_t kSchemaVersion = 1;

class Keys {
 public:
  explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}

  const std::string& prefix() const { return prefix_; }
  // Of no job.
  std::string name(std::string_view what) const { return prefix_ + std::string(what); }
  std::string schema() const { return name("schema"); }
  std::string jobs() const { return name("jobs"); }
  std::string retention() const { return name("retention"); }
  std::string complete_since() const { return name("complete_since"); }
  std::string all() const { return name("all"); }
  std::string bad() const { return name("bad"); }
  std::string open() const { return name("open"); }
  std::string gone() const { return name("gone"); }
  std::string changes() const { return name("changes"); }
  std::string id(const Uuid& id) const { return name("id:").append(id.view()); }
  std::string duty(std::string_view duty) const { return name("duty:").append(duty); }

  std::string of_job(std::string_view job, std::string_view what) const {
    return absl::StrCat(prefix_, "{", absl_view(job), "}:", absl_view(what));
  }
  std::string runs(std::string_view job) const { return of_job(job, "runs"); }      // hash: id, record
  std::string starts(std::string_view job) const { return of_job(job, "starts"); }  // sorted set: places
  std::string bad(std::string_view job) const { return of_job(job, "bad"); }
  std::string open(std::string_view job) const { return of_job(job, "open"); }
  std::string facts(std::string_view job) const { return of_job(job, "facts"); }
  std::string days(std::string_view job) const { return of_job(job, "days"); }
  std::string hours(std::string_view job) const { return of_job(job, "hours"); }
  std::string series(std::string_view job) const { return of_job(job, "series"); }
  std::string taken(std::string_view job) const { return of_job(job, "taken"); }
  // Of an hour or day by its number since 1970.
  std::string rollup(std::string_view job, stats::Resolution resolution, Nanos start, std::string_view series) const {
    const char* const kind = resolution == stats::Resolution::kHour  ? "h:"
                             : resolution == stats::Resolution::kDay ? "d:"
                                                                     : "a:";
    return absl::StrCat(prefix_, "{", absl_view(job), "}:", kind, number_of(resolution, start), ":", absl_view(series));
  }
  static Nanos length_of(stats::Resolution resolution) {
    return resolution == stats::Resolution::kHour ? stats::kHour : stats::kDay;
  }
  static Nanos number_of(stats::Resolution resolution, Nanos start) {
    return resolution == stats::Resolution::kAll ? 0 : start / length_of(resolution);
  }

 private:
  const std::string prefix_;
};

}  // namespace kleptometrics::aggregator::redis

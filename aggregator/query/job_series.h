// What a scraper is told of every job: when it last succeeded and failed, whether it runs, and its durations of all
// time. For GET /metrics, which asks for all jobs every few seconds: so what it takes a look into single runs to know
// is remembered, for as long as the rollups count the same runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::query {

struct JobSeries {
  std::string name;
  // Ends of the newest runs (by start) that succeeded, and that failed or crashed; absent: there is none, or it is not
  // known yet.
  std::optional<Nanos> last_success, last_failure;
  bool running = false;
  std::uint64_t dropped = 0;  // reports that the program of the newest run had lost by then
  stats::Rollup durations;    // of all time
};

// A job of which no run has started for so long, and none runs, is forgotten.
inline constexpr Nanos kForgottenAfter = 30 * stats::kDay;
// Looks into single runs that one call makes at most; what is then not known yet is known after the next call.
inline constexpr std::size_t kLooksMax = 2'000;

// Any thread; one call at a time does its work. Borrows the store.
class SeriesReader {
 public:
  explicit SeriesReader(Store& store) : store_(store) {}

  // Of all jobs that are not forgotten at `now`, sorted by name.
  absl::StatusOr<std::vector<JobSeries>> read(Nanos now);

 private:
  // An end, and how many runs the rollup counted that ended so when it was looked up.
  struct Known {
    std::uint64_t runs = 0;
    std::optional<Nanos> at;
  };
  struct Ends {
    Known success, failure;
  };
  absl::Status find_end(const JobHead& head, bool succeeded, std::uint64_t runs, std::size_t& looks, Known& known)
      KLEPTO_REQUIRES(mutex_);

  Store& store_;
  Mutex mutex_;
  std::map<std::string, Ends> ends_ KLEPTO_GUARDED_BY(mutex_);  // of the jobs of the last call
};

}  // namespace kleptometrics::aggregator::query

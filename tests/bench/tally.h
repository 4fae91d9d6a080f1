// What the statistics of every job must be after a stream has been taken, counted here and not asked of anyone; and the
// check of an aggregator against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/bench/asker.h"
#include "tests/bench/history.h"
#include "tests/bench/stream.h"

namespace kleptometrics::bench {

class Tally {
 public:
  explicit Tally(const History& history);

  // Counts what the stream would send, runs that it sends again but once.
  void add(const StreamOptions& options, std::uint64_t first, std::uint64_t last);
  std::uint64_t runs() const;

  // Asks for the statistics of every job. Count of runs, of failures, the shortest and the longest must be exact and
  // the median within twice the error of the sketch. What differs, as sentences, a few at most; none: all is right.
  std::vector<std::string> compare(Asker& asker) const;

 private:
  struct JobTally {
    std::uint64_t succeeded = 0, failed = 0;
    Nanos min = 0, max = 0;
    Sketch sketch;  // like min and max of those that succeeded
  };
  void add(const Sample& run);
  std::string difference(const JobTally& job, const nlohmann::json& stats) const;

  const History& history_;
  std::vector<JobTally> jobs_;
};

}  // namespace kleptometrics::bench

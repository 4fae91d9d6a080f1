// Who is told of what was committed: the watch over jobs, which must know of each run at once and is not to ask the
// store for it. Called on the committing thread: an implementation notes what it needs and returns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

class Witness {
 public:
  virtual ~Witness() = default;
  // Which of the runs, that are about to be committed at `now`, it wants to be told of: their indexes, ascending.
  virtual std::vector<std::size_t> choose(const std::vector<Run>& runs, Nanos now) = 0;
  // Those of them that changed what is stored, in order, without their steps.
  virtual void committed(std::vector<Run> runs, Nanos now) = 0;
  // What the job is meant to be from `now` on.
  virtual void specified(const std::string& job, const JobSpec& spec, Nanos now) = 0;
};

}  // namespace kleptometrics::aggregator

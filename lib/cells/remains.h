// What a program that is gone left of its open runs in the areas of its journal: newer than the last snapshot of each,
// to the last addition. For the aggregator. Trusts nothing: what does not prove itself is left out and counted.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/uuid.h"
#include "lib/cells/areas.h"
#include "lib/cells/step_totals.h"
#include "lib/journal/journal.h"

namespace kleptometrics::cells {

struct RunRemains {
  std::vector<std::pair<std::string, StepTotals>>
      steps;  // by path, in order of first use; only those that are complete
  std::map<std::string, double> counters;
  std::optional<double> progress;
  std::size_t damaged = 0;  // areas that contradict themselves
};

// Pure; not synchronised. Borrows the areas.
class Remains {
 public:
  explicit Remains(const std::vector<journal::AreaBytes>& areas);
  // At most limits::step_count_max steps and limits::counter_count_max counters.
  RunRemains of(const Uuid& run) const;

 private:
  struct Found {
    AreaName name;
    const std::string* open;
  };
  std::map<Uuid, std::vector<Found>> by_run_;  // in order of cells, a cell before its tables
};

}  // namespace kleptometrics::cells

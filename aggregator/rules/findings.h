// What the rules find: records to be written over those of the same id. Ids are made of what a record is about, so that
// whoever finds the same again, after a restart or from repeated snapshots, writes the same record.
#pragma once

#include <string_view>
#include <vector>

#include "aggregator/model/alert.h"

namespace kleptometrics::aggregator::rules {

// In the order in which they were found; where an id occurs twice, the later record stands. An alert here is never
// acknowledged: whoever writes it over another keeps the other's `acknowledged_at`.
struct Findings {
  std::vector<Delay> delays;
  std::vector<Alert> alerts;
  // Ids of delays that a snapshot has disproved: to be removed where they are known. No id is in both lists.
  std::vector<Uuid> withdrawn;

  // Keep an id in one of the two lists, whatever was found before.
  void put(Delay delay);
  void withdraw(const Uuid& id);
  bool empty() const { return delays.empty() && alerts.empty() && withdrawn.empty(); }
};

// What a record is about, in its id: version 8 of RFC 9562, of a hash. A delay at a start is the same record whether
// the start is missing or late. An occurrence is told by its time, a run by its id, the other is left out.
Uuid start_delay_id(std::string_view job, Nanos scheduled_at);
Uuid overrun_id(std::string_view job, const Uuid& run);
Uuid alert_id(std::string_view job, AlertKind kind, Nanos scheduled_at);
Uuid alert_id(std::string_view job, AlertKind kind, const Uuid& run);

}  // namespace kleptometrics::aggregator::rules

// One conclusion of a JobWatch: what its rules read and write, and the only way in which they open and close alerts.
// Made for each call, used by the rules of this folder alone.
#pragma once

#include <optional>
#include <string>

#include "aggregator/rules/calendar.h"
#include "aggregator/rules/findings.h"
#include "aggregator/rules/limits.h"
#include "aggregator/rules/state.h"

namespace kleptometrics::aggregator::rules {

struct Pass {
  const std::string& job;
  const Calendar& calendar;
  const std::optional<Limits>& limits;
  Nanos now;
  JobWatchState& state;
  Findings& out;

  const JobSpec& spec() const { return calendar.spec(); }
  bool quiet(Nanos at) const { return calendar.quiet(at, state); }

  // The open one; null if there is none. Valid until the next opens or closes.
  const Alert* open_alert(AlertKind kind) const;
  const Alert* open_alert(const Uuid& id) const;
  // Opens it, unless its opened_at is quiet.
  void open(Alert alert);
  // Closes it, if it is open, at the instant or when it was opened, whichever is later; `clause` ends its sentence.
  void close(const Uuid& id, Nanos at, const std::string& clause, std::optional<Nanos> actual = std::nullopt);
  void close(AlertKind kind, Nanos at, const std::string& clause);
};

}  // namespace kleptometrics::aggregator::rules

#include "aggregator/rules/pass.h"

#include <algorithm>
#include <utility>

namespace kleptometrics::aggregator::rules {
namespace {

template <typename Matches>
const Alert* find(const std::vector<Alert>& alerts, Matches matches) {
  const auto found = std::find_if(alerts.begin(), alerts.end(), matches);
  return found == alerts.end() ? nullptr : &*found;
}

}  // namespace

const Alert* Pass::open_alert(AlertKind kind) const {
  return find(state.open_alerts, [kind](const Alert& alert) { return alert.kind == kind; });
}

const Alert* Pass::open_alert(const Uuid& id) const {
  return find(state.open_alerts, [&id](const Alert& alert) { return alert.id == id; });
}

void Pass::open(Alert alert) {
  if (quiet(alert.opened_at)) return;
  alert.job = job;
  out.alerts.push_back(alert);
  state.open_alerts.push_back(std::move(alert));
}

void Pass::close(const Uuid& id, Nanos at, const std::string& clause, std::optional<Nanos> actual) {
  const Alert* found = open_alert(id);
  if (found == nullptr) return;
  Alert alert = *found;
  state.open_alerts.erase(state.open_alerts.begin() + (found - state.open_alerts.data()));
  alert.closed_at = std::max(at, alert.opened_at);
  alert.message += "; " + clause;
  if (actual) alert.actual = actual;
  out.alerts.push_back(std::move(alert));
}

void Pass::close(AlertKind kind, Nanos at, const std::string& clause) {
  if (const Alert* alert = open_alert(kind)) close(Uuid(alert->id), at, clause);
}

}  // namespace kleptometrics::aggregator::rules

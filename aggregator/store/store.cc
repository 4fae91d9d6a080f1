#include "aggregator/store/store.h"

#include <algorithm>

#include "aggregator/store/change_list.h"

namespace kleptometrics::aggregator {
namespace {

bool equal_if_asked(const std::string& asked, const std::string& value) { return asked.empty() || asked == value; }

bool has_label(const Run& run, const std::pair<std::string, std::string>& asked) {
  const std::string* const label = effective_label(run, asked.first);
  return label != nullptr && *label == asked.second;
}

}  // namespace

bool matches(const RunFilter& filter, const Run& run) {
  if (filter.since && run.started_at < *filter.since) return false;
  if (filter.until && run.started_at >= *filter.until) return false;
  if (!filter.states.empty() && std::ranges::find(filter.states, run.state) == filter.states.end()) return false;
  return equal_if_asked(filter.job, run.job) && equal_if_asked(filter.host, run.host) &&
         equal_if_asked(filter.version, run.version) && equal_if_asked(filter.build_id, run.build_id) &&
         std::ranges::all_of(filter.labels, [&](const auto& asked) { return has_label(run, asked); });
}

Basis basis_of(const Uuid& id, const Run* stored) {
  if (stored == nullptr) return {.id = id};
  return {id, true, rank(*stored), stored->revision, stored->annotations.revision};
}

absl::StatusOr<RunAndDelays> Store::run_and_delays(const Uuid& id) {
  absl::StatusOr<std::optional<Run>> run = this->run(id);
  if (!run.ok()) return run.status();
  if (!*run) return RunAndDelays();
  absl::StatusOr<DelayPage> page = delays({.run_id = id}, std::nullopt, kDelaysOfRunMax);
  if (!page.ok()) return page.status();
  return RunAndDelays{*std::move(run), std::move(page->items)};
}

absl::StatusOr<bool> Store::hold(const std::string&, const std::string&, Nanos) { return true; }

absl::Status Store::keep_changes() { return absl::UnimplementedError("this store keeps no list of its changes"); }

absl::StatusOr<Changes> Store::changes(std::size_t) { return Changes(); }

absl::Status Store::drop_changes(const std::string&) { return absl::OkStatus(); }

ChangeList* change_list_of(Store& store) { return dynamic_cast<ChangeList*>(&store); }

}  // namespace kleptometrics::aggregator

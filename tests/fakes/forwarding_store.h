// A store that hands everything on to another. Tests derive from it and override what they are about.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/store.h"

namespace kleptometrics::fakes {

struct ForwardingStore : aggregator::Store {
  ForwardingStore() : ForwardingStore(*aggregator::open_store("memory:")) {}
  explicit ForwardingStore(std::shared_ptr<aggregator::Store> to) : inner(std::move(to)) {}

  std::shared_ptr<aggregator::Store> inner;

  absl::StatusOr<std::vector<aggregator::Applied>> commit(std::vector<aggregator::Run> runs, Nanos now,
                                                          const std::vector<aggregator::Basis>& bases = {}) override {
    return inner->commit(std::move(runs), now, bases);
  }
  absl::Status put_job(const std::string& name, const aggregator::JobSpec& spec) override {
    return inner->put_job(name, spec);
  }
  absl::Status record(const aggregator::Findings& findings) override { return inner->record(findings); }
  absl::StatusOr<aggregator::Maintenance> maintain(Nanos now, bool idle) override { return inner->maintain(now, idle); }
  absl::StatusOr<std::optional<aggregator::Run>> run(const Uuid& id) override { return inner->run(id); }
  absl::StatusOr<aggregator::RunPage> runs(const aggregator::RunFilter& filter,
                                           const std::optional<aggregator::RunCursor>& after,
                                           std::size_t limit) override {
    return inner->runs(filter, after, limit);
  }
  absl::Status scan(const aggregator::RunFilter& filter,
                    absl::FunctionRef<void(const aggregator::Run&)> visit) override {
    return inner->scan(filter, visit);
  }
  absl::Status summarize(const aggregator::SummaryRequest& request, aggregator::Pieces& pieces) override {
    return inner->summarize(request, pieces);
  }
  absl::StatusOr<std::vector<aggregator::JobHead>> jobs(const std::string& name) override { return inner->jobs(name); }
  absl::StatusOr<Nanos> complete_since(const std::string& job) override { return inner->complete_since(job); }
  absl::StatusOr<aggregator::DelayPage> delays(const aggregator::DelayFilter& filter,
                                               const std::optional<aggregator::FindingCursor>& after,
                                               std::size_t limit) override {
    return inner->delays(filter, after, limit);
  }
  absl::StatusOr<aggregator::AlertPage> alerts(const aggregator::AlertFilter& filter,
                                               const std::optional<aggregator::FindingCursor>& after,
                                               std::size_t limit) override {
    return inner->alerts(filter, after, limit);
  }
  absl::StatusOr<std::optional<aggregator::Alert>> alert(const Uuid& id) override { return inner->alert(id); }
  absl::StatusOr<aggregator::DelayCounts> delay_counts(const aggregator::DelayFilter& filter) override {
    return inner->delay_counts(filter);
  }
  absl::StatusOr<aggregator::AlertCounts> alert_counts(const aggregator::AlertFilter& filter) override {
    return inner->alert_counts(filter);
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> watch_states() override {
    return inner->watch_states();
  }
  absl::Status ready() override { return inner->ready(); }
  absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) override {
    return inner->verify(differences_max);
  }
  bool shared() const override { return inner->shared(); }
  absl::StatusOr<bool> hold(const std::string& duty, const std::string& holder, Nanos length) override {
    return inner->hold(duty, holder, length);
  }
  absl::Status keep_changes() override { return inner->keep_changes(); }
  absl::StatusOr<aggregator::Changes> changes(std::size_t limit) override { return inner->changes(limit); }
  absl::Status drop_changes(const std::string& upto) override { return inner->drop_changes(upto); }
};

}  // namespace kleptometrics::fakes

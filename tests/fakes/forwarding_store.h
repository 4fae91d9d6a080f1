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
  explicit ForwardingStore(std::unique_ptr<aggregator::Store> to) : inner(std::move(to)) {}

  std::unique_ptr<aggregator::Store> inner;

  absl::StatusOr<std::vector<aggregator::Applied>> commit(std::vector<aggregator::Run> runs, Nanos now) override {
    return inner->commit(std::move(runs), now);
  }
  absl::Status put_job(const std::string& name, const aggregator::JobSpec& spec) override {
    return inner->put_job(name, spec);
  }
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
  absl::Status ready() override { return inner->ready(); }
  absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) override {
    return inner->verify(differences_max);
  }
};

}  // namespace kleptometrics::fakes

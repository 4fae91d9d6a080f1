// What several aggregators share: a memory store behind a wall, and the views that processes have of it. Each view may
// lose sight of it, and come back.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/memory_store.h"
#include "lib/base/mutex.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/forwarding_store.h"

namespace kleptometrics::fakes {

// The server: duties by its own clock.
struct SharedServer {
  explicit SharedServer(const Clock& its_clock) : clock(its_clock) { (void)store->keep_changes(); }

  const std::shared_ptr<aggregator::MemoryStore> store = std::make_shared<aggregator::MemoryStore>();
  const Clock& clock;
  Mutex mutex;
  std::map<std::string, std::pair<std::string, Nanos>> duties KLEPTO_GUARDED_BY(mutex);  // holder, until
  Mutex committing;

  bool hold(const std::string& duty, const std::string& holder, Nanos length) {
    const Nanos now = clock.steady();
    const Lock lock(mutex);
    auto& [who, until] = duties[duty];
    if (who != holder && now < until) return false;
    if (length == 0 && who != holder) return false;
    who = holder;
    until = now + length;
    return length != 0;
  }
};

// What one process sees of it. `reachable` is for the test while nobody is at work in it.
struct SharedStore final : ForwardingStore {
  explicit SharedStore(SharedServer& its_server) : ForwardingStore(its_server.store), server(its_server) {}

  SharedServer& server;
  bool reachable = true;
  std::function<void()> during_record;  // before it is done

  absl::Status away() const {
    return reachable ? absl::OkStatus() : absl::UnavailableError("the server cannot be reached");
  }
  template <typename Ask>
  auto asked(Ask ask) -> decltype(ask()) {
    if (!reachable) return away();
    return ask();
  }

  bool shared() const override { return true; }
  absl::StatusOr<bool> hold(const std::string& duty, const std::string& holder, Nanos length) override {
    return asked([&]() -> absl::StatusOr<bool> { return server.hold(duty, holder, length); });
  }
  absl::StatusOr<std::vector<aggregator::Applied>> commit(std::vector<aggregator::Run> runs, Nanos now,
                                                          const std::vector<aggregator::Basis>& bases) override {
    if (!reachable) return away();
    const Lock lock(server.committing);
    for (const aggregator::Basis& basis : bases) {
      const auto stored = inner->run(basis.id);
      if (!stored.ok()) return stored.status();
      if (!(aggregator::basis_of(basis.id, *stored ? &**stored : nullptr) == basis))
        return absl::AbortedError("another process was faster");
    }
    return inner->commit(std::move(runs), now, {});
  }
  absl::Status put_job(const std::string& name, const aggregator::JobSpec& spec) override {
    return asked([&] { return inner->put_job(name, spec); });
  }
  absl::Status record(const aggregator::Findings& findings) override {
    if (during_record) during_record();
    return asked([&] { return inner->record(findings); });
  }
  absl::StatusOr<std::optional<aggregator::Run>> run(const Uuid& id) override {
    return asked([&] { return inner->run(id); });
  }
  absl::StatusOr<aggregator::RunPage> runs(const aggregator::RunFilter& filter,
                                           const std::optional<aggregator::RunCursor>& after,
                                           std::size_t limit) override {
    return asked([&] { return inner->runs(filter, after, limit); });
  }
  absl::Status scan(const aggregator::RunFilter& filter,
                    absl::FunctionRef<void(const aggregator::Run&)> visit) override {
    return asked([&] { return inner->scan(filter, visit); });
  }
  absl::StatusOr<std::vector<aggregator::JobHead>> jobs(const std::string& name) override {
    return asked([&] { return inner->jobs(name); });
  }
  absl::StatusOr<std::optional<aggregator::Alert>> alert(const Uuid& id) override {
    return asked([&] { return inner->alert(id); });
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> watch_states() override {
    return asked([&] { return inner->watch_states(); });
  }
  absl::StatusOr<aggregator::Changes> changes(std::size_t limit) override {
    return asked([&] { return inner->changes(limit); });
  }
  absl::Status drop_changes(const std::string& upto) override {
    return asked([&] { return inner->drop_changes(upto); });
  }
};

}  // namespace kleptometrics::fakes

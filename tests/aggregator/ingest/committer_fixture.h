// A committer over a store that counts and fails on demand, and the verbs of those who submit to it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "aggregator/ingest/committer.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {

using Outcomes = std::vector<Outcome>;

inline Command snapshot(Run run) { return ApplySnapshot{std::move(run)}; }

inline ReportRun report(std::uint32_t number, State state = State::kRunning, std::string job = "nightly") {
  ReportRun report;
  report.run.id = fakes::id_of(number);
  report.run.job = std::move(job);
  report.run.state = state;
  report.run.reporter = Reporter::kHttp;
  return report;
}

inline PatchRun patch(std::uint32_t number) {
  PatchRun patch;
  patch.id = fakes::id_of(number);
  return patch;
}

inline std::vector<Command> commands(Command one) {
  std::vector<Command> all;
  all.push_back(std::move(one));
  return all;
}

// A submission on its own thread. `answer` may be read after join().
struct Submission {
  absl::StatusOr<Outcomes> answer = absl::UnknownError("not yet");
  std::thread thread;

  Submission(Committer& committer, std::vector<Command> all)
      : thread([this, &committer, all = std::move(all)]() mutable { answer = committer.submit(std::move(all)); }) {}
  const absl::StatusOr<Outcomes>& join() {
    if (thread.joinable()) thread.join();
    return answer;
  }
  ~Submission() { join(); }
};

struct Door {
  fakes::FakeClock clock;
  fakes::FaultyStore store;
  std::unique_ptr<Committer> committer;

  explicit Door(Committer::Options options = {}) { open(options); }
  void open(Committer::Options options = {}) { committer = *Committer::create(store, clock, options); }

  // A submission that waits for its group, behind those before it.
  std::unique_ptr<Submission> queue(std::vector<Command> all) {
    const std::size_t before = committer->queued_runs();
    const std::size_t more = all.size();
    auto submission = std::make_unique<Submission>(*committer, std::move(all));
    while (committer->queued_runs() != before + more) std::this_thread::yield();
    return submission;
  }
  // Submits, and turns the committer once by hand.
  absl::StatusOr<Outcomes> submit(std::vector<Command> all) {
    auto submission = queue(std::move(all));
    REQUIRE(committer->run_once());
    return submission->join();
  }
  Outcome one(Command command) {
    auto outcomes = submit(commands(std::move(command)));
    REQUIRE(outcomes.ok());
    REQUIRE(outcomes->size() == 1);
    return outcomes->front();
  }
  std::optional<Run> stored(std::uint32_t number) { return *store.inner->run(fakes::id_of(number)); }
};

}  // namespace kleptometrics::aggregator

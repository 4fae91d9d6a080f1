// A store between a test and a real one: counts what passes and fails where the script says so. The fields
// are for the test while nobody else is at work in the store.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "aggregator/store/store.h"
#include "tests/fakes/forwarding_store.h"

namespace kleptometrics::fakes {

struct FaultyStore final : ForwardingStore {
  std::deque<absl::Status> commit_errors;  // the next commits take one each; OK lets through
  absl::Status run_error;                  // of every run()
  absl::Status runs_error;                 // of every runs()
  absl::Status scan_error;                 // of every scan()
  absl::Status jobs_error;                 // of every jobs()
  absl::Status record_error;               // of every record()
  absl::Status summarize_error;            // of every summarize()
  std::function<void()> during_commit;     // on the committing thread

  std::vector<std::size_t> commit_sizes;  // runs of every commit, failed or not
  std::vector<aggregator::Basis> last_bases;
  bool is_shared = false;
  std::size_t run_reads = 0;
  std::size_t scans = 0;
  std::size_t summaries = 0;

  absl::StatusOr<std::vector<aggregator::Applied>> commit(std::vector<aggregator::Run> runs, Nanos now,
                                                          const std::vector<aggregator::Basis>& bases = {}) override {
    last_bases = bases;
    commit_sizes.push_back(runs.size());
    if (during_commit) during_commit();
    if (!commit_errors.empty()) {
      const absl::Status status = commit_errors.front();
      commit_errors.pop_front();
      if (!status.ok()) return status;
    }
    return inner->commit(std::move(runs), now, bases);
  }
  bool shared() const override { return is_shared; }
  absl::Status record(const aggregator::Findings& findings) override {
    return record_error.ok() ? inner->record(findings) : record_error;
  }
  absl::StatusOr<std::optional<aggregator::Run>> run(const Uuid& id) override {
    ++run_reads;
    if (!run_error.ok()) return run_error;
    return inner->run(id);
  }
  absl::StatusOr<aggregator::RunPage> runs(const aggregator::RunFilter& filter,
                                           const std::optional<aggregator::RunCursor>& after,
                                           std::size_t limit) override {
    if (!runs_error.ok()) return runs_error;
    return inner->runs(filter, after, limit);
  }
  absl::Status scan(const aggregator::RunFilter& filter,
                    absl::FunctionRef<void(const aggregator::Run&)> visit) override {
    ++scans;
    if (!scan_error.ok()) return scan_error;
    return inner->scan(filter, visit);
  }
  absl::Status summarize(const aggregator::SummaryRequest& request, aggregator::Pieces& pieces) override {
    ++summaries;
    if (!summarize_error.ok()) return summarize_error;
    return inner->summarize(request, pieces);
  }
  absl::StatusOr<std::vector<aggregator::JobHead>> jobs(const std::string& name) override {
    if (!jobs_error.ok()) return jobs_error;
    return inner->jobs(name);
  }
};

}  // namespace kleptometrics::fakes

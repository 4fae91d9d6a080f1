// A kleptometricsd whose files a test keeps, so that it can be started on them again: with faults, without, and asked
// what it knows. Not by tests/e2e/daemon.h, which takes a start for granted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"

namespace kleptometrics::fault {

class Aggregator {
 public:
  // Its files lie in `dir`: runs.db, spool, ready.
  Aggregator(std::string dir, const std::vector<std::string>& environment = {});

  // True once it serves; false if it ended instead, or does neither in time.
  bool ready();
  tests::Answer send(const std::string& method, const std::string& path, const std::string& body = {}) const;
  // Wait statuses, as Victim's. ended(): without a word of ours.
  int terminate();
  int kill();
  int ended(std::chrono::seconds limit) { return process_->wait(limit); }
  std::string log() const { return process_->output(); }

 private:
  std::string dir_, listen_;
  std::unique_ptr<Victim> process_;
};

}  // namespace kleptometrics::fault

// A store on a disk that can lose its power, and beside it a store in memory that is given what the first acknowledged,
// once and in the same order. Whatever happens to the machine, the two are to be equal once it is up.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/store.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/disk.h"

namespace kleptometrics::fault {

class Machine {
 public:
  // `path` is of a real folder, for the store's lock. The disk is empty.
  Machine(Disk& disk, std::string path, std::size_t settle_runs)
      : disk_(disk), path_(std::move(path)), settle_runs_(settle_runs) {}

  // Opens the store, and looks whether that holds what the other does. False: the power went, or a fault.
  bool open(Faults& faults);
  bool up() const { return store_ != nullptr && disk_.on() && !failed_; }
  // The answer where the runs were acknowledged. Else either nothing was applied, or it shows at the next start.
  std::optional<std::vector<aggregator::Applied>> commit(const std::vector<aggregator::Run>& runs, Nanos now,
                                                         Faults& faults);
  void put_job(const std::string& name, const aggregator::JobSpec& spec, Faults& faults);
  // True once all that has expired is gone. False: to be called again, after the next start if it is not up.
  bool keep_house(Nanos now, Faults& faults);
  void close() { store_.reset(); }  // as a process ends that was told to; the power may go meanwhile
  // Everything stops and is switched on again.
  void restart(Disk::After after);

  // The store's health, and with `sums` all it answers.
  void check(bool sums, Faults& faults);
  aggregator::Store& model() { return model_; }
  aggregator::Store& store() { return *store_; }

 private:
  struct Spec {
    std::string name;
    aggregator::JobSpec spec;
  };
  bool settle_doubt(Faults& faults);
  bool equal_runs(Faults& faults);

  Disk& disk_;
  const std::string path_;
  const std::size_t settle_runs_;
  std::unique_ptr<aggregator::Store> store_;
  aggregator::MemoryStore model_;
  bool failed_ = false;  // the store has ended itself
  // What may have been committed, and was not acknowledged.
  std::vector<aggregator::Run> doubtful_;
  Nanos doubtful_at_ = 0;
  std::optional<Spec> doubtful_spec_;
  std::optional<Nanos> keeping_house_;  // begun, not ended
};

}  // namespace kleptometrics::fault

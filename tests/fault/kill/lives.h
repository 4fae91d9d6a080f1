// Programs that were killed, and what must be known of each by what it had told: a run that it started is there; one
// that it ended has the state it gave it; one that it left open is crashed, with every step and counter to the last
// addition it told of. What it had done and not told yet may be there, too, and no more than that.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tests/fault/kill/reporters.h"
#include "tests/fault/kill/truth.h"

namespace kleptometrics::fault {

class Lives {
 public:
  // A program that is dead.
  void add(const LiveReporter& dead);
  std::size_t count() const { return lives_.size(); }
  std::size_t runs() const;       // that were told of
  std::size_t left_open() const;  // of them

  // Compares all that was told with all that is stored.
  Faults compare_with(const Runs& stored) const;
  // The past runs that they recorded, those which are stored.
  std::vector<PastRun> past_among(const Runs& stored) const;

 private:
  struct Known {
    bool labelled = false, ended = false;
    std::uint64_t worked = 0, counted = 0;
    std::optional<std::uint64_t> progress;
  };
  struct Life {
    bool durable = false;
    std::map<std::uint32_t, Known> runs;
    std::set<std::uint32_t> past;
  };

  static void note(Life& life, const Told& told);
  static void compare(std::uint64_t seed, std::uint32_t number, const Known& known, const aggregator::Run& run,
                      Faults& faults);
  bool may_be_there(const Uuid& id) const;

  std::map<std::uint64_t, Life> lives_;  // by seed
};

}  // namespace kleptometrics::fault

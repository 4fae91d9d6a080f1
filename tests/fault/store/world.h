// A small world in one thread, all of it decided by a seed: programs that report runs and repeat what is not answered,
// a network between that loses, doubles, delays and reorders, and an aggregator on a machine that is killed, loses its
// power, finds its disk full or failing, has its clock turned, and expires runs. Time is a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/machine.h"
#include "tests/fault/store/past.h"

namespace kleptometrics::fault {

// What happened in it, for one line of report.
struct WorldTally {
  std::uint64_t pushes = 0, repeats = 0, lost = 0, doubled = 0, answers_lost = 0;
  std::uint64_t kills = 0, power_losses = 0, bad_syncs = 0, full = 0, clock_jumps = 0, houses = 0;
};

class World {
 public:
  World(Disk& disk, const std::string& path, std::uint64_t seed, WorldTally& tally);

  // A time full of faults, then one without, until everything is delivered; then what is wrong.
  Faults play();

 private:
  struct Told {
    aggregator::Run run;
    bool delivered = false;
  };
  struct Producer {
    std::vector<Told> tells;
    std::size_t begun = 0;  // so many it has to tell by now
    Nanos next_push = 0;
  };
  struct Push {
    std::size_t producer = 0;
    std::vector<std::size_t> which;  // of what it tells
  };

  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  void populate();
  void tell_of(std::uint32_t number, Producer& producer);
  void tick(bool faulty);
  void strike();
  void report(std::size_t number);
  void travel(std::multimap<Nanos, Push>& by, const Push& push, std::uint64_t& lost);
  void take_answers();
  void serve();
  void commit_group();
  void keep_house();
  bool all_delivered() const;
  void check();

  std::mt19937_64 random_;
  Disk& disk_;
  Machine machine_;
  const Past past_;
  WorldTally& tally_;
  std::vector<Producer> producers_;
  std::multimap<Nanos, Push> pushes_;   // by the time they arrive
  std::multimap<Nanos, Push> answers_;  // likewise
  Nanos steady_ = 0;
  Nanos wall_;
  bool faulty_ = true;
  Nanos room_at_ = 0;                   // when a full disk has room again
  std::optional<Nanos> keeping_house_;  // as of this time
  Faults faults_;
};

}  // namespace kleptometrics::fault

// R17: worlds of one thread (world.h) in which the faults of the matrix are mixed. In the end of each, whatever
// happened in it, the store equals the model.
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/world.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

std::string words_of(const WorldTally& tally) {
  const auto n = [](std::uint64_t number) { return std::to_string(number); };
  return n(tally.pushes) + " pushes, " + n(tally.lost) + " lost, " + n(tally.doubled) + " doubled, " +
         n(tally.answers_lost) + " answers lost, " + n(tally.repeats) + " repeats, " + n(tally.power_losses) +
         " losses of power, " + n(tally.kills) + " kills, " + n(tally.bad_syncs) + " failed syncs, " + n(tally.full) +
         " times a full disk, " + n(tally.clock_jumps) + " jumps of the clock, " + n(tally.houses) + " housekeepings";
}

TEST_CASE("R17: 500 worlds full of faults end as the model says") {
  const Scenario scenario("R17");
  const tests::TempDir dir;
  Disk disk("klepto-world");
  const auto seeds = static_cast<std::uint64_t>(scaled(500));
  WorldTally tally;
  Faults faults;
  for (std::uint64_t i = 0; i < seeds; ++i) {
    const std::uint64_t seed = scenario.seed() + i;
    disk.format(seed);
    for (const std::string& fault : World(disk, dir / "runs.db", seed, tally).play())
      faults.push_back("seed " + std::to_string(seed) + ": " + fault);
  }
  scenario.report(std::to_string(seeds) + " seeds, " + words_of(tally));
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault

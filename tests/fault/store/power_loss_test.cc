// R5: the power goes while the store opens, commits, settles, copies its log back or closes, and again while it
// recovers. What was acknowledged is there afterwards, once, commits are there as a whole or not at all, and the sums
// are those of a store that holds the same runs and knows no disk. The control, a disk that says it has synced and has
// not, is what a store is that acknowledges too early: it must be found out.
#include <random>

#include "tests/fakes/runs.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/machine.h"
#include "tests/fault/store/past.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;

constexpr std::size_t kSettleRuns[] = {5, 25, 100};
constexpr std::size_t kHeavyText = 3000;

struct Tally {
  std::uint64_t cuts = 0, in_opening = 0, in_recovery = 0, runs = 0, operations = 0;
};

// One machine, from an empty disk on.
class Play {
 public:
  // Heavy: runs so large that the log is copied back while the machine is up.
  Play(Disk& disk, const std::string& path, std::uint64_t seed, Tally& tally)
      : random_(seed),
        heavy_(below(10) == 0),
        disk_(disk),
        machine_(disk, path, heavy_ ? 400 : kSettleRuns[below(3)]),
        past_(seed, heavy_ ? kHeavyText : 0),
        tally_(tally) {}

  Faults lives() {
    Faults faults;
    const std::uint64_t lives = heavy_ ? 2 : 3 + below(3);
    for (std::uint64_t life = 0; life < lives && faults.empty(); ++life) {
      live(faults);
      if (below(3) == 0) recover_halfway(faults);
      if (!faults.empty() || !machine_.open(faults)) break;
      machine_.check(life + 1 == lives, faults);
      if (below(2) == 0) machine_.close();
    }
    machine_.close();
    tally_.operations += disk_.operations();
    return faults;
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  void live(Faults& faults) {
    machine_.close();
    const std::uint64_t operations = heavy_ ? 2000 + below(9000) : below(3) == 0 ? below(40) : below(1200);
    disk_.lose_power_after(operations, below(4) == 0);
    const bool opened = machine_.open(faults);
    tally_.in_opening += disk_.on() ? 0 : 1;
    const std::uint64_t batches = heavy_ ? 40 : 1 + below(60);
    for (std::uint64_t i = 0; opened && i < batches && machine_.up() && faults.empty(); ++i)
      (void)machine_.commit(batch(), now_ += fakes::seconds(1), faults);
    if (below(3) == 0) machine_.close();
    end();
  }

  void recover_halfway(Faults& faults) {
    disk_.lose_power_after(below(60), true);
    (void)machine_.open(faults);
    tally_.in_recovery += disk_.on() ? 0 : 1;
    end();
  }

  void end() {
    tally_.cuts += 1;
    machine_.restart(below(5) == 0 ? Disk::After::kKill : Disk::After::kPowerLoss);
  }

  // New runs for the most part; some that are known, at any stage.
  std::vector<Run> batch() {
    std::vector<Run> runs(heavy_ ? 150 : 1 + below(20));
    for (Run& run : runs) run = any_run();
    tally_.runs += runs.size();
    return runs;
  }
  Run any_run() {
    const bool known = next_ != 0 && below(3) == 0;
    const auto number =
        static_cast<std::uint32_t>(known ? next_ - 1 - below(std::min<std::uint64_t>(next_, 200)) : next_++);
    const std::uint64_t stage = below(8);
    if (stage == 0) return past_.presumed(number);
    if (stage == 1) return Past::noted(past_.begun(number), 1 + below(3));
    return stage < 4 ? past_.begun(number) : past_.ended(number);
  }

  std::mt19937_64 random_;
  const bool heavy_;
  Disk& disk_;
  Machine machine_;
  const Past past_;
  Tally& tally_;
  std::uint32_t next_ = 0;
  Nanos now_ = fakes::kStart;
};

std::string seed_text(std::uint64_t seed) { return "seed " + std::to_string(seed) + ": "; }

TEST_CASE("R5: 500 machines that lose their power keep all that was acknowledged, once") {
  const Scenario scenario("R5");
  const tests::TempDir dir;
  Disk disk("klepto-power");
  const auto seeds = static_cast<std::uint64_t>(scaled(500));
  Tally tally;
  Faults faults;
  for (std::uint64_t i = 0; i < seeds; ++i) {
    disk.format(scenario.seed() + i);
    for (const std::string& fault : Play(disk, dir / "runs.db", scenario.seed() + i, tally).lives())
      faults.push_back(seed_text(scenario.seed() + i) + fault);
  }
  scenario.report(std::to_string(seeds) + " seeds, " + std::to_string(tally.cuts) + " losses of power or kills, " +
                  std::to_string(tally.in_opening) + " of them in opening and " + std::to_string(tally.in_recovery) +
                  " in recovery, " + std::to_string(tally.runs) + " snapshots, " + std::to_string(tally.operations) +
                  " operations of the disk");
  require_none(scenario, faults);
}

TEST_CASE("R19: a store whose syncs do nothing fails R5") {
  const Scenario scenario("R19, no syncs");
  const tests::TempDir dir;
  Disk disk("klepto-lies");
  constexpr std::uint64_t kSeeds = 50;
  Tally tally;
  std::uint64_t found_out = 0;
  for (std::uint64_t i = 0; i < kSeeds; ++i) {
    disk.format(scenario.seed() + i);
    disk.lie_about_syncs();
    found_out += Play(disk, dir / "runs.db", scenario.seed() + i, tally).lives().empty() ? 0 : 1;
  }
  scenario.report("found out by " + std::to_string(found_out) + " of " + std::to_string(kSeeds) + " seeds");
  INFO(scenario.label());
  REQUIRE(found_out > kSeeds / 2);
}

}  // namespace
}  // namespace kleptometrics::fault

// R2 and R3: kill -9 of programs at random moments, of the aggregator as well in R3. What a program had told of is
// there, and what it left open is crashed, added up to the last addition. The control, programs whose journal is
// private memory, must fail this.
#include <deque>

#include "tests/fault/kill/lives.h"

namespace kleptometrics::fault {
namespace {

using std::chrono::milliseconds;
using tests::Daemon;

constexpr milliseconds kLongestLife(40);  // of a program
constexpr int kTurn = 5;                  // programs that die while the aggregator is up, and then while it is down

// One program from its birth to its death. Every fifth may die before it has done anything.
void live_and_die(const Daemon& daemon, Scenario& scenario, const std::vector<std::string>& environment, Lives& lives) {
  LiveReporter program(daemon, scenario.seed() * 1000 + lives.count(), environment);
  if (lives.count() % 5 != 0) program.listen_for(Told::kStarted);
  const auto longest = static_cast<std::uint64_t>(std::chrono::microseconds(kLongestLife).count());
  program.listen_until(std::chrono::steady_clock::now() + std::chrono::microseconds(scenario.random(longest)));
  program.kill();
  lives.add(program);
}

// What the aggregator has in the end, run by run, and added up as an undisturbed one adds it up.
void compare_all(Daemon& daemon, const Lives& lives, Faults& faults) {
  const Runs stored = stored_by(daemon, faults);
  const Faults differences = lives.compare_with(stored);
  faults.insert(faults.end(), differences.begin(), differences.end());
  daemon.start();
  compare_statistics(daemon, lives.past_among(stored), faults);
}

std::string words_of(const Lives& lives, const Faults& faults) {
  return std::to_string(lives.count()) + " kills of programs, " + std::to_string(lives.runs()) + " runs told of, " +
         std::to_string(lives.left_open()) + " of them left open, " + std::to_string(faults.size()) + " faults";
}

// What becomes of programs that are killed, half of them while no aggregator runs.
Faults outcome(Scenario& scenario, int kills, const std::vector<std::string>& environment) {
  Faults faults;
  Lives lives;
  Daemon daemon;
  for (int kill = 0; kill < kills; ++kill) {
    const bool up = kill / kTurn % 2 == 0;
    if (!up && daemon.pid() != 0) daemon.terminate();
    if (up && daemon.pid() == 0) daemon.start();
    live_and_die(daemon, scenario, environment, lives);
  }
  if (daemon.pid() == 0) daemon.start();
  await_adoption(daemon.dir() / "spool", 0, faults);
  compare_all(daemon, lives, faults);
  scenario.report(words_of(lives, faults));
  return faults;
}

TEST_CASE("R2: of 100 programs killed with kill -9 everything told is there, and what they left open is crashed") {
  Scenario scenario("R2");
  require_none(scenario, outcome(scenario, scaled(100), {}));
}

TEST_CASE("R19: programs whose journal is no shared mapping fail R2") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::cout << "SKIPPED: nothing can be preloaded into a program with sanitizers\n";
#else
  Scenario scenario("R19, private mapping");
  const Faults faults = outcome(scenario, 20, {"LD_PRELOAD=" KLEPTO_PRIVATE_MAPPING});
  INFO(scenario.label() << "\n" << text_of(faults));
  REQUIRE(std::any_of(faults.begin(), faults.end(), [](const auto& fault) { return fault.ends_with("is lost"); }));
  REQUIRE(std::none_of(faults.begin(), faults.end(),
                       [](const auto& fault) { return fault == "a program had no journal"; }));
#endif
}

// Programs that live at the same time as an aggregator that dies now and then.
class Mayhem {
 public:
  Mayhem(Scenario& scenario, Daemon& daemon) : scenario_(scenario), daemon_(daemon) {}

  Faults strike(int kills) {
    for (int kill = 0; kill < kills; ++kill) {
      while (programs_.size() < kPrograms) born();
      if (kill % kBreath == 0) take_breath();
      for (LiveReporter& program : programs_) program.listen_until(std::chrono::steady_clock::now() + milliseconds(1));
      scenario_.wait_within(milliseconds(30));
      if (scenario_.random(2) == 0) {
        kill_aggregator();
      } else {
        kill_program();
      }
    }
    while (!programs_.empty()) kill_program();
    if (daemon_.await_ready()) await_adoption(daemon_.dir() / "spool", 0, faults_);
    return std::move(faults_);
  }

  const Lives& lives() const { return lives_; }
  int aggregators() const { return aggregators_; }

 private:
  static constexpr std::size_t kPrograms = 3;
  static constexpr int kBreath = 20;

  // An aggregator that is killed all the time adopts little, and a spool that is full takes no more journals.
  void take_breath() {
    if (daemon_.await_ready()) await_adoption(daemon_.dir() / "spool", kPrograms, faults_);
  }

  void born() { programs_.emplace_back(daemon_, scenario_.seed() * 1000 + ++births_); }

  void kill_aggregator() {
    daemon_.kill();
    ++aggregators_;
    daemon_.launch();  // and the next fault may come before it is ready
  }

  void kill_program() {
    programs_.front().kill();
    lives_.add(programs_.front());
    programs_.pop_front();
  }

  Scenario& scenario_;
  Daemon& daemon_;
  std::deque<LiveReporter> programs_;
  Lives lives_;
  Faults faults_;
  std::uint64_t births_ = 0;
  int aggregators_ = 0;
};

TEST_CASE("R3: 100 kills of programs and of the aggregator, overlapping, lose nothing of what was told") {
  Scenario scenario("R3");
  Daemon daemon({}, {KLEPTO_SETTLING_DAEMON});  // so that kills hit it while it settles, too
  Mayhem mayhem(scenario, daemon);
  Faults faults = mayhem.strike(scaled(100));
  compare_all(daemon, mayhem.lives(), faults);
  scenario.report(std::to_string(mayhem.aggregators()) + " kills of the aggregator, " +
                  words_of(mayhem.lives(), faults));
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault

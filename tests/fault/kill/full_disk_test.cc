// R9: the disk is full and has room again, under the journal and under the store. No program is harmed, nothing that
// was told or acknowledged is lost, and nobody has to lend a hand.
#include <sys/mount.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/fault/kill/lives.h"

namespace kleptometrics::fault {
namespace {

using std::chrono::milliseconds;
using tests::Daemon;
using tests::Json;

// A small file system of its own, where this process may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size)
      : mounted_(::mount("klepto", folder_.path().c_str(), "tmpfs", 0, ("mode=0700,size=" + size).c_str()) == 0) {
    if (!mounted_) std::cout << "SKIPPED: this process may not mount a tmpfs" << std::endl;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& path() const { return folder_.path(); }
  // But for the last `left` bytes.
  void fill(std::uintmax_t left = 0) const {
    {
      std::ofstream ballast(ballast_, std::ios::binary);
      const std::string block(4096, 'x');
      while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
      }
    }
    const std::uintmax_t all = std::filesystem::file_size(ballast_);
    std::filesystem::resize_file(ballast_, all > left ? all - left : 0);
  }
  void clear() const { std::filesystem::remove(ballast_); }

 private:
  tests::TempDir folder_;
  std::string ballast_ = folder_ / "ballast";
  bool mounted_;
};

constexpr int kCycles = 10;

// A spool on a disk that fills up while one program has its journal there, and before another one makes its own.
class FullSpool {
 public:
  FullSpool(const SmallDisk& disk, Daemon& daemon, std::uint64_t seed)
      : disk_(disk), daemon_(daemon), seed_(seed * 1000), spool_{"KLEPTO_SPOOL_DIR=" + disk.path()} {}

  void cycle() {
    LiveReporter before(daemon_, ++seed_, spool_);
    if (!before.listen_for(Told::kEnded)) faults_.push_back("a program does not start");
    disk_.fill();
    during();
    before.listen_until(std::chrono::steady_clock::now() + milliseconds(20));
    end(before, true);
    disk_.clear();
    LiveReporter after(daemon_, ++seed_, spool_);
    if (!after.listen_for(Told::kEnded)) faults_.push_back("a program does not start once there is room again");
    end(after, true);
    await_adoption(disk_.path(), 0, faults_);  // or their journals fill the disk
  }

  // Without a place for its journal a program runs all the same, and what it records arrives while it lives.
  void during() {
    LiveReporter without(daemon_, ++seed_, spool_);
    if (!without.listen_for(Told::kEnded)) faults_.push_back("a program does not start on a full disk");
    end(without, false);
    PastReporter delivers(daemon_, ++seed_, 0, 10, 10, spool_);
    delivers.go_on();
    if (!delivers.finish()) faults_.push_back("not delivered from a full disk: " + delivers.said());
  }

  void end(LiveReporter& program, bool durable) {
    if (const int signal = program.kill(); signal != SIGKILL)
      faults_.push_back("a program ended by signal " + std::to_string(signal));
    if ((program.told().front().value != 0) != durable)
      faults_.push_back(durable ? "a program has no journal though there is room" : "a full disk took a journal");
    if (durable) lives_.add(program);
  }

  const Lives& lives() const { return lives_; }
  const Faults& faults() const { return faults_; }

 private:
  const SmallDisk& disk_;
  Daemon& daemon_;
  std::uint64_t seed_;
  const std::vector<std::string> spool_;
  Lives lives_;
  Faults faults_;
};

TEST_CASE("R9: 10 times a full disk under the journal harms no program and loses nothing it told") {
  const SmallDisk disk("8m");
  if (!disk.mounted()) return;
  const Scenario scenario("R9, journal");
  Daemon daemon({"--spool_dir=" + disk.path()});
  FullSpool spool(disk, daemon, scenario.seed());
  const int cycles = scaled(kCycles);
  for (int cycle = 0; cycle < cycles; ++cycle) spool.cycle();
  Faults faults = spool.faults();
  const Runs stored = stored_by(daemon, faults);
  for (std::string& fault : spool.lives().compare_with(stored))
    if (!fault.ends_with("nobody recorded it"))
      faults.push_back(std::move(fault));  // those of programs without journal
  scenario.report(std::to_string(cycles) + " cycles, " + std::to_string(spool.lives().runs()) + " runs told of");
  require_none(scenario, faults);
}

constexpr std::uintmax_t kRoomLeft = 100'000;

// Posts runs until one is refused; the ids of those acknowledged.
int post_until_refused(const Daemon& daemon, std::vector<std::string>& acknowledged) {
  const std::string filling(1000, 'x');
  for (int tries = 0; tries < 1000; ++tries) {
    const Json run{{"state", "failed"}, {"duration_seconds", 1}, {"failure", {{"message", filling}}}};
    const tests::Answer answer = daemon.send("POST", "/api/v1/jobs/posted/runs", run.dump());
    if (answer.status != 201) return answer.status;
    acknowledged.push_back(answer.json().at("id"));
  }
  return 0;
}

bool ready(const Daemon& daemon) {
  return daemon.eventually("/-/ready", [](const Json&) { return true; }) != Json();
}

void fill_and_clear(const SmallDisk& disk, const Daemon& daemon, const PastReporter& reporter,
                    std::vector<std::string>& acknowledged, Faults& faults) {
  // The rest of it is taken by runs, and then what was too little for a run.
  for (const std::uintmax_t left : {kRoomLeft, std::uintmax_t{0}}) {
    disk.fill(left);
    reporter.go_on();
    if (const int status = post_until_refused(daemon, acknowledged); status != 503)
      faults.push_back("on a full disk a run is answered with " + std::to_string(status));
  }
  if (const int status = daemon.get("/-/ready").status; status != 503)
    faults.push_back("on a full disk it is ready: " + std::to_string(status));
  if (const int status = daemon.get("/api/v1/jobs").status; status != 200)
    faults.push_back("on a full disk reading is answered with " + std::to_string(status));
  disk.clear();
  if (!ready(daemon)) faults.push_back("it is not ready again: " + daemon.log());
}

TEST_CASE("R9: 10 times a full disk under the store is answered with 503 and loses nothing acknowledged") {
  const SmallDisk disk("48m");
  if (!disk.mounted()) return;
  const Scenario scenario("R9, store");
  constexpr std::uint64_t kChunk = 100;  // two a cycle
  const auto cycles = static_cast<std::uint64_t>(scaled(kCycles));
  const std::string database = disk.path() + "/runs.db";
  Faults faults;
  std::vector<std::string> acknowledged;
  Daemon daemon({"--store=sqlite:" + database});
  PastReporter reporter(daemon, scenario.seed(), 0, 2 * cycles * kChunk, kChunk);
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) fill_and_clear(disk, daemon, reporter, acknowledged, faults);
  if (!reporter.finish()) faults.push_back("a reporter did not deliver all: " + reporter.said());
  const Runs stored = stored_by(daemon, faults, database);
  for (const std::string& id : acknowledged)
    if (stored.count(*Uuid::parse(id)) == 0) faults.push_back(id + " is lost");
  for (std::uint64_t number = 0; number < 2 * cycles * kChunk; ++number) {
    const PastRun past(scenario.seed(), number);
    if (const auto found = stored.find(past.id); found != stored.end()) {
      compare(found->second, past, faults);
    } else {
      faults.push_back(past.id.text() + " is lost");
    }
  }
  if (stored.size() != acknowledged.size() + 2 * cycles * (kChunk + 1))
    faults.push_back("more is stored than was recorded");
  scenario.report(std::to_string(cycles) + " cycles, " + std::to_string(stored.size()) + " runs, of which " +
                  std::to_string(acknowledged.size()) + " were posted while the disk filled up, " +
                  std::to_string(reporter.said("retries")) + " pushes refused");
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault

// A program that records runs by the client library for as long as it is let. In two ways:
//
//   reporter past SEED FIRST LAST CHUNK FD   records past runs FIRST to LAST - 1 of the history of SEED, CHUNK of them
//                                            for every byte that comes from FD, each chunk within a run of its own;
//                                            ends well once all is delivered
//   reporter live SEED FD                    starts and ends runs without end, and tells of it through FD (told.h)
//
// Where the aggregator is and where the journal goes it takes from the environment, as every program does.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/kill/history.h"
#include "tests/fault/kill/record.h"
#include "tests/fault/kill/told.h"

namespace kleptometrics::fault {
namespace {

constexpr std::uint64_t kPendingMax = 4000;  // snapshots; the journal holds more
constexpr std::uint32_t kRunsMax = 400;      // of one life, so that its journal holds them without an aggregator
constexpr std::uint32_t kRunsBetweenFlushes = 32;
constexpr std::chrono::milliseconds kHurry(30);  // delivery is under way when a kill comes
constexpr std::chrono::seconds kPatience(60);

void print(const ClientStats& stats) {
  const auto number = [](const char* name, std::uint64_t value) {
    std::printf("%s=%llu ", name, static_cast<unsigned long long>(value));
  };
  number("delivered", stats.delivered);
  number("duplicates", stats.duplicates);
  number("retries", stats.retries);
  number("pending", stats.pending);
  number("dropped", stats.dropped);
  number("rejected", stats.rejected);
  number("cut", stats.cut);
  std::printf("error=%s\n", stats.last_error.c_str());
}

int report_past(std::uint64_t seed, std::uint64_t first, std::uint64_t last, std::uint64_t chunk, int spur) {
  ClientOptions options;
  options.journal_bytes_max = std::size_t{8} << 20U;
  Client client(options);
  char go = 0;
  while (first < last && ::read(spur, &go, 1) == 1) {
    RunOptions of_chunk;
    of_chunk.id = id_of_chunk(seed, first).text();
    Run meanwhile(client, kChunkJob, of_chunk);
    meanwhile.count("runs", static_cast<double>(chunk));
    for (std::uint64_t i = 0; i < chunk && first < last; ++i) record(client, PastRun(seed, first++));
    do {
      (void)client.flush(kHurry);
    } while (client.stats().pending > kPendingMax);
  }
  (void)client.flush(kPatience);
  const ClientStats stats = client.stats();
  print(stats);
  return first == last && stats.pending == 0 && stats.dropped + stats.rejected + stats.cut == 0 ? 0 : 1;
}

// One life of a program that is killed at some moment of it.
class Life {
 public:
  Life(std::uint64_t seed, int out) : seed_(seed), out_(out), client_(options()) {
    tell(Told::kReady, 0, client_.stats().durable ? 1 : 0);
  }

  void live() {
    Run outer(client_, "outer", identified(kOuterRun));
    tell(Told::kStarted, kOuterRun, 0);
    StepTimer turns = outer.step_timer("work");
    for (std::uint32_t run = 1;; ++run) {
      if (run <= kRunsMax) inner(run);
      add(outer, turns, kOuterRun, outer_worked_, outer_counted_);
      if (run <= kRunsMax) past(run);
      // So that some of it is delivered before the end, and some is under way.
      if (run % kRunsBetweenFlushes == 0) (void)client_.flush(std::chrono::milliseconds(2));
    }
  }

 private:
  static ClientOptions options() {
    ClientOptions options;
    options.journal_bytes_max = std::size_t{2} << 20U;
    return options;
  }

  RunOptions identified(std::uint32_t run) const {
    RunOptions options;
    options.id = id_of(seed_, run).text();
    return options;
  }

  void inner(std::uint32_t number) {
    Run run(client_, "inner", identified(number));
    tell(Told::kStarted, number, 0);
    run.label(kLabel, std::to_string(number));
    tell(Told::kLabelled, number, 0);
    StepTimer work = run.step_timer("work");
    std::uint64_t worked = 0;
    std::uint64_t counted = 0;
    for (std::uint64_t burst = drawn(seed_ ^ 4U, number) % 16; burst != 0; --burst) {
      add(run, work, number, worked, counted);
      run.progress(static_cast<double>(counted % 1000) / 1000);
      tell(Told::kProgress, number, counted % 1000);
    }
    const Ending ending = ending_of(seed_, number);
    if (ending == Ending::kFail) run.fail("on purpose");
    if (ending == Ending::kCancel) run.cancel();
    run.end();
    tell(Told::kEnded, number, 0);
  }

  void add(Run& run, StepTimer& work, std::uint32_t number, std::uint64_t& worked, std::uint64_t& counted) {
    const std::uint64_t times = 1 + drawn(seed_ ^ 5U, ++bursts_) % kBurstMax;
    for (std::uint64_t i = 0; i < times; ++i) auto timing = work.start();
    tell(Told::kWorked, number, worked += times);
    run.count("rows", static_cast<double>(times));
    tell(Told::kCounted, number, counted += times);
  }

  void past(std::uint32_t number) {
    record(client_, PastRun(seed_, kPastNumbers + number));
    tell(Told::kRecorded, number, 0);
  }

  // A test that hears no more has ended.
  void tell(Told::Kind kind, std::uint32_t run, std::uint64_t value) const {
    const Told told{kind, run, value};
    if (::write(out_, &told, sizeof told) != sizeof told) ::_exit(0);
  }

  const std::uint64_t seed_;
  const int out_;
  Client client_;
  std::uint64_t outer_worked_ = 0;
  std::uint64_t outer_counted_ = 0;
  std::uint64_t bursts_ = 0;
};

}  // namespace
}  // namespace kleptometrics::fault

int main(int argc, char** argv) {
  using namespace kleptometrics::fault;  // NOLINT(google-build-using-namespace): this file is its end
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  std::vector<std::uint64_t> numbers;
  for (int i = 2; i < argc; ++i) numbers.push_back(std::strtoull(argv[i], nullptr, 10));
  if (words.size() == 6 && words[0] == "past")
    return report_past(numbers[0], numbers[1], numbers[2], numbers[3], static_cast<int>(numbers[4]));
  if (words.size() == 3 && words[0] == "live") Life(numbers[0], static_cast<int>(numbers[1])).live();
  std::fprintf(stderr, "usage: reporter past SEED FIRST LAST CHUNK FD | live SEED FD\n");
  return 2;
}

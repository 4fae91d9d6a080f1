// What the benchmark of the aggregator plays with a real kleptometricsd, each on a store of its own that is gone
// afterwards. Every scenario ends by asking for the statistics of all jobs and comparing them with what was sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/history.h"
#include "tests/bench/report.h"
#include "tests/bench/stream.h"
#include "tests/bench/tally.h"
#include "tests/e2e/daemon.h"

namespace kleptometrics::bench {

struct Settings {
  std::string program;  // kleptometricsd
  std::uint64_t runs = 1'000'000;
  std::uint64_t scenario_runs = 1'000'000;  // at most so many in scenarios beside the plain load
  std::uint64_t seed = 1;
  int days = 90;  // that the history is long, however many its runs
  unsigned connections = 4;
  std::size_t batch = 1'000;
  bool tcp = false;  // in place of the Unix socket
  unsigned resend_percent = 5, late_percent = 1;
  unsigned many_connections = 64;  // that send single runs
  double single_seconds = 5, ndjson_seconds = 10;
  double floor_seconds = 2, idle_seconds = 3;
  unsigned requests = 21;  // of each question
  unsigned kills = 3;
};

class Scenarios {
 public:
  Scenarios(const Settings& settings, Report& report) : settings_(settings), report_(report) {}

  // The whole history against the floor, with memory, disk and questions.
  void plain();
  void measures();  // the same with every measure, and fewer runs
  void resends();
  void late();
  void singles();  // a run a request, on one connection and on many
  void ndjson();
  void kill();      // -9, again and again, in the middle of the load
  void postgres();  // COPY and SQL on a PostgreSQL, the same through us onto it, and through us into SQLite
  // Questions with `few` runs, and with all. The histories are both as long, or the small one is the beginning of the
  // large one, which then goes on in the same store.
  void growth_afresh(std::uint64_t few);
  void growth_on(std::uint64_t few);

 private:
  struct Part {
    StreamOptions stream;
    EncodeOptions encode;
    std::uint64_t first = 0, last = 0;
  };
  History history_of(std::uint64_t runs) const;
  std::uint64_t few_runs() const { return std::min(settings_.runs, settings_.scenario_runs); }
  http::Endpoint endpoint_of(const tests::Daemon& daemon) const;
  LoadOptions load_options(const tests::Daemon& daemon, const Part& part) const;

  // Loads and reports: rate, floor, memory. Adds to the tally what must be there now.
  LoadResult load(tests::Daemon& daemon, const History& history, const Part& part, Tally& tally);
  std::vector<Timing> ask(tests::Daemon& daemon, const History& history, std::uint64_t runs);
  // Compares the statistics, stops the aggregator, looks at its files, has it check its store.
  void finish(tests::Daemon& daemon, const Tally& tally);
  void end(tests::Daemon& daemon, const Tally& tally);
  void verify_store(const std::string& url);
  double single_rate(unsigned connections);
  // A fresh store, the load, the check of the totals.
  void play(const std::string& title, const StreamOptions& stream, const EncodeOptions& encode);
  std::vector<Timing> load_and_ask(std::uint64_t runs);

  const Settings& settings_;
  Report& report_;
};

}  // namespace kleptometrics::bench

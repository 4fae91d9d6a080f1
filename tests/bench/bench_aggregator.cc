// Load generator and benchmark of the aggregator: a seeded history goes over HTTP to a real kleptometricsd, and it is
// asked the questions that people ask. What it prints is for people; it fails only where an answer is missing or wrong.
// The daemon lives in a temporary directory: TMPDIR says on which disk.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "tests/bench/scenarios.h"

ABSL_FLAG(
    std::vector<std::string>, scenarios,
    std::vector<std::string>({"plain", "measures", "resends", "late", "singles", "ndjson", "kill", "postgres"}),
    "which to play, in this order: plain (the whole history, memory, disk, questions), measures (every measure), "
    "resends, late, singles (a run a request), ndjson, kill (-9 during the load), postgres (COPY and SQL, and us on "
    "us), growth_afresh and growth_on (questions with --few runs and with all: two histories of as many days, or "
    "one store that goes on)");
ABSL_FLAG(std::uint64_t, runs, 1'000'000, "runs of the history");
ABSL_FLAG(std::uint64_t, scenario_runs, 1'000'000, "at most so many in scenarios other than plain and growth");
ABSL_FLAG(std::uint64_t, few, 1'000'000, "the fewer runs of growth_afresh and growth_on");
ABSL_FLAG(std::uint64_t, seed, 1, "another seed, another history");
ABSL_FLAG(int, days, 90,
          "length of the history: with a tenth of the runs in a tenth of the days, rollups weigh the same a run");
ABSL_FLAG(unsigned, connections, 4, "that send at once");
ABSL_FLAG(unsigned, many_connections, 64, "that send single runs, against one");
ABSL_FLAG(unsigned, batch, 1'000, "runs a request");
ABSL_FLAG(bool, tcp, false, "over TCP on loopback in place of the Unix socket");
ABSL_FLAG(unsigned, resend_percent, 5, "runs sent again in a hundred, in the scenario resends");
ABSL_FLAG(unsigned, late_percent, 1, "runs three days late in a hundred, in the scenario late");
ABSL_FLAG(unsigned, kills, 3, "in the scenario kill");
ABSL_FLAG(unsigned, requests, 21, "of each question; the median counts");
ABSL_FLAG(double, single_seconds, 5, "length of each part of the scenario singles");
ABSL_FLAG(double, ndjson_seconds, 10, "length of the scenario ndjson, at most");
ABSL_FLAG(double, floor_seconds, 2, "length of each measurement of the floor, of which there are two a load");
ABSL_FLAG(double, idle_seconds, 3, "between the end of a load and the look at the memory when idle");
ABSL_FLAG(std::string, program, KLEPTO_DAEMON, "the kleptometricsd that is measured");

namespace kleptometrics::bench {
namespace {

Settings settings_from_flags() {
  Settings settings;
  settings.program = absl::GetFlag(FLAGS_program);
  settings.runs = absl::GetFlag(FLAGS_runs);
  settings.scenario_runs = absl::GetFlag(FLAGS_scenario_runs);
  settings.seed = absl::GetFlag(FLAGS_seed);
  settings.days = absl::GetFlag(FLAGS_days);
  settings.connections = absl::GetFlag(FLAGS_connections);
  settings.many_connections = absl::GetFlag(FLAGS_many_connections);
  settings.batch = absl::GetFlag(FLAGS_batch);
  settings.tcp = absl::GetFlag(FLAGS_tcp);
  settings.resend_percent = absl::GetFlag(FLAGS_resend_percent);
  settings.late_percent = absl::GetFlag(FLAGS_late_percent);
  settings.kills = absl::GetFlag(FLAGS_kills);
  settings.requests = absl::GetFlag(FLAGS_requests);
  settings.single_seconds = absl::GetFlag(FLAGS_single_seconds);
  settings.ndjson_seconds = absl::GetFlag(FLAGS_ndjson_seconds);
  settings.floor_seconds = absl::GetFlag(FLAGS_floor_seconds);
  settings.idle_seconds = absl::GetFlag(FLAGS_idle_seconds);
  return settings;
}

using Scenario = void (*)(Scenarios&);

const std::map<std::string, Scenario>& scenarios() {
  static const std::map<std::string, Scenario> all{
      {"plain", [](Scenarios& play) { play.plain(); }},
      {"measures", [](Scenarios& play) { play.measures(); }},
      {"resends", [](Scenarios& play) { play.resends(); }},
      {"late", [](Scenarios& play) { play.late(); }},
      {"singles", [](Scenarios& play) { play.singles(); }},
      {"ndjson", [](Scenarios& play) { play.ndjson(); }},
      {"kill", [](Scenarios& play) { play.kill(); }},
      {"postgres", [](Scenarios& play) { play.postgres(); }},
      {"growth_afresh", [](Scenarios& play) { play.growth_afresh(absl::GetFlag(FLAGS_few)); }},
      {"growth_on", [](Scenarios& play) { play.growth_on(absl::GetFlag(FLAGS_few)); }},
  };
  return all;
}

// What makes no sense, as a sentence; empty: nothing.
std::string fault_of(const Settings& settings) {
  if (settings.runs == 0 || settings.scenario_runs == 0) return "there must be runs";
  if (settings.days < 1 || settings.days > 10'000) return "a history has 1 to 10,000 days";
  if (settings.batch == 0 || settings.batch > 10'000) return "a batch has 1 to 10,000 runs";
  if (settings.connections == 0 || settings.many_connections == 0) return "there must be connections";
  if (settings.requests == 0) return "each question must be asked";
  if (settings.resend_percent > 100 || settings.late_percent > 100) return "a percentage is at most 100";
  if (absl::GetFlag(FLAGS_few) == 0) return "there must be a few runs";
  for (const std::string& name : absl::GetFlag(FLAGS_scenarios)) {
    if (scenarios().count(name) == 0) return "there is no scenario " + name;
    if (name == "growth_on" && absl::GetFlag(FLAGS_few) >= settings.runs) return "--few must be below --runs";
  }
  return "";
}

int run() {
  const Settings settings = settings_from_flags();
  if (const std::string fault = fault_of(settings); !fault.empty()) {
    std::fprintf(stderr, "bench_aggregator: %s; see --help\n", fault.c_str());
    return 1;
  }
#ifndef NDEBUG
  std::printf("NOT AN OPTIMISED BUILD: its speeds mean nothing.\n");
#endif
  Report report;
  Scenarios play(settings, report);
  for (const std::string& name : absl::GetFlag(FLAGS_scenarios)) {
    try {
      scenarios().at(name)(play);
    } catch (const std::exception& error) {
      report.check(false, name + " was broken off: " + error.what());
    }
  }
  if (report.wrong() == 0) return 0;
  std::printf("\n%d things are wrong\n", report.wrong());
  return 1;
}

}  // namespace
}  // namespace kleptometrics::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("loads a real kleptometricsd with a made-up history and times its answers");
  absl::FlagsUsageConfig config;
  config.contains_help_flags = [](absl::string_view file) { return absl::EndsWith(file, "bench_aggregator.cc"); };
  absl::SetFlagsUsageConfig(config);
  if (const std::vector<char*> words = absl::ParseCommandLine(argc, argv); words.size() > 1) {
    std::fprintf(stderr, "bench_aggregator: unexpected argument \"%s\"; see --help\n", words[1]);
    return 1;
  }
  return kleptometrics::bench::run();
}

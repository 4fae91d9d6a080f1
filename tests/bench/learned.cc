#include "tests/bench/learned.h"

#include <stdio.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "aggregator/stats/expectation.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::bench {
namespace {

using aggregator::Run;
using aggregator::State;
using aggregator::stats::Expectation;
using aggregator::stats::Learner;
using aggregator::stats::Limits;

constexpr const char* kLog = "NASA-iPSC-1993-3.1-cln.swf.gz";
// Fields of a line, from 0.
constexpr std::size_t kSubmit = 1, kRunTime = 3, kProgram = 13;

Nanos nanos(const std::string& seconds) {
  return static_cast<Nanos>(std::strtod(seconds.c_str(), nullptr) * static_cast<double>(kNanosPerSecond));
}

double in_seconds(Nanos length) { return static_cast<double>(length) / static_cast<double>(kNanosPerSecond); }

// The command's output; empty where it fails.
std::string output_of(const std::string& command) {
  std::string out;
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[65536];
  for (std::size_t got = ::fread(buffer, 1, sizeof buffer, pipe); got > 0;
       got = ::fread(buffer, 1, sizeof buffer, pipe))
    out.append(buffer, got);
  ::pclose(pipe);
  return out;
}

// What ended before `now` is learned from.
Expectation learned(const std::vector<Run>& runs, Nanos now) {
  Learner learner;
  for (const Run& run : runs) {
    if (run.started_at >= now) break;
    if (*run.finished_at <= now) learner.add(run);
  }
  return learner.finish();
}

// With the run itself, once it has ended.
bool sustained(const std::vector<Run>& runs, const Run& run) {
  Learner learner;
  for (const Run& before : runs) {
    if (before.started_at >= run.started_at) break;
    if (*before.finished_at <= run.started_at) learner.add(before);
  }
  learner.add(run);
  return learner.finish().sustained().has_value();
}

// Counts what is flagged, and of what is flagged one after the other the first.
struct Latch {
  bool open = false;
  void see(bool flag, std::uint64_t& runs, std::uint64_t& alerts) {
    runs += flag ? 1 : 0;
    alerts += flag && !open ? 1 : 0;
    open = flag;
  }
};

double quantile(const std::vector<double>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

std::map<std::string, std::vector<Run>> read_log() {
  std::map<std::string, std::vector<Run>> out;
  const char* const data = std::getenv("KLEPTO_TEST_DATA");
  if (data == nullptr) return out;
  std::istringstream lines(output_of("zcat '" + std::string(data) + "/" + kLog + "' 2>/dev/null"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == ';') continue;
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(word);
    if (fields.size() <= kProgram) continue;
    Run run;
    run.job = fields[kProgram];
    run.state = State::kSucceeded;  // the log does not say how they ended
    run.started_at = nanos(fields[kSubmit]);
    run.duration = nanos(fields[kRunTime]);
    run.finished_at = run.started_at + *run.duration;
    out[run.job].push_back(std::move(run));
  }
  std::erase_if(out, [](const auto& program) { return program.second.size() < kProgramRunsMin; });
  for (auto& [program, runs] : out) {
    std::stable_sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.started_at < b.started_at; });
  }
  return out;
}

void Judged::add(const Judged& other) {
  runs += other.runs;
  judged += other.judged;
  too_long += other.too_long;
  too_short += other.too_short;
  sustained += other.sustained;
  flagged += other.flagged;
  alerts += other.alerts;
  tripled += other.tripled;
  tripled_median += other.tripled_median;
  tripled_beyond_p95 += other.tripled_beyond_p95;
}

Judged judge(const std::string& program, const std::vector<Run>& runs) {
  Judged out;
  out.program = program;
  out.runs = runs.size();
  std::vector<double> durations;
  for (const Run& run : runs) durations.push_back(in_seconds(*run.duration));
  std::sort(durations.begin(), durations.end());
  out.median = quantile(durations, 0.5);
  out.p95 = quantile(durations, 0.95);
  Latch too_long;
  Latch too_short;
  Latch slower;
  for (const Run& run : runs) {
    const auto limits = learned(runs, run.started_at).limits();
    if (!limits) continue;
    const Nanos duration = *run.duration;
    const std::uint64_t before = out.too_long + out.too_short + out.sustained;
    ++out.judged;
    too_long.see(duration > *limits->too_long, out.too_long, out.alerts);
    too_short.see(limits->too_short && duration < *limits->too_short, out.too_short, out.alerts);
    slower.see(sustained(runs, run), out.sustained, out.alerts);
    out.flagged += out.too_long + out.too_short + out.sustained > before ? 1 : 0;
    out.tripled += 3 * duration > *limits->too_long ? 1 : 0;
    out.tripled_median += 3 * limits->typical > *limits->too_long ? 1 : 0;
    out.tripled_beyond_p95 += 3 * in_seconds(duration) > out.p95 ? 1 : 0;
  }
  return out;
}

}  // namespace kleptometrics::bench

#include "tests/bench/tally.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace kleptometrics::bench {
namespace {

constexpr std::size_t kDifferencesMax = 5;

double seconds(Nanos time) { return static_cast<double>(time) / static_cast<double>(kNanosPerSecond); }

bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }

}  // namespace

Tally::Tally(const History& history) : history_(history), jobs_(history.options().jobs) {}

void Tally::add(const Sample& run) {
  JobTally& job = jobs_[run.job];
  if (run.failed) {
    ++job.failed;
    return;
  }
  job.min = job.succeeded == 0 ? run.duration : std::min(job.min, run.duration);
  job.max = std::max(job.max, run.duration);
  ++job.succeeded;
  job.sketch.add(static_cast<std::uint64_t>(run.duration));
}

void Tally::add(const StreamOptions& options, std::uint64_t first, std::uint64_t last) {
  StreamOptions once = options;
  once.resend_percent = 0;
  Stream stream(history_, once, first, last);
  std::vector<Sample> batch;
  while (stream.next(1'000, batch))
    for (const Sample& run : batch) add(run);
}

std::uint64_t Tally::runs() const {
  std::uint64_t runs = 0;
  for (const JobTally& job : jobs_) runs += job.succeeded + job.failed;
  return runs;
}

std::string Tally::difference(const JobTally& job, const nlohmann::json& stats) const {
  const auto differs = [](const char* what, double got, double expected) {
    return std::string(what) + " is " + std::to_string(got) + ", not " + std::to_string(expected);
  };
  const auto count = [&stats](const char* name) { return stats.value(name, std::uint64_t{0}); };
  for (const auto& [name, expected] :
       {std::pair{"count", job.succeeded}, {"succeeded", job.succeeded}, {"failed", job.failed}})
    if (count(name) != expected) return differs(name, static_cast<double>(count(name)), static_cast<double>(expected));
  if (job.succeeded == 0) return "";
  for (const auto& [name, expected] : {std::pair{"min", job.min}, {"max", job.max}})
    if (!near(stats.value(name, 0.0), seconds(expected), 1e-12))
      return differs(name, stats.value(name, 0.0), seconds(expected));
  const double median = job.sketch.quantile(0.5) / static_cast<double>(kNanosPerSecond);
  if (!near(stats.value("median", 0.0), median, 2 * Sketch::kRelativeError))
    return differs("median", stats.value("median", 0.0), median);
  return "";
}

std::vector<std::string> Tally::compare(Asker& asker) const {
  std::vector<std::string> differences;
  for (std::uint32_t job = 0; job < jobs_.size() && differences.size() < kDifferencesMax; ++job) {
    if (jobs_[job].succeeded + jobs_[job].failed == 0) continue;
    const std::string& name = history_.job_name(job);
    const std::string found = difference(jobs_[job], asker.json("/api/v1/jobs/" + name + "/stats"));
    if (!found.empty()) differences.push_back(name + ": " + found);
  }
  return differences;
}

}  // namespace kleptometrics::bench

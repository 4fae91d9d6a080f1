#include "aggregator/stats/run_compare.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "aggregator/stats/explain.h"

namespace kleptometrics::aggregator::stats {
namespace {

using Known = std::map<std::string, double, std::less<>>;
using Kind = Measure::Kind;

Known steps_of(const Run& run) {
  Known out;
  for (const Step& step : run.steps) {
    if (const auto seconds = value_of(run, {}, step.name)) out[step.name] = *seconds;
  }
  return out;
}

Known resources_of(const Run& run) {
  Known out;
  if (const auto cpu = value_of(run, {Kind::kCpu, {}}, {})) out["cpu_seconds"] = *cpu;
  const auto bytes = [&out](const char* name, std::optional<std::uint64_t> value) {
    if (value) out[name] = static_cast<double>(*value);
  };
  bytes("max_rss_bytes", run.resources.max_rss_bytes);
  bytes("read_bytes", run.resources.read_bytes);
  bytes("write_bytes", run.resources.write_bytes);
  return out;
}

PartDifference part(std::string name, std::optional<double> value, std::optional<double> reference) {
  PartDifference out;
  out.name = std::move(name);
  out.value = value;
  out.reference = reference;
  if (value && reference) out.difference = *value - *reference;
  out.ratio = ratio_of(value, reference);
  return out;
}

std::optional<double> find(const Known& known, const std::string& name) {
  const auto found = known.find(name);
  if (found == known.end()) return std::nullopt;
  return found->second;
}

// All that either side knows.
std::vector<PartDifference> parts(const Known& values, const Known& references) {
  Known all = values;
  all.insert(references.begin(), references.end());
  std::vector<PartDifference> out;
  for (const auto& [name, any] : all) out.push_back(part(name, find(values, name), find(references, name)));
  return out;
}

std::vector<PartDifference> step_parts(const Known& values, const Known& references) {
  std::vector<PartDifference> out = parts(values, references);
  for (PartDifference& step : out) step.difference = step.value.value_or(0) - step.reference.value_or(0);
  std::stable_sort(out.begin(), out.end(), [](const PartDifference& a, const PartDifference& b) {
    return std::abs(*a.difference) > std::abs(*b.difference);
  });
  return out;
}

// How many times as much or as little, by its logarithm. What has no ratio comes first: it appeared or is gone.
double weight_of(const PartDifference& part) {
  if (part.difference == 0.0) return 0;
  if (!part.ratio || !(*part.ratio > 0)) return HUGE_VAL;
  return std::abs(std::log(*part.ratio));
}

std::vector<PartDifference> counter_parts(const Known& values, const Known& references) {
  std::vector<PartDifference> out = parts(values, references);
  std::stable_sort(out.begin(), out.end(),
                   [](const PartDifference& a, const PartDifference& b) { return weight_of(a) > weight_of(b); });
  return out;
}

void fill(RunComparison& out, std::optional<double> reference, const Known& steps, const Known& counters,
          const Known& resources) {
  out.total = part({}, value_of(out.run, {}, {}), reference);
  out.steps = step_parts(steps_of(out.run), steps);
  out.counters = counter_parts(out.run.counters, counters);
  out.resources = parts(resources_of(out.run), resources);
}

bool changed(const RunComparison& comparison) {
  return changed_enough(*comparison.total.value, *comparison.total.reference);
}

Verdict direction_of(const RunComparison& comparison) {
  return *comparison.total.difference > 0 ? Verdict::kSlower : Verdict::kFaster;
}

Verdict verdict_by_rank(const RunComparison& comparison) {
  if (!comparison.percentile_rank || comparison.baseline->count < kRunSampleMin) return Verdict::kInsufficientData;
  if (!changed(comparison)) return Verdict::kUnchanged;
  const Verdict direction = direction_of(comparison);
  const double rank = *comparison.percentile_rank;
  return (direction == Verdict::kSlower ? rank : 1 - rank) >= kRankSlower ? direction : Verdict::kUnchanged;
}

}  // namespace

RunComparison compare_runs(Run run, Run to) {
  RunComparison out;
  out.run = std::move(run);
  fill(out, value_of(to, {}, {}), steps_of(to), to.counters, resources_of(to));
  out.to = std::move(to);
  if (out.total.difference) out.verdict = changed(out) ? direction_of(out) : Verdict::kUnchanged;
  out.explanation = explain(out);
  return out;
}

RunComparer::RunComparer(Run run, Nanos grace) : statistics_({}, {}, {State::kSucceeded}, grace) {
  out_.run = std::move(run);
}

void RunComparer::add(const Run& run) {
  if (run.state != State::kSucceeded) return;
  ++runs_;
  statistics_.add(run);
  if (const auto duration = value_of(run, {}, {})) durations_.push_back(*duration);
  for (const auto& [name, seconds] : steps_of(run)) steps_[name].push_back(seconds);
  for (const auto& [name, value] : run.counters) counters_[name].push_back(value);
  for (const auto& [name, value] : resources_of(run)) resources_[name].push_back(value);
}

std::optional<double> RunComparer::rank() const {
  const auto duration = value_of(out_.run, {}, {});
  if (!duration || durations_.empty()) return std::nullopt;
  double below = 0;
  for (const double other : durations_) below += other < *duration ? 1 : other == *duration ? 0.5 : 0;
  return below / static_cast<double>(durations_.size());
}

RunComparison RunComparer::finish() {
  const auto medians = [](const Values& values) {
    Known out;
    for (const auto& [name, each] : values) out[name] = median_of(each);
    return out;
  };
  for (auto& [name, seconds] : steps_) seconds.resize(runs_);  // those that came without it spent no time in it
  std::optional<double> median;
  if (!durations_.empty()) median = median_of(durations_);
  fill(out_, median, medians(steps_), medians(counters_), medians(resources_));
  out_.baseline = statistics_.finish();
  out_.percentile_rank = rank();
  out_.verdict = verdict_by_rank(out_);
  out_.explanation = explain(out_);
  return std::move(out_);
}

}  // namespace kleptometrics::aggregator::stats

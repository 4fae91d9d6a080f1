#include "aggregator/watch/adopted.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator {
namespace {

Step step_from(std::string name, cells::StepTotals totals) {
  Step step;
  step.name = std::move(name);
  step.count = totals.count;
  step.failed = totals.failed;
  step.total = totals.total;
  step.min = totals.min;
  step.max = totals.max;
  step.sketch = std::move(totals.sketch);
  return step;
}

void lay_over_steps(std::vector<Step>& steps, cells::RunRemains& remains) {
  for (auto& [name, totals] : remains.steps) {
    Step left = step_from(std::move(name), std::move(totals));
    const auto known =
        std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.name == left.name; });
    if (known == steps.end()) {
      if (steps.size() < limits::step_count_max) steps.push_back(std::move(left));
    } else if (left.count >= known->count) {
      *known = std::move(left);
    }
  }
}

void lay_over_numbers(Run& run, const cells::RunRemains& remains) {
  for (const auto& [name, value] : remains.counters) {
    const auto known = run.counters.find(name);
    if (known != run.counters.end()) {
      known->second = value;
    } else if (run.counters.size() < limits::counter_count_max) {
      run.counters.emplace(name, value);
    }
  }
  if (remains.progress) run.progress = remains.progress;
}

bool made_to_fit(Run& run) {
  const auto fits = [&] { return wire::encode_snapshot(run).size() <= limits::run_bytes_max; };
  for (int scale = Sketch::kScale; scale > Sketch::kScaleMin && !fits(); --scale)
    for (Step& step : run.steps) step.sketch.coarsen();
  return fits();
}

// nullopt: it is no run.
std::optional<Run> run_of(const journal::Record& record) {
  auto decoded = wire::decode_push(record.payload);
  if (!decoded.ok() || decoded->size() != 1 || !std::holds_alternative<Run>(decoded->front())) return std::nullopt;
  return std::get<Run>(std::move(decoded->front()));
}

}  // namespace

std::vector<Run> snapshots_in(const journal::Contents& contents) {
  std::vector<Run> runs;
  for (const journal::Record& record : contents.records)
    if (auto run = run_of(record)) runs.push_back(*std::move(run));
  return runs;
}

std::vector<Uuid> runs_in(const journal::Contents& contents) {
  std::vector<Uuid> runs;
  for (const Run& run : snapshots_in(contents)) runs.push_back(run.id);
  return runs;
}

bool lay_over(Run& run, cells::RunRemains remains) {
  if (remains.steps.empty() && remains.counters.empty() && !remains.progress) return true;
  Run laid = run;
  lay_over_steps(laid.steps, remains);
  lay_over_numbers(laid, remains);
  if (validate(laid) || !made_to_fit(laid)) return false;
  run = std::move(laid);
  return true;
}

Adopted adopted_from(const journal::Contents& contents, const End& end) {
  Adopted out;
  std::map<Uuid, Run> last;  // snapshot of each run: they come by sequence
  for (const journal::Record& record : contents.records) {
    auto run = run_of(record);
    if (!run) {
      ++out.strange;
      continue;
    }
    out.commands.emplace_back(ApplySnapshot{*run});
    last.insert_or_assign(run->id, *std::move(run));
  }
  // One verdict a run: a file made to hurt names one run in every record.
  const cells::Remains remains(contents.areas);
  for (auto& [id, run] : last) {
    if (terminal(run.state)) continue;
    cells::RunRemains left = remains.of(id);
    out.damaged += left.damaged;
    Run verdict = verdict_on(std::move(run), end);
    verdict.dropped = std::max(verdict.dropped, contents.dropped);
    if (!lay_over(verdict, std::move(left))) ++out.damaged;
    out.commands.emplace_back(ApplySnapshot{std::move(verdict)});
    ++out.crashed;
  }
  return out;
}

}  // namespace kleptometrics::aggregator

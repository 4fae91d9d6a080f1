#include "tests/fault/store/answers.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "aggregator/stats/rollup.h"

namespace kleptometrics::fault {
namespace {

using aggregator::JobHead;
using aggregator::Run;
using aggregator::Store;
using aggregator::Stretch;
using aggregator::SummaryRequest;
namespace stats = aggregator::stats;

constexpr const char* kSeries[] = {"duration",      "start_delay", "counter:rows", "seconds_per:rows",
                                   "max_rss_bytes", "cpu",         "step:load",    "step:load/parse"};

// What pieces come to, by job and start of the hour or day. Of pieces of durations beside another series the counts.
class Sums final : public aggregator::Pieces {
 public:
  Sums(Stretch::By by, stats::Series asked) : by_(by), asked_(std::move(asked)) {}

  void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) override {
    stats::Rollup& whole = sums_[{job, start}];
    if (series == asked_ && series.durations()) return whole.merge(piece);
    for (std::size_t i = 0; i < piece.outcomes.size(); ++i) {
      if (series == asked_) {
        whole.outcomes[i].values.merge(piece.outcomes[i].values);
      } else {
        whole.outcomes[i].runs += piece.outcomes[i].runs;
        whole.outcomes[i].late += piece.outcomes[i].late;
      }
    }
  }
  void run(const Run& run) override {
    const auto resolution = by_ == Stretch::By::kAll    ? stats::Resolution::kAll
                            : by_ == Stretch::By::kHour ? stats::Resolution::kHour
                                                        : stats::Resolution::kDay;
    sums_[{run.job, stats::start_of(run.started_at, resolution)}].add(run, asked_);
  }
  const std::map<std::pair<std::string, Nanos>, stats::Rollup>& sums() const { return sums_; }

 private:
  const Stretch::By by_;
  const stats::Series asked_;
  std::map<std::pair<std::string, Nanos>, stats::Rollup> sums_;
};

bool near(double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::max(std::abs(a), std::abs(b))); }

// Squared deviations of values that are nearly equal are what rounding leaves of the largest of them.
bool near_moments(const stats::Distribution& a, const stats::Distribution& b) {
  const double largest = std::max(std::abs(a.low.amount.number), std::abs(a.high.amount.number));
  const double rounding = 1e-9 * (1 + static_cast<double>(a.count) * largest * largest);
  return near(a.numbers.mean, b.numbers.mean) && std::abs(a.numbers.deviations - b.numbers.deviations) <= rounding;
}

bool same(const stats::Distribution& a, const stats::Distribution& b) {
  if (a.count != b.count || a.times != b.times || a.sketch.encode() != b.sketch.encode()) return false;
  return a.count == 0 || (a.low == b.low && a.high == b.high && near_moments(a, b));
}

bool same(const stats::Rollup& a, const stats::Rollup& b) {
  return std::equal(a.outcomes.begin(), a.outcomes.end(), b.outcomes.begin(), [](const auto& x, const auto& y) {
    return x.runs == y.runs && x.late == y.late && same(x.values, y.values);
  });
}

void compare_series(Store& store, Store& model, const stats::Series& series, const Stretch& stretch, Faults& faults) {
  const SummaryRequest request{.series = series, .stretches = {stretch}};
  Sums ours(stretch.by, series);
  Sums theirs(stretch.by, series);
  if (!store.summarize(request, ours).ok() || !model.summarize(request, theirs).ok())
    return faults.push_back("a summary of " + text_of(series) + " is refused");
  const auto words = [&](const std::string& job, Nanos start) {
    return text_of(series) + " of " + job + " from " + std::to_string(start) + " by " +
           std::to_string(static_cast<int>(stretch.by));
  };
  for (const auto& [key, sum] : theirs.sums()) {
    const auto found = ours.sums().find(key);
    if (found == ours.sums().end()) {
      faults.push_back("no sums of " + words(key.first, key.second));
    } else if (!same(found->second, sum)) {
      faults.push_back("other sums of " + words(key.first, key.second));
    }
  }
  for (const auto& [key, sum] : ours.sums())
    if (!theirs.sums().contains(key)) faults.push_back("sums of nothing: " + words(key.first, key.second));
}

bool same(const JobHead& a, const JobHead& b) {
  return std::tie(a.name, a.spec, a.last_run, a.last_verdict, a.running) ==
         std::tie(b.name, b.spec, b.last_run, b.last_verdict, b.running);
}

}  // namespace

StoredRuns runs_of(Store& store, Faults& faults) {
  StoredRuns runs;
  const absl::Status status = store.scan({}, [&](const Run& run) {
    if (!runs.emplace(run.id, run).second) faults.push_back(run.id.text() + " is stored twice");
  });
  if (!status.ok()) faults.push_back(status.ToString());
  return runs;
}

void compare_sums(Store& store, Store& model, Faults& faults) {
  constexpr Nanos kEnd = 40'000 * stats::kDay;  // in the year 2079
  for (const char* const name : kSeries) {
    const stats::Series series = *stats::series_named(name);
    compare_series(store, model, series, {Stretch::By::kAll}, faults);
    compare_series(store, model, series, {Stretch::By::kDay, 0, kEnd}, faults);
    if (series.durations()) compare_series(store, model, series, {Stretch::By::kHour, 0, kEnd}, faults);
  }
}

void compare_heads(Store& store, Store& model, Faults& faults) {
  const auto ours = store.jobs();
  const auto theirs = model.jobs();
  if (!ours.ok() || !theirs.ok() || ours->size() != theirs->size()) return faults.push_back("other jobs");
  for (std::size_t i = 0; i < ours->size(); ++i) {
    const std::string& name = (*theirs)[i].name;
    if (!same((*ours)[i], (*theirs)[i])) faults.push_back("another head of " + name);
    const auto since = store.complete_since(name);
    if (!since.ok() || *since != *model.complete_since(name))
      faults.push_back(name + " is complete since another time");
  }
}

void verify(Store& store, Faults& faults) {
  const auto found = store.verify(5);
  if (!found.ok()) return faults.push_back("verify: " + found.status().ToString());
  for (const std::string& each : *found) faults.push_back("verify: " + each);
}

void check_integrity(const std::string& path, const std::string& vfs, Faults& faults) {
  sqlite3* db = nullptr;
  std::string said;
  const auto keep = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0];
    return 0;
  };
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, vfs.empty() ? nullptr : vfs.c_str()) == SQLITE_OK)
    sqlite3_exec(db, "PRAGMA integrity_check", keep, &said, nullptr);
  sqlite3_close(db);
  if (said != "ok") faults.push_back("integrity_check: " + said);
}

}  // namespace kleptometrics::fault

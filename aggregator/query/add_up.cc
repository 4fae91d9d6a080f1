#include "aggregator/query/add_up.h"

#include <limits>

namespace kleptometrics::aggregator::query {
namespace {

constexpr int kAttemptsMax = 3;

// Of a series other than durations values come by its own pieces, counts by those of durations.
class Merger final : public Pieces {
 public:
  Merger(const stats::Series& series, Places& places)
      : series_(series), durations_(series.durations()), places_(places) {}

  void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) override {
    const bool counts = series.durations();
    if (!counts && (durations_ || series != series_)) return;
    stats::Rollup* const sum = places_.of(job, start);
    if (sum == nullptr) return;
    if (durations_) return sum->merge(piece);
    for (std::size_t at = 0; at < piece.outcomes.size(); ++at) merge(piece.outcomes[at], counts, sum->outcomes[at]);
  }

  void run(const Run& run) override {
    if (stats::Rollup* const sum = places_.of(run.job, run.started_at)) sum->add(run, series_);
  }

 private:
  static void merge(const stats::Rollup::Outcome& piece, bool counts, stats::Rollup::Outcome& sum) {
    if (!counts) return sum.values.merge(piece.values);
    sum.runs += piece.runs;
    sum.late += piece.late;
  }

  const stats::Series& series_;
  const bool durations_;
  Places& places_;
};

}  // namespace

// Runs may expire between the look at what is complete and the view of the store: then anew, and the last time without
// single runs.
absl::StatusOr<Plan> add_up(Store& store, const std::string& job, const stats::Series& series, Cut cut,
                            Places& places) {
  cut.hours = series.durations();
  for (int attempt = 1;; ++attempt) {
    const auto complete = store.complete_since(job);
    if (!complete.ok()) return complete.status();
    cut.complete_since = attempt < kAttemptsMax ? *complete : std::numeric_limits<Nanos>::max();
    SummaryRequest request;
    Plan made = plan(cut);
    request.job = job;
    request.series = series;
    request.stretches = made.stretches;
    places.clear();
    Merger merger(series, places);
    if (auto status = store.summarize(request, merger); !status.ok()) return status;
    const Nanos runs_since = made.runs_since();
    if (runs_since == kTimeEnd || attempt == kAttemptsMax) return made;
    const auto still_complete = store.complete_since(job);
    if (!still_complete.ok()) return still_complete.status();
    if (*still_complete <= runs_since) return made;
  }
}

stats::Rounded rounded_of(const Plan& plan, const std::optional<Nanos>& since, const std::optional<Nanos>& until) {
  stats::Rounded out;
  if (!plan.rounded) return out;
  out.approximate = true;
  if (since) out.since = plan.covers.start;
  if (until) out.until = plan.covers.end;
  return out;
}

void PlaceOfJob::clear() {
  sums_.clear();
  last_ = nullptr;
  last_job_.clear();
}

stats::Rollup* PlaceOfJob::of(const std::string& job, Nanos) {
  if (job == last_job_) return last_;
  last_job_ = job;
  last_ = wanted_ && !wanted_(job) ? nullptr : &sums_[job];
  return last_;
}

}  // namespace kleptometrics::aggregator::query

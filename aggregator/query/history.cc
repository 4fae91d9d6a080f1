// Statistics by hour, day, week or month: one pass over the runs, an accumulator a bucket.
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {
namespace {

class Buckets {
 public:
  explicit Buckets(const HistoryRequest& request) : request_(request) {}

  void add(const Run& run) {
    if (terminal(run.state)) bucket_of(run.started_at).values.add(run);
  }

  std::vector<stats::Bucket> finish() {
    std::vector<stats::Bucket> out;
    out.reserve(open_.size());
    for (auto& [start, bucket] : open_) out.push_back({start, bucket.end, bucket.values.finish()});
    return out;
  }

 private:
  struct Bucket {
    Nanos end;
    stats::Accumulator values;
  };

  Bucket& bucket_of(Nanos at) {
    auto after = open_.upper_bound(at);
    if (after != open_.begin() && at < std::prev(after)->second.end) return std::prev(after)->second;
    const Calendar::Span span = request_.calendar.span_of(at);
    const StatsRequest& of = request_.of;
    Bucket made{span.end, stats::Accumulator(of.measure, of.step, of.outcomes, kGraceDefault)};
    return open_.emplace_hint(after, span.start, std::move(made))->second;
  }

  const HistoryRequest& request_;
  std::map<Nanos, Bucket> open_;  // by start
};

}  // namespace

absl::StatusOr<stats::History> Query::history(const HistoryRequest& request) {
  RunFilter filter = request.of.filter;
  filter.states.clear();
  Buckets buckets(request);
  bool any = false;
  const absl::Status scanned = store_.scan(filter, [&](const Run& run) {
    any = true;
    buckets.add(run);
  });
  if (!scanned.ok()) return scanned;
  if (!any && !filter.job.empty()) {
    if (auto missing = require(filter.job); !missing.ok()) return missing;
  }
  return stats::history_of(buckets.finish(), request.min_count);
}

}  // namespace kleptometrics::aggregator::query

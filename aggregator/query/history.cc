// Statistics by hour, day, week or month: pieces, or where more is asked than they know single runs, each put into the
// bucket that holds its start.
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "aggregator/query/add_up.h"
#include "aggregator/query/parts.h"
#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {
namespace {

// Made as they are needed, so that time without runs costs nothing.
template <typename Contents>
class Buckets {
 public:
  struct Bucket {
    Nanos end;
    Contents contents;
  };
  using Map = std::map<Nanos, Bucket>;  // by start

  explicit Buckets(const Calendar& calendar) : calendar_(calendar) {}

  template <typename Make>
  Contents& at(Nanos instant, Make make) {
    auto after = open_.upper_bound(instant);
    if (after != open_.begin() && instant < std::prev(after)->second.end) return std::prev(after)->second.contents;
    const Calendar::Span span = calendar_.span_of(instant);
    return open_.emplace_hint(after, span.start, Bucket{span.end, make()})->second.contents;
  }
  void clear() { open_.clear(); }
  Map& open() { return open_; }

 private:
  const Calendar& calendar_;
  Map open_;
};

class PlaceOfTime final : public Places {
 public:
  explicit PlaceOfTime(const Calendar& calendar) : buckets_(calendar) {}
  void clear() override { buckets_.clear(); }
  stats::Rollup* of(const std::string&, Nanos at) override {
    return &buckets_.at(at, [] { return stats::Rollup(); });
  }
  Buckets<stats::Rollup>::Map& open() { return buckets_.open(); }

 private:
  Buckets<stats::Rollup> buckets_;
};

// Of a bucket, what it counts where that is not what was asked for.
stats::Rounded rounded_in(const Plan& plan, const Calendar::Span& span, const RunFilter& filter) {
  const Calendar::Span counted = plan.counted_for(span);
  const Nanos since = std::max(span.start, filter.since.value_or(span.start));
  const Nanos until = std::min(span.end, filter.until.value_or(span.end));
  if (counted.start == since && counted.end == until) return {};
  return {true, counted.start, counted.end};
}

}  // namespace

absl::StatusOr<stats::History> Query::history(const HistoryRequest& request) {
  const StatsRequest& of = request.of;
  std::vector<stats::Bucket> out;
  stats::Rounded rounded;
  if (from_rollups(of.filter)) {
    PlaceOfTime places(request.calendar);
    const auto plan = add_up(store_, of.filter.job, series_of(of), cut_by(request.calendar, of.filter), places);
    if (!plan.ok()) return plan.status();
    if (auto missing = require_unless(!places.open().empty(), of.filter.job); !missing.ok()) return missing;
    for (auto& [start, bucket] : places.open()) {
      out.push_back({start, bucket.end, stats::stats_of(bucket.contents, of.outcomes)});
      if (plan->rounded) out.back().stats.rounded = rounded_in(*plan, {start, bucket.end}, of.filter);
    }
    rounded = rounded_of(*plan, of.filter.since, of.filter.until);
  } else {
    Buckets<stats::Accumulator> buckets(request.calendar);
    const auto make = [&of] { return stats::Accumulator(of.measure, of.step, of.outcomes, kGraceDefault); };
    const auto seen = scan(of, [&](const Run& run) { buckets.at(run.started_at, make).add(run); });
    if (!seen.ok()) return seen.status();
    for (auto& [start, bucket] : buckets.open()) out.push_back({start, bucket.end, bucket.contents.finish()});
    rounded = *seen;
  }
  stats::History history = stats::history_of(std::move(out), request.min_count);
  history.rounded = rounded;
  return history;
}

}  // namespace kleptometrics::aggregator::query

#include "aggregator/query/plan.h"

#include <algorithm>

namespace kleptometrics::aggregator::query {
namespace {

using By = Stretch::By;
using Span = Calendar::Span;

Nanos clamped(Nanos at) { return std::clamp(at, kTimeBegin, kTimeEnd); }

class Planner {
 public:
  explicit Planner(const Cut& cut) : cut_(cut) {
    plan_.covers = {clamped(cut.since.value_or(kTimeBegin)), clamped(cut.until.value_or(kTimeEnd))};
    plan_.covers.end = std::max(plan_.covers.start, plan_.covers.end);
    plan_.smallest = cut.hours ? stats::kHour : stats::kDay;
  }

  Plan finish() {
    if (all_time()) {
      plan_.stretches.push_back({});
    } else if (plan_.covers.start < plan_.covers.end) {
      cut_edges();
    }
    return std::move(plan_);
  }

 private:
  bool all_time() const {
    return cut_.largest == By::kAll && cut_.apart.empty() && plan_.covers.start == kTimeBegin &&
           plan_.covers.end == kTimeEnd;
  }

  // What lies before the first whole hour (or day) and behind the last, and what lies between.
  void cut_edges() {
    Span& covers = plan_.covers;
    Nanos first = ceil_of(covers.start, plan_.smallest);
    Nanos last = floor_of(covers.end, plan_.smallest);
    const bool within_one = first > last;
    if (covers.start < first && !complete(covers.start)) first = covers.start = round(covers.start);
    if (last < covers.end && !complete(within_one ? covers.start : last)) {
      last = covers.end = round(covers.end + plan_.smallest - 1);
    }
    if (within_one && first > last) return add(By::kRuns, covers.start, covers.end);
    add(By::kRuns, covers.start, first);
    cut_whole(first, last);
    add(By::kRuns, last, covers.end);
  }

  bool complete(Nanos since) const { return since >= cut_.complete_since; }

  Nanos round(Nanos edge) {
    plan_.rounded = true;
    return floor_of(edge, plan_.smallest);
  }

  // Between whole hours (or days).
  void cut_whole(Nanos since, Nanos until) {
    // Without hours nothing tells apart what lies within a day but runs.
    if (!cut_.hours && (cut_.largest == By::kHour || !cut_.apart.empty())) return cut_apart(since, until);
    for (const Span& apart : cut_.apart) {
      const Span part = {std::clamp(apart.start, since, until), std::clamp(apart.end, since, until)};
      if (part.start >= part.end) continue;
      cut_even(since, part.start);
      cut_apart(part.start, part.end);
      since = part.end;
    }
    cut_even(since, until);
  }

  void cut_even(Nanos since, Nanos until) {
    if (cut_.largest == By::kHour) return add(By::kHour, since, until);
    const Nanos first = ceil_of(since, stats::kDay);
    const Nanos last = floor_of(until, stats::kDay);
    if (first >= last) return add(By::kHour, since, until);
    add(By::kHour, since, first);
    add(By::kDay, first, last);
    add(By::kHour, last, until);
  }

  void cut_apart(Nanos since, Nanos until) {
    const Nanos kept = std::min(cut_.complete_since, kTimeEnd);  // so that rounding up does not overflow
    const Nanos from = std::clamp(ceil_of(std::max(kept, kTimeBegin), plan_.smallest), since, until);
    if (since < from) {
      plan_.rounded = true;
      plan_.coarse.push_back({since, from});
    }
    add(cut_.hours ? By::kHour : By::kDay, since, from);
    add(By::kRuns, from, until);
  }

  void add(By by, Nanos since, Nanos until) {
    if (since >= until) return;
    if (!plan_.stretches.empty() && plan_.stretches.back().by == by && plan_.stretches.back().until == since) {
      plan_.stretches.back().until = until;
    } else {
      plan_.stretches.push_back({by, since, until});
    }
  }

  const Cut& cut_;
  Plan plan_;
};

}  // namespace

Nanos Plan::runs_since() const {
  for (const Stretch& stretch : stretches) {
    if (stretch.by == By::kRuns) return stretch.since;
  }
  return kTimeEnd;
}

Calendar::Span Plan::counted_for(const Calendar::Span& part) const {
  const auto edge = [this](Nanos at) {
    const bool inside =
        std::ranges::any_of(coarse, [at](const Span& span) { return span.start < at && at < span.end; });
    return inside ? ceil_of(at, smallest) : at;
  };
  return {std::max(edge(part.start), covers.start), std::min(edge(part.end), covers.end)};
}

Plan plan(const Cut& cut) { return Planner(cut).finish(); }

}  // namespace kleptometrics::aggregator::query

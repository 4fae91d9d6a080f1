// How answers are put together from the pieces that the store keeps: a plan says which, the store hands them out in one
// consistent view, and each is merged into the rollup of the place that it belongs to.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "absl/status/statusor.h"
#include "aggregator/query/plan.h"
#include "aggregator/query/query.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::query {

// Where pieces go.
class Places {
 public:
  virtual ~Places() = default;
  // Forgets everything: what was added came from a view that cannot be used.
  virtual void clear() = 0;
  // Where a piece or run of the job belongs that starts at the instant (0 for all time); stays until clear(). Null: it
  // is passed over.
  virtual stats::Rollup* of(const std::string& job, Nanos at) = 0;
};

// Adds up the series of the job (empty: of all) into the places. `cut` without `hours` and `complete_since`, which come
// from the series and the store. Answers the plan that it went by.
absl::StatusOr<Plan> add_up(Store& store, const std::string& job, const stats::Series& series, Cut cut, Places& places);

// What an answer says of edges that were rounded, where they were.
stats::Rounded rounded_of(const Plan& plan, const std::optional<Nanos>& since, const std::optional<Nanos>& until);

// One place for everything.
class OnePlace final : public Places {
 public:
  stats::Rollup sum;
  void clear() override { sum = {}; }
  stats::Rollup* of(const std::string&, Nanos) override { return &sum; }
};

// A place a job.
class PlaceOfJob final : public Places {
 public:
  using Sums = absl::node_hash_map<std::string, stats::Rollup>;
  // False for jobs that are passed over; empty: none is.
  using Wanted = std::function<bool(std::string_view job)>;

  explicit PlaceOfJob(Wanted wanted = {}) : wanted_(std::move(wanted)) {}
  void clear() override;
  stats::Rollup* of(const std::string& job, Nanos at) override;
  const Sums& sums() const { return sums_; }

 private:
  Wanted wanted_;
  Sums sums_;
  // Pieces of a job mostly come one after the other.
  std::string last_job_;
  stats::Rollup* last_ = nullptr;
};

}  // namespace kleptometrics::aggregator::query

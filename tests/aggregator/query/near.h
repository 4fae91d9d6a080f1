// Statistics from rollups against the same computed from every single run.
#pragma once

#include <cmath>
#include <optional>

#include "aggregator/stats/stats.h"
#include "lib/sketch/sketch.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {

inline void check_within(const std::optional<double>& value, const std::optional<double>& exact, double error) {
  REQUIRE(value.has_value() == exact.has_value());
  if (value) CHECK(std::abs(*value - *exact) <= error * std::abs(*exact));
}

inline void check_extreme(const std::optional<stats::Extreme>& extreme, const std::optional<stats::Extreme>& exact) {
  REQUIRE(extreme.has_value() == exact.has_value());
  if (!extreme) return;
  CHECK(extreme->value == exact->value);
  CHECK(extreme->run_id == exact->run_id);
  CHECK(extreme->at == exact->at);
}

// Everything but the quantiles is exact (to rounding, of means and deviations); those are as near as is promised.
inline void check_near(const stats::Stats& stats, const stats::Stats& exact) {
  CHECK(stats.count == exact.count);
  CHECK(stats.succeeded == exact.succeeded);
  CHECK(stats.failed == exact.failed);
  CHECK(stats.canceled == exact.canceled);
  CHECK(stats.crashed == exact.crashed);
  CHECK(stats.late == exact.late);
  CHECK(stats.min == exact.min);
  CHECK(stats.max == exact.max);
  CHECK(stats.success_rate == exact.success_rate);
  check_extreme(stats.low, exact.low);
  check_extreme(stats.high, exact.high);
  check_within(stats.mean, exact.mean, 1e-12);
  check_within(stats.stddev, exact.stddev, 1e-9);
  CHECK(stats.quantile_error <= Sketch::kRelativeError);
  check_within(stats.median, exact.median, stats.quantile_error);
  check_within(stats.p90, exact.p90, stats.quantile_error);
  check_within(stats.p95, exact.p95, stats.quantile_error);
  check_within(stats.p99, exact.p99, stats.quantile_error);
}

}  // namespace kleptometrics::aggregator::query

// Since when is it slower? Finds the points of a series at which its level changes for good: E-divisive means (D. S.
// Matteson, N. A. James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data", Journal of
// the American Statistical Association 109 (2014), 334-345), as used for the history of performance by MongoDB (D.
// Daly, W. Brown, H. Ingo, J. O'Leary, D. Bradford, "The Use of Change Point Detection to Identify Software Performance
// Regressions in a Continuous Integration System", ICPE 2020) and Apache Otava (M. Fleming, P. Kolaczkowski, I. Kumar,
// S. Das, S. McCarthy, P. Pattabhiraman, H. Ingo, "Hunter: Using Change Point Detection to Hunt for Performance
// Regressions", ICPE 2023).
//
// Where a change may be is where the energy statistic of E-divisive is largest. Whether it is one is not left to random
// permutations, but to the rank test of the two sides (ranks.h), corrected for the place having been looked for: no
// chance is involved, a single outlier decides nothing, and how often noise is taken for a change does not depend on
// its distribution. A segment that shows nothing as a whole is looked at through windows of half its length, a quarter
// and so on, which overlap by half (S. Kovacs, P. Buehlmann, H. Li, A. Munk, "Seeded binary segmentation", Biometrika
// 110 (2023), 249-256), so that a rise that was taken back later is seen too.
//
// Pure: no I/O, no clock, and the same answer for the same series. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "aggregator/stats/compare.h"

namespace kleptometrics::aggregator::stats {

// A change has so many points on either side at least.
inline constexpr std::size_t kSegmentMin = 5;
// Longer series are to be put together: see Points.
inline constexpr std::size_t kPointsMax = 1000;

// A point at which the level of a series changes.
struct Change {
  std::size_t at = 0;  // the first point of the new level
  // The segments before and after: from the change before to this one, from this one to the change after.
  std::size_t begin = 0, end = 0;
  double before = 0, after = 0;  // their medians
  double p_value = 1;            // of the two segments, corrected for the place having been looked for
  Verdict verdict = Verdict::kUnchanged;
};

// In order. Medians of neighbours differ by at least kChangeMin. At most about kPointsMax values: time grows with the
// square of their number (a few milliseconds at 1,000). Values are finite.
std::vector<Change> changes_in(const std::vector<double>& values);

// Where the E-divisive statistic of the values is largest, with kSegmentMin values on either side at least: the first
// of the second part. nullopt of fewer than 2 kSegmentMin values, or where all are equal.
std::optional<std::size_t> most_divisive(const std::vector<double>& values);

// How likely the largest of all standardised two-sample statistics over the places of a series of independent values
// reaches `deviations`, with `least` values on either side at least. B. James, K. L. James, D. Siegmund, "Tests for a
// change-point", Biometrika 74 (1987), 71-83. An upper bound for one place, however it was chosen.
double p_of_largest(double deviations, std::size_t values, std::size_t least);

}  // namespace kleptometrics::aggregator::stats

// Which of two samples is the larger, and may that be chance? Tests that look at the order of the values alone know
// nothing of the shape of their distributions: durations are skewed, and a single outlier must not decide. Comparisons
// and change points are judged by them.
//
// Pure functions: any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lib/sketch/sketch.h"

namespace kleptometrics::aggregator::stats {

struct RankTest {
  double probability_slower = 0.5;  // that a value of the first is above one of the second, ties half
  double p_value = 1;               // two-sided
  // Cliff's delta, -1 to 1: how much more often one of the first is above one of the second than below it. N. Cliff,
  // "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114 (1993), 494-509.
  double effect_size() const { return 2 * probability_slower - 1; }
};

// Up to so many values a side, if no two are equal, the p-value is exact.
inline constexpr std::size_t kExactRanksMax = 20;

// Values of two samples in rising order, equal ones together, added up to the U test of H. B. Mann and D. R. Whitney,
// "On a test of whether one of two random variables is stochastically larger than the other", Annals of Mathematical
// Statistics 18 (1947), 50-60: exact by the distribution given there for small samples without ties, else by the
// normal approximation with correction for ties (E. L. Lehmann, "Nonparametrics", 1975, section 1.4) and for
// continuity.
class RankSum {
 public:
  // So many values of the first and of the second sample, equal to each other and above all before.
  void add(double ours, double theirs);
  // nullopt if one of the two has none.
  std::optional<RankTest> test() const;

  // By the normal approximation: how far the first lies above what chance expects, in standard deviations. 0 where all
  // values are equal, or one of the two has none.
  double deviations() const;

 private:
  double off() const { return above_ - ours_ * theirs_ / 2; }
  double variance() const;

  double ours_ = 0, theirs_ = 0;
  double above_ = 0;  // U: pairs in which ours is above, ties half
  double ties_ = 0;   // sum of t^3 - t over groups of t equal values
};

// Take the values in any order; a test is nullopt if one of the two has none.
RankSum ranked(std::vector<double> window, std::vector<double> baseline);
std::optional<RankTest> mann_whitney(std::vector<double> window, std::vector<double> baseline);
// Of two sketches: what lies in one bucket counts as equal. Of two scales the coarser decides.
std::optional<RankTest> mann_whitney(const Sketch& window, const Sketch& baseline);

// How much must be added to the values of the baseline for the two to be alike: the median of all differences between a
// value of the one and a value of the other (at rank ceil(n / 2), as all quantiles here). J. L. Hodges, E. L. Lehmann,
// "Estimates of location based on rank tests", Annals of Mathematical Statistics 34 (1963), 598-611. In any order;
// takes no longer than sorting them. nullopt if one of the two has none.
std::optional<double> hodges_lehmann(std::vector<double> window, std::vector<double> baseline);

}  // namespace kleptometrics::aggregator::stats

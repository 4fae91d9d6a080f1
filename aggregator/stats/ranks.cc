#include "aggregator/stats/ranks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

namespace kleptometrics::aggregator::stats {
namespace {

// In how many of all orders of m and n values each U occurs: the coefficients of the Gaussian binomial (m + n over m),
// built up from (n + i over i) = (n + i - 1 over i - 1) (1 - q^(n + i)) / (1 - q^i). Whole numbers below 2^53 for the
// sizes that it is used at.
std::vector<double> orders_by_u(std::size_t m, std::size_t n) {
  std::vector<double> orders(m * n + 1, 0.0);
  orders[0] = 1;
  for (std::size_t i = 1; i <= m; ++i) {
    for (std::size_t u = orders.size(); u-- > n + i;) orders[u] -= orders[u - n - i];
    for (std::size_t u = i; u < orders.size(); ++u) orders[u] += orders[u - i];
  }
  return orders;
}

double exact_p(double above, std::size_t m, std::size_t n) {
  const auto orders = orders_by_u(m, n);
  const auto u = static_cast<std::size_t>(above);
  const auto tail = static_cast<std::ptrdiff_t>(std::min(u, m * n - u)) + 1;
  const double sum = std::accumulate(orders.begin(), orders.begin() + tail, 0.0);
  return std::min(1.0, 2 * sum / std::accumulate(orders.begin(), orders.end(), 0.0));
}

// Doubles in their order as whole numbers, and back: so that halving an interval ends at neighbours.
constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
std::uint64_t place_of(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}
double at_place(std::uint64_t place) { return std::bit_cast<double>((place & kSign) != 0 ? place & ~kSign : ~place); }

// How many of the differences are at most `bound`. Both sorted.
double differences_up_to(double bound, const std::vector<double>& window, const std::vector<double>& baseline) {
  double count = 0;
  std::size_t up_to = 0;
  for (std::size_t b = 0; b < baseline.size(); ++b) {
    while (up_to < window.size() && window[up_to] - baseline[b] <= bound) ++up_to;
    count += static_cast<double>(up_to);
  }
  return count;
}

}  // namespace

void RankSum::add(double ours, double theirs) {
  above_ += ours * (theirs_ + theirs / 2);
  ours_ += ours;
  theirs_ += theirs;
  const double t = ours + theirs;
  ties_ += t * t * t - t;
}

double RankSum::variance() const {
  const double all = ours_ + theirs_;
  if (!(all > 1)) return 0;
  return ours_ * theirs_ / 12 * (all + 1 - ties_ / (all * (all - 1)));
}

double RankSum::deviations() const {
  const double spread = variance();
  return spread > 0 ? off() / std::sqrt(spread) : 0;
}

std::optional<RankTest> RankSum::test() const {
  if (!(ours_ > 0) || !(theirs_ > 0)) return std::nullopt;
  RankTest test;
  test.probability_slower = above_ / (ours_ * theirs_);
  constexpr auto kExact = static_cast<double>(kExactRanksMax);
  if (ties_ == 0 && ours_ <= kExact && theirs_ <= kExact) {
    test.p_value = exact_p(above_, static_cast<std::size_t>(ours_), static_cast<std::size_t>(theirs_));
  } else if (const double spread = variance(); spread > 0) {
    test.p_value = std::erfc(std::max(0.0, std::abs(off()) - 0.5) / std::sqrt(2 * spread));
  }
  return test;
}

RankSum ranked(std::vector<double> window, std::vector<double> baseline) {
  std::sort(window.begin(), window.end());
  std::sort(baseline.begin(), baseline.end());
  RankSum sum;
  for (std::size_t w = 0, b = 0; w < window.size() || b < baseline.size();) {
    const double value = w == window.size()     ? baseline[b]
                         : b == baseline.size() ? window[w]
                                                : std::min(window[w], baseline[b]);
    const std::size_t first_w = w;
    const std::size_t first_b = b;
    while (w < window.size() && window[w] == value) ++w;
    while (b < baseline.size() && baseline[b] == value) ++b;
    sum.add(static_cast<double>(w - first_w), static_cast<double>(b - first_b));
  }
  return sum;
}

std::optional<RankTest> mann_whitney(std::vector<double> window, std::vector<double> baseline) {
  return ranked(std::move(window), std::move(baseline)).test();
}

std::optional<RankTest> mann_whitney(const Sketch& window, const Sketch& baseline) {
  Sketch ours = window;
  Sketch theirs = baseline;
  while (ours.scale() > theirs.scale()) ours.coarsen();
  while (theirs.scale() > ours.scale()) theirs.coarsen();
  const auto count_at = [](const Sketch& sketch, int bucket) {
    const int at = bucket - sketch.offset();
    if (at < 0 || at >= static_cast<int>(sketch.counts().size())) return 0.0;
    return static_cast<double>(sketch.counts()[static_cast<std::size_t>(at)]);
  };
  RankSum sum;
  const auto add = [&sum](double ours_there, double theirs_there) {
    if (ours_there + theirs_there > 0) sum.add(ours_there, theirs_there);
  };
  add(static_cast<double>(ours.zero_count()), static_cast<double>(theirs.zero_count()));
  const auto end_of = [](const Sketch& sketch) { return sketch.offset() + static_cast<int>(sketch.counts().size()); };
  const int end = std::max(end_of(ours), end_of(theirs));
  for (int bucket = std::min(ours.offset(), theirs.offset()); bucket < end; ++bucket) {
    add(count_at(ours, bucket), count_at(theirs, bucket));
  }
  return sum.test();
}

std::optional<double> hodges_lehmann(std::vector<double> window, std::vector<double> baseline) {
  if (window.empty() || baseline.empty()) return std::nullopt;
  std::sort(window.begin(), window.end());
  std::sort(baseline.begin(), baseline.end());
  const double rank = std::ceil(static_cast<double>(window.size()) * static_cast<double>(baseline.size()) / 2);
  // The smallest double that so many of the differences do not exceed: it is one of them.
  std::uint64_t low = place_of(window.front() - baseline.back());
  std::uint64_t high = place_of(window.back() - baseline.front());
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (differences_up_to(at_place(middle), window, baseline) >= rank) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return at_place(low) + 0.0;  // no negative zero
}

}  // namespace kleptometrics::aggregator::stats

#include "aggregator/stats/history.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

// A bucket that begins at `start` and measured `count` values.
Bucket bucket(Nanos start, std::uint64_t count, double median) {
  Bucket bucket{start, start + 1, {}};
  bucket.stats.count = count;
  bucket.stats.succeeded = count;
  if (count > 0) bucket.stats.median = median;
  return bucket;
}

TEST_CASE("of nothing there is neither peak nor low") {
  const History history = history_of({}, 1);
  CHECK(history.buckets.empty());
  CHECK_FALSE(history.peak);
  CHECK_FALSE(history.low);
}

TEST_CASE("peak and low have the highest and the lowest median, the earliest of equal ones") {
  const History history =
      history_of({bucket(1, 1, 5), bucket(2, 1, 9), bucket(3, 1, 2), bucket(4, 1, 9), bucket(5, 1, 2)}, 1);
  REQUIRE(history.peak);
  CHECK(history.buckets[*history.peak].start == 2);
  CHECK(history.buckets[*history.low].start == 3);
}

TEST_CASE("buckets with too few values are shown, but are neither peak nor low") {
  const History history = history_of({bucket(1, 1, 99), bucket(2, 3, 9), bucket(3, 2, 1)}, 3);
  CHECK(history.buckets.size() == 3);
  CHECK(history.buckets[*history.peak].start == 2);
  CHECK(history.buckets[*history.low].start == 2);
  CHECK_FALSE(history_of({bucket(1, 1, 99)}, 2).peak);
}

TEST_CASE("empty buckets are left out, those of failures alone are not") {
  Bucket failures = bucket(2, 0, 0);
  failures.stats.failed = 3;
  const History history = history_of({bucket(1, 0, 0), failures, bucket(3, 1, 4)}, 1);
  REQUIRE(history.buckets.size() == 2);
  CHECK(history.buckets[0].start == 2);
  CHECK(history.buckets[*history.peak].start == 3);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats

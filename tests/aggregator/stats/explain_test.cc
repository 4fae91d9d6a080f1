#include "aggregator/stats/explain.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

std::string text(double value, const char* measure = "duration") { return value_text(value, *Measure::parse(measure)); }

TEST_CASE("times are written with three digits and the unit that suits") {
  CHECK(text(0) == "0 s");
  CHECK(text(1.25e-8) == "12.5 ns");
  CHECK(text(0.0000125) == "12.5 us");
  CHECK(text(0.0045) == "4.50 ms");
  CHECK(text(0.9994) == "999 ms");
  CHECK(text(61.2) == "61.2 s");
  CHECK(text(119) == "119 s");
  CHECK(text(750) == "12.5 min");
  CHECK(text(86'400) == "24.0 h");
  CHECK(text(1e9) == "277778 h");
}

TEST_CASE("what is no time has its own unit or none") {
  CHECK(text(1'048'576, "max_rss_bytes") == "1.04858e+06 bytes");
  CHECK(text(1500, "counter:rows") == "1500");
  CHECK(text(-2.5, "counter:debt") == "-2.5");
  CHECK(text(0.002, "seconds_per:rows") == "2.00 ms");
}

TEST_CASE("the part that explains most of a difference is named in its unit") {
  CHECK(part_text({{"load", 60}, {"merge", 2280}}, 2460) == "38 of the 41 min more in `merge`");
  CHECK(part_text({{"load", -1.5}, {"merge", -3}}, -5) == "3.0 of the 5.0 s less in `merge`");
  CHECK(part_text({{"a", 1}, {"b", 1}}, 4).empty());
  CHECK(part_text({{"a", -4}}, 4).empty());
  CHECK(part_text({}, 4).empty());
  CHECK(part_text({{"a", 4}}, 0).empty());
}

TEST_CASE("within a part the deepest that explains half of the whole is named") {
  CHECK(part_text({{"a", 9}, {"a/b", 8}, {"a/b/c", 5}, {"a/d", 1}}, 10) == "5.0 of the 10 s more in `a/b/c`");
  CHECK(part_text({{"a", 9}, {"a/b", 4.9}, {"a/d", 4.1}}, 10) == "9.0 of the 10 s more in `a`");
  CHECK(part_text({{"a", 9}, {"ab", 8}}, 10) == "9.0 of the 10 s more in `a`");
  CHECK(part_text({{"a/b", 9}, {"a", 9}}, 10) == "9.0 of the 10 s more in `a/b`");
}

TEST_CASE("a part that makes up for another is told by itself") {
  CHECK(part_text({{"merge", 60}, {"load", -20}}, 40) == "60 s more in `merge`");
}

TEST_CASE("a counter that explains a change says how many times as many there were") {
  PerCounter per;
  per.counter = "records";
  per.counter_ratio = 2.1;
  CHECK(normalized_text(per) == "per `records` it is unchanged: 2.1 times as many");
  per.counter_ratio = 1.25;
  CHECK(normalized_text(per) == "per `records` it is unchanged: 1.25 times as many");
  per.counter_ratio = 30;
  CHECK(normalized_text(per) == "per `records` it is unchanged: 30 times as many");
}

TEST_CASE("a shift is told with its limit and both medians") {
  CHECK(explain(Sustained{41 * 60, 22 * 60, 33 * 60, 195}) ==
        "the last 5 runs took longer than 33.0 min each, 41.0 min in the median; 22.0 min are usual, by 195 runs");
}

TEST_CASE("what a run took for its work is told against what is usual") {
  Limits limits;
  limits.runs = 180;
  limits.per = Rate{"records", 0.5, 0.7, 0.1, 10};
  CHECK(per_text(300, 400, limits) == "750 ms for one of `records` against 500 ms that are usual, by 180 runs");
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats

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

}  // namespace
}  // namespace kleptometrics::aggregator::stats

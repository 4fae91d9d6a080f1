#include "aggregator/schedule/zone.h"

#include <string>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::schedule {
namespace {

TEST_CASE("zones are known by their names alone") {
  for (const char* name : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1", "EST"}) {
    INFO(name);
    CHECK(find_time_zone(name));
  }
  for (const char* name :
       {"", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "../zoneinfo/UTC", "Mars/Olympus",
        "/etc/localtime", "file:UTC", "Fixed/UTC+01:00:00", "zone.tab", "europe/berlin\n", "UTC "}) {
    INFO(name);
    CHECK_FALSE(find_time_zone(name));
  }
  CHECK_FALSE(find_time_zone(std::string(65, 'a')));
}

}  // namespace
}  // namespace kleptometrics::aggregator::schedule

#include "lib/src/text.h"

#include <string>

#include "tests/support/catch.h"

using kleptometrics::internal::clean_job;
using kleptometrics::internal::clean_name;
using kleptometrics::internal::clean_text;

TEST_CASE("A good text, name and job pass unchanged") {
  bool cut = false;
  CHECK(clean_text("größer \xf0\x9f\x99\x82", 100, &cut) == "größer \xf0\x9f\x99\x82");
  CHECK(clean_name("rows read", 100, '/', &cut) == "rows read");
  CHECK(clean_job("nightly-billing.v2:eu_1", &cut) == "nightly-billing.v2:eu_1");
  CHECK_FALSE(cut);
}

TEST_CASE("A text is cut between characters") {
  bool cut = false;
  CHECK(clean_text("aé", 2, &cut) == "a");
  CHECK(cut);
}

TEST_CASE("Bytes that are not UTF-8 become replacement characters") {
  const std::string replaced = "\xef\xbf\xbd";
  for (const std::string bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    bool cut = false;
    const std::string out = clean_text(bad, 100, &cut);
    CHECK(out.substr(0, 3) == replaced);
    CHECK(out.size() == 3 * bad.size());
    CHECK(cut);
  }
}

TEST_CASE("Names lose control characters and separators, and are never empty") {
  bool cut = false;
  CHECK(clean_name("a\nb/c", 100, '/', &cut) == "a_b_c");
  CHECK(clean_name("a/c", 100, '\0', &cut) == "a/c");
  CHECK(clean_name("", 100, '/', &cut) == "_");
  CHECK(cut);
}

TEST_CASE("Any bytes make a job name that the aggregator takes") {
  bool cut = false;
  CHECK(clean_job("", &cut) == "unnamed");
  CHECK(clean_job("-x y/z", &cut) == "xx_y_z");
  CHECK(clean_job(std::string(500, 'a'), &cut).size() == 200);
}

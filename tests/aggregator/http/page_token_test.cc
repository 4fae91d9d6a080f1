#include "aggregator/http/page_token.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

RunCursor cursor() { return {1'700'000'000'123'456'789, *Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8057")}; }

TEST_CASE("a token gives its position back") {
  CHECK(run_cursor_of(page_token(cursor())) == cursor());
  const RunCursor early{-1, Uuid{}};
  CHECK(run_cursor_of(page_token(early)) == early);
  CHECK(job_name_of(page_token(std::string_view("nightly-billing"))) == "nightly-billing");
  const std::string long_name(200, 'x');
  CHECK(job_name_of(page_token(long_name)) == long_name);
}

TEST_CASE("a token of delays or alerts gives its position back, and is none of the other") {
  const FindingCursor open{true, -1, cursor().id, 0};
  const FindingCursor ended{false, 1'700'000'000'123'456'789, cursor().id, 9'000'000'000};
  for (const FindingCursor& each : {open, ended}) {
    const std::string token = page_token(each, FindingList::kAlerts);
    CHECK(finding_cursor_of(token, FindingList::kAlerts) == each);
    CHECK(finding_cursor_of(page_token(each, FindingList::kDelays), FindingList::kDelays) == each);
    CHECK_FALSE(finding_cursor_of(token, FindingList::kDelays));
    CHECK_FALSE(run_cursor_of(token));
    CHECK_FALSE(finding_cursor_of(token.substr(2), FindingList::kAlerts));
  }
  CHECK_FALSE(finding_cursor_of(page_token(cursor()), FindingList::kAlerts));
}

TEST_CASE("a token needs no escaping in a URL") {
  const std::string token = page_token(cursor()) + page_token(std::string_view("a:b"));
  CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
}

TEST_CASE("a token of another list is refused") {
  CHECK_FALSE(run_cursor_of(page_token(std::string_view("nightly"))));
  CHECK_FALSE(job_name_of(page_token(cursor())));
}

TEST_CASE("a mangled token is refused, wherever it is mangled") {
  const std::string token = page_token(cursor());
  for (std::size_t i = 0; i < token.size(); ++i) {
    INFO(i);
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    CHECK_FALSE(run_cursor_of(changed));
    CHECK_FALSE(run_cursor_of(token.substr(0, i)));
    changed[i] = 'G';
    CHECK_FALSE(run_cursor_of(changed));
  }
  CHECK_FALSE(run_cursor_of(token + "00"));
  CHECK_FALSE(run_cursor_of(std::string(1'000'000, '7')));
  CHECK_FALSE(job_name_of(page_token(std::string_view("no name/at all"))));
}

}  // namespace
}  // namespace kleptometrics::aggregator::http

#include "aggregator/rules/sentences.h"

#include <catch2/catch.hpp>

#include "aggregator/rules/findings.h"
#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::Failure;
using aggregator::FailureKind;
using aggregator::Run;
using aggregator::State;
using namespace aggregator::rules;
using namespace fakes;

TEST_CASE("Lengths read as a person would say them") {
  CHECK(length_text(0) == "0 s");
  CHECK(length_text(1) == "1 ns");
  CHECK(length_text(250'000'000) == "250 ms");
  CHECK(length_text(3'250'000'000) == "3 s 250 ms");
  CHECK(length_text(750 * kNanosPerSecond + 7) == "12 min 30 s");
  CHECK(length_text(2 * kDay + kHour) == "2 d 1 h");
}

TEST_CASE("A length beyond a limit never reads as the limit does") {
  CHECK(length_text(5 * kMinute + 1, 5 * kMinute) == "5 min 1 ns");
  CHECK(length_text(6 * kMinute + 1, 5 * kMinute) == "6 min");
}

TEST_CASE("The cause of a failure is one line, cut between characters") {
  Run run = finished(started("job", 1), kMinute, State::kFailed);
  run.failure = Failure{FailureKind::kReported, std::string(199, 'x') + "äöü", 0};
  CHECK(facts_of(run, kStart).cause == std::string(199, 'x') + "…");
  run.failure->message.clear();
  run.exit_code = 3;
  CHECK(facts_of(run, kStart).cause == "exit code 3");
  run.failure->message = "first\r\nsecond";
  CHECK(facts_of(run, kStart).cause == "first");
}

TEST_CASE("Ids are of version 8, the same for the same and different for anything else") {
  const Uuid ids[] = {start_delay_id("job", at(1)),
                      start_delay_id("job", at(2)),
                      start_delay_id("jo", at(1)),
                      overrun_id("job", id_of(1)),
                      overrun_id("job", id_of(2)),
                      alert_id("job", AlertKind::kMissed, at(1)),
                      alert_id("job", AlertKind::kLateStart, at(1)),
                      alert_id("job", AlertKind::kFailed, id_of(1)),
                      alert_id("job", AlertKind::kCrashed, id_of(1))};
  for (const Uuid& id : ids) {
    CHECK(id.text()[14] == '8');
    CHECK(std::string("89ab").find(id.text()[19]) != std::string::npos);
    CHECK(std::count(std::begin(ids), std::end(ids), id) == 1);
  }
  // Stored records are found by their ids: these never change.
  CHECK(start_delay_id("job", at(1)).text() == "f22e5fc8-54c6-8561-a897-31ee8d1802a5");
}

}  // namespace
}  // namespace kleptometrics

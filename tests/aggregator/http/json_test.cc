#include "aggregator/http/json.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;

// A run with every field that HTTP knows set.
Run full_run() {
  Run run;
  run.id = *Uuid::parse(kAnId);
  run.job = "nightly:billing";
  run.state = State::kFailed;
  run.revision = 7;
  run.reporter = Reporter::kHttp;
  run.attempt = 3;
  run.parent_id = *Uuid::parse(kAnotherId);
  run.started_at = kStart + 123'456'789;
  run.scheduled_at = kStart;
  run.finished_at = kStart + 90 * kNanosPerSecond;
  run.duration = 89'876'543'211;
  run.progress = 0.25;
  run.exit_code = -3;
  run.failure = Failure{FailureKind::kSignal, "killed by \"kernel\"\n\x01", 9};
  run.labels = {{"team", "risk"}, {"a.b/c", "ü"}};
  run.counters = {{"rows", 12'345'678}, {"ratio", 0.1}, {"huge", 1e300}, {"debt", -2.5}};
  run.steps.push_back({"load/parse", 1'000'000, 2, 5'000'000'001, 1, 77'000, {}});
  run.steps.push_back({"idle", 0, 0, 0, 0, 0, {}});
  run.resources = {1'500'000'000, 1, std::uint64_t{1} << 62U, 0, 42};
  run.host = "db1";
  run.pid = 4'294'967'295U;
  run.program = "billing";
  run.version = "1.2";
  run.build_id = "7f3c";
  run.boot_id = "0c2d5be0-2f6b-4e52-9a3e-5d8f0c6d7a11";
  run.dropped = 3;
  return run;
}

std::string fault(std::string_view json) {
  const auto parsed = parse_run(json);
  if (std::holds_alternative<ReportRun>(parsed)) return "fine";
  const auto& error = std::get<FieldError>(parsed);
  return error.field + ": " + error.detail;
}
std::string field_at_fault(std::string_view json) { return fault(json).substr(0, fault(json).find(':')); }

std::string patch_fault(std::string_view json) {
  const auto parsed = parse_patch(json);
  return std::holds_alternative<PatchRun>(parsed) ? "fine" : std::get<FieldError>(parsed).detail;
}

TEST_CASE("a run survives JSON") {
  const Run run = full_run();
  const auto parsed = parse_run(run_json(run));
  REQUIRE(std::holds_alternative<ReportRun>(parsed));
  CHECK(std::get<ReportRun>(parsed).started_at_given);
  CHECK(std::get<ReportRun>(parsed).run == run);
}

TEST_CASE("a run is written as the API spells it") {
  const std::string json = run_json(full_run());
  CHECK(at(json, "/started_at") == "2023-11-14T22:13:20.123456789Z");
  CHECK(at(json, "/scheduled_at") == "2023-11-14T22:13:20Z");
  CHECK(at(json, "/duration_seconds") == "89.876543211");
  CHECK(at(json, "/start_delay_seconds") == "0.123456789");
  CHECK(at(json, "/failure/kind") == "signal");
  CHECK(at(json, "/failure/signal") == "9");
  CHECK(at(json, "/counters/rows") == "12345678");
  CHECK(at(json, "/counters/ratio") == "0.1");
  CHECK(at(json, "/counters/debt") == "-2.5");
  CHECK(at(json, "/steps/0/total_seconds") == "5.000000001");
  CHECK(at(json, "/steps/0/median_seconds") == "absent");
  CHECK(at(json, "/steps/1/min_seconds") == "absent");
  CHECK(at(json, "/resources/cpu_user_seconds") == "1.5");
  CHECK(at(json, "/resources/read_bytes") == "0");
  CHECK(at(json, "/pid") == "4294967295");
  CHECK(at(json, "/boot_id") == "0c2d5be0-2f6b-4e52-9a3e-5d8f0c6d7a11");
  CHECK(at(json, "/dropped") == "3");
  CHECK(at(json, "/verdict") == "absent");
  CHECK(at(json, "/reporter") == "absent");
}

TEST_CASE("what is unknown of a run is left out") {
  Run run;
  run.id = *Uuid::parse(kAnId);
  run.job = "j";
  run.revision = 1;
  CHECK(run_json(run) ==
        R"({"id":"01890a5d-ac96-774b-bcce-b302099a8057","job":"j","state":"running","revision":1,"attempt":1,)"
        R"("started_at":"1970-01-01T00:00:00Z"})");
}

TEST_CASE("steps with a sketch show their median and 95th percentile") {
  Run run = full_run();
  for (int i = 1; i <= 100; ++i) run.steps[0].sketch.add(1'000'000'000 * static_cast<std::uint64_t>(i));
  run.steps[0].min = 1'000'000'000;
  run.steps[0].max = 100'000'000'000;
  const std::string json = run_json(run);
  CHECK(std::abs(std::stod(at(json, "/steps/0/median_seconds")) - 50) <= 50 * Sketch::kRelativeError);
  CHECK(std::abs(std::stod(at(json, "/steps/0/p95_seconds")) - 95) <= 95 * Sketch::kRelativeError);
  CHECK(field_at_fault(json) == "fine");
  CHECK(at(run_json(run, Steps::kWithout), "/steps") == "absent");
}

TEST_CASE("what only answers have is ignored when posted back") {
  CHECK(fault(R"({"start_delay_seconds":-3,"eta":{"median":"x"},"delays":[{}],
                  "steps":[{"name":"a","median_seconds":1,"p95_seconds":null}]})") == "fine");
}

TEST_CASE("bytes that are not UTF-8 never break an answer") {
  Run run = full_run();
  run.failure->message = "bad \xff\xfe byte";
  run.labels = {{"\xc3", "</script>\xe2\x80\xa8"}};
  run.steps[0].name = std::string("nul\0", 4);
  const std::string json = run_json(run);
  CHECK(at(json, "/failure/message") == "bad \xef\xbf\xbd\xef\xbf\xbd byte");
  CHECK(at(json, "/steps/0/name") == std::string("nul\0", 4));
  CHECK(json.find('\n') == std::string::npos);
}

TEST_CASE("an unknown field is named, wherever it is") {
  CHECK(fault(R"({"jobb":"x"})") == R"(jobb: field "jobb" is not known)");
  CHECK(field_at_fault(R"({"failure":{"kindd":"lost"}})") == "failure.kindd");
  CHECK(field_at_fault(R"({"steps":[{"name":"a"},{"nam":"b"}]})") == "steps[1].nam");
  CHECK(field_at_fault(R"({"resources":{"cpu":1}})") == "resources.cpu");
  CHECK(field_at_fault(R"({"verdict":true})") == "verdict");
  CHECK(field_at_fault(R"({"reporter":"http"})") == "reporter");
  CHECK(field_at_fault(R"({"":1})") == "");
}

TEST_CASE("a wrong type is named with what was expected") {
  CHECK(fault(R"({"progress":"half"})") == R"(progress: field "progress" must be a number, got string)");
  CHECK(fault(R"({"job":null})") == R"(job: field "job" must be a string, got null)");
  CHECK(fault(R"({"labels":{"x":1}})") == R"(labels.x: field "labels.x" must be a string, got number)");
  CHECK(fault(R"({"counters":{"rows":"7"}})") ==
        R"(counters.rows: field "counters.rows" must be a number, got string)");
  CHECK(fault(R"({"steps":{}})") == R"(steps: field "steps" must be an array, got object)");
  CHECK(fault(R"({"steps":[[]]})") == R"(steps[0]: field "steps[0]" must be an object, got array)");
  CHECK(fault("[]") == ": the JSON value must be an object, got array");
  CHECK(field_at_fault(R"({"failure":"disk full"})") == "failure");
  CHECK(field_at_fault(R"({"steps":[{"count":true}]})") == "steps[0].count");
  CHECK(field_at_fault(R"({"resources":{"cpu_user_seconds":"1"}})") == "resources.cpu_user_seconds");
  CHECK(field_at_fault(R"({"started_at":1700000000})") == "started_at");
}

TEST_CASE("values that mean nothing are refused") {
  CHECK(fault(R"({"state":"done"})") ==
        R"(state: field "state" must be one of running, succeeded, failed, canceled, crashed, got `done`)");
  const char* const cases[][2] = {
      {"id", R"({"id":"not-a-uuid"})"},
      {"id", R"({"id":"00000000-0000-0000-0000-000000000000"})"},
      {"parent_id", R"({"parent_id":"01890a5dac96774bbcceb302099a8057"})"},
      {"failure.kind", R"({"failure":{"kind":"oops"}})"},
      {"finished_at", R"({"finished_at":"2023-02-30T00:00:00Z"})"},
      {"exit_code", R"({"exit_code":2147483648})"},
      {"exit_code", R"({"exit_code":1.5})"},
      {"exit_code", R"({"exit_code":1e30})"},
      {"attempt", R"({"attempt":-1})"},
      {"attempt", R"({"attempt":4294967296})"},
      {"pid", R"({"pid":0.5})"},
      {"revision", R"({"revision":18446744073709551616})"},
      {"revision", R"({"revision":-1})"},
      {"duration_seconds", R"({"duration_seconds":-1})"},
      {"duration_seconds", R"({"duration_seconds":1e10})"},
      {"boot_id", R"({"boot_id":7})"},
      {"dropped", R"({"dropped":-1})"},
      {"steps[0].total_seconds", R"({"steps":[{"total_seconds":-0.5}]})"},
      {"resources.read_bytes", R"({"resources":{"read_bytes":1.25}})"},
  };
  for (const auto& one : cases) {
    INFO(one[1]);
    CHECK(field_at_fault(one[1]) == one[0]);
  }
}

TEST_CASE("whole numbers may be written as others do") {
  CHECK(fault(R"({"exit_code":3.0,"pid":1e3,"revision":18446744073709551615,"attempt":2})") == "fine");
  CHECK(fault(R"({"exit_code":-2147483648})") == "fine");
}

TEST_CASE("malformed JSON is refused with its position") {
  const std::string detail = fault("{\"job\":\"a\",\n \"state\" \"failed\"}");
  CHECK(detail.find("malformed JSON") != std::string::npos);
  CHECK(detail.find("line 2, column") != std::string::npos);
  for (const char* text : {"", " ", "{", "}", "{'job':1}", "{\"job\":\"a\",}", "{\"progress\":NaN}",
                           "{\"progress\":.5}", "{\"progress\":1e999}", "{} {}", "nul", "{\"job\":\"\xff\"}",
                           "{\"job\":\"\\ud800\"}", "{\"job\":\"a\nb\"}", "// comment\n{}"}) {
    INFO(text);
    CHECK(fault(text).find("malformed JSON") != std::string::npos);
  }
  CHECK(fault("{\"" + std::string(1'000'000, 'x')).size() < 400);
}

TEST_CASE("a key that stands twice is refused") {
  CHECK(fault(R"({"job":"a","job":"b"})").find("`job` stands twice") != std::string::npos);
  CHECK(fault(R"({"labels":{"x":"1","x":"2"}})").find("twice") != std::string::npos);
  CHECK(fault(R"({"labels":{"x":"1"},"counters":{"x":2}})") == "fine");
}

TEST_CASE("deep nesting is refused before it costs anything") {
  const std::string deep = "{\"eta\":" + std::string(1'000'000, '[');
  CHECK(fault(deep).find("deeper than") != std::string::npos);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"eta\":";
  CHECK(fault(objects).find("deeper than") != std::string::npos);
}

TEST_CASE("a patch takes what may change and names what may not") {
  const auto parsed = parse_patch(
      R"({"state":"failed","finished_at":"2023-11-14T22:13:20Z","duration_seconds":1.5,"progress":1,"exit_code":2,
          "failure":{"kind":"signal","message":"m","signal":9},"labels":{"a":"b"},"counters":{"c":3}})");
  REQUIRE(std::holds_alternative<PatchRun>(parsed));
  const auto& patch = std::get<PatchRun>(parsed);
  CHECK(patch.state == State::kFailed);
  CHECK(patch.finished_at == kStart);
  CHECK(patch.duration == 1'500'000'000);
  CHECK(patch.progress == 1.0);
  CHECK(patch.exit_code == 2);
  CHECK(patch.failure_kind == FailureKind::kSignal);
  CHECK(patch.failure_message == "m");
  CHECK(patch.failure_signal == 9);
  CHECK(patch.labels.at("a") == "b");
  CHECK(patch.counters.at("c") == 3.0);
  CHECK(patch_fault(R"({"host":"h"})") == R"(field "host" cannot be changed by PATCH)");
  CHECK(patch_fault(R"({"id":"x"})") == R"(field "id" cannot be changed by PATCH)");
  CHECK(patch_fault(R"({"hosts":"h"})") == R"(field "hosts" is not known)");
  CHECK(patch_fault(R"({"failure":{"why":"h"}})") == R"(field "failure.why" is not known)");
  CHECK(patch_fault(R"({"failure":null})") == R"(field "failure" must be an object, got null)");
  CHECK(patch_fault("{}") == "fine");
}

TEST_CASE("statistics are written as numbers, and what is not known is left out") {
  stats::Stats none;
  none.failed = 2;
  const std::string empty = stats_json(none, {"j", "duration", ""});
  CHECK(at(empty, "/job") == "j");
  CHECK(at(empty, "/measure") == "duration");
  CHECK(at(empty, "/step") == "absent");
  CHECK(at(empty, "/count") == "0");
  CHECK(at(empty, "/median") == "absent");
  CHECK(at(empty, "/failed") == "2");
  stats::Stats some;
  some.count = 1;
  some.median = 90;
  some.mean = std::numeric_limits<double>::infinity();
  some.high = stats::Extreme{1.25, *Uuid::parse(kAnId), kStart};
  some.success_rate = 0.5;
  const std::string json = stats_json(some, {"j", "duration", "load"});
  CHECK(at(json, "/step") == "load");
  CHECK(at(json, "/median") == "90");
  CHECK(at(json, "/mean") == "absent");
  CHECK(at(json, "/high/value") == "1.25");
  CHECK(at(json, "/high/run_id") == kAnId);
  CHECK(at(json, "/high/at") == "2023-11-14T22:13:20Z");
  CHECK(at(json, "/success_rate") == "0.5");
  CHECK(at(json, "/quantile_error") == "0");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http

// Every answer that has a message says in it what it says in JSON.
#include <nlohmann/json.hpp>

#include "aggregator/http/time_text.h"
#include "kleptometrics/v1/query.pb.h"
#include "lib/base/uuid.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

using Json = nlohmann::json;

constexpr const char* kProtobuf = "application/x-protobuf";

template <typename Message>
Message message(const Response& response) {
  CHECK(response.content_type == kProtobuf);
  Message message;
  REQUIRE(message.ParseFromString(response.body));
  return message;
}

// The two forms of one answer.
template <typename Message>
struct Both {
  Message message;
  Json json;
  Both(const ApiFixture& api, const std::string& target)
      : message(http::message<Message>(api.send("GET", target, {}, {}, "text/html, application/x-protobuf;q=0.5"))),
        json(Json::parse(api.get(target).body)) {}
};

Json number(bool known, double value) { return known ? Json(value) : Json(); }

Json extreme(bool known, const v1::Extreme& extreme) {
  if (!known) return {};
  return {{"value", extreme.value()},
          {"run_id", Uuid::from_bytes(extreme.run_id())->text()},
          {"at", instant_text(extreme.at_ns())}};
}

// Of what an answer says it is about, where that is not what was asked for.
template <typename Message>
void put_rounded(const Message& message, Json& json) {
  if (message.approximate()) json["approximate"] = true;
  if (message.has_since_ns()) json["since"] = instant_text(message.since_ns());
  if (message.has_until_ns()) json["until"] = instant_text(message.until_ns());
}

// A message of statistics as the JSON says it; what is absent is null and falls out.
Json told(const v1::Stats& stats) {
  Json json = {{"count", stats.count()},
               {"min", number(stats.has_min(), stats.min())},
               {"max", number(stats.has_max(), stats.max())},
               {"mean", number(stats.has_mean(), stats.mean())},
               {"stddev", number(stats.has_stddev(), stats.stddev())},
               {"median", number(stats.has_median(), stats.median())},
               {"p90", number(stats.has_p90(), stats.p90())},
               {"p95", number(stats.has_p95(), stats.p95())},
               {"p99", number(stats.has_p99(), stats.p99())},
               {"high", extreme(stats.has_high(), stats.high())},
               {"low", extreme(stats.has_low(), stats.low())},
               {"succeeded", stats.succeeded()},
               {"failed", stats.failed()},
               {"canceled", stats.canceled()},
               {"crashed", stats.crashed()},
               {"late", stats.late()},
               {"overrun", stats.overrun()},
               {"missed", stats.missed()},
               {"success_rate", number(stats.has_success_rate(), stats.success_rate())},
               {"quantile_error", stats.quantile_error()}};
  put_rounded(stats, json);
  for (auto field = json.begin(); field != json.end();) field = field->is_null() ? json.erase(field) : std::next(field);
  return json;
}

Json without(Json json, std::initializer_list<const char*> fields) {
  for (const char* field : fields) json.erase(field);
  return json;
}

Json told(const v1::Bucket& bucket) {
  Json json = told(bucket.stats());
  json["start"] = instant_text(bucket.start_ns());
  json["end"] = instant_text(bucket.end_ns());
  return json;
}

Json told(const v1::Cell& cell) {
  Json json = told(cell.stats());
  json["weekday"] = cell.weekday();
  json["hour"] = cell.hour();
  return json;
}

Json told(const v1::RankedJob& job) {
  Json json = told(job.stats());
  json["job"] = job.job();
  json["value"] = job.value();
  return json;
}

Json told(const v1::Difference& difference) {
  Json json = {{"window", told(difference.window())},
               {"baseline", told(difference.baseline())},
               {"median_ratio", number(difference.has_median_ratio(), difference.median_ratio())},
               {"p95_ratio", number(difference.has_p95_ratio(), difference.p95_ratio())},
               {"probability_slower", number(difference.has_probability_slower(), difference.probability_slower())},
               {"p_value", number(difference.has_p_value(), difference.p_value())},
               {"effect_size", number(difference.has_effect_size(), difference.effect_size())},
               {"shift", number(difference.has_shift(), difference.shift())},
               {"verdict", difference.verdict()},
               {"explanation", difference.explanation()}};
  if (!difference.step().empty()) json["step"] = difference.step();
  for (auto field = json.begin(); field != json.end();) field = field->is_null() ? json.erase(field) : std::next(field);
  return json;
}

// 40 runs in as many hours, some failed; the last 30 of those that succeeded are slower in `load`.
struct Nights : ApiFixture {
  Nights() {
    for (int i = 0; i < 60; ++i) {
      const std::string total = std::to_string(i < 25 ? 10 + i % 7 : 31 + i % 5) + ".125";
      const Response response =
          post("/api/v1/jobs/nightly/runs",
               R"({"state":")" + std::string(i % 9 == 8 ? "failed" : "succeeded") + R"(","started_at":")" +
                   instant_text(clock.now().wall - (100 - i) * 3600 * kNanosPerSecond) + R"(","duration_seconds":)" +
                   total + R"(,"labels":{"region":"eu"},"counters":{"rows":)" + std::to_string(100 + i) +
                   R"(},"steps":[{"name":"load","count":1,"total_seconds":)" + total + R"(,"min_seconds":)" + total +
                   R"(,"max_seconds":)" + total + R"(}],"host":"h)" + std::to_string(i % 3) + R"(","boot_id":"b"})");
      REQUIRE(response.status == 201);
    }
  }
};

TEST_CASE("statistics are the same numbers in both forms") {
  const Nights api;
  for (const char* query :
       {"", "?measure=counter:rows", "?step=load", "?outcome=failed", "?host=nobody", "?since=50h"}) {
    INFO(query);
    const Both<v1::Stats> both(api, std::string("/api/v1/jobs/nightly/stats") + query);
    CHECK(told(both.message) == without(both.json, {"job", "measure", "step"}));
    CHECK(both.message.job() == "nightly");
    CHECK(both.message.measure() == both.json.at("measure"));
    CHECK(both.message.step() == both.json.value("step", ""));
  }
}

TEST_CASE("history is the same in both forms") {
  const Nights api;
  const Both<v1::History> both(api, "/api/v1/jobs/nightly/history?timezone=America/New_York");
  REQUIRE(static_cast<std::size_t>(both.message.buckets_size()) == both.json.at("buckets").size());
  REQUIRE(both.message.buckets_size() > 1);
  for (int i = 0; i < both.message.buckets_size(); ++i)
    CHECK(told(both.message.buckets(i)) == both.json.at("buckets")[static_cast<std::size_t>(i)]);
  CHECK(told(both.message.peak()) == both.json.at("peak"));
  CHECK(told(both.message.low()) == both.json.at("low"));
  CHECK(both.message.peak().stats().job() == "nightly");
  const Both<v1::History> none(api, "/api/v1/jobs/nightly/history?host=nobody");
  CHECK(none.message.buckets_size() == 0);
  CHECK_FALSE(none.message.has_peak());
}

TEST_CASE("a profile is the same in both forms") {
  const Nights api;
  const Both<v1::Profile> both(api, "/api/v1/jobs/nightly/profile?timezone=Asia/Kolkata&outcome=any");
  REQUIRE(static_cast<std::size_t>(both.message.cells_size()) == both.json.at("cells").size());
  REQUIRE(both.message.cells_size() > 10);
  for (int i = 0; i < both.message.cells_size(); ++i)
    CHECK(told(both.message.cells(i)) == both.json.at("cells")[static_cast<std::size_t>(i)]);
  CHECK(told(both.message.peak()) == both.json.at("peak"));
  CHECK(told(both.message.low()) == both.json.at("low"));
  CHECK(both.message.peak().stats().job() == "nightly");
}

TEST_CASE("the top is the same in both forms") {
  const Nights api;
  api.succeed("other", 99, 60);
  for (const char* query : {"?by=max", "?by=failures&since=60h", "?by=delays"}) {
    INFO(query);
    const Both<v1::Top> both(api, std::string("/api/v1/top") + query);
    CHECK(both.message.by() == both.json.at("by"));
    REQUIRE(static_cast<std::size_t>(both.message.jobs_size()) == both.json.at("jobs").size());
    for (int i = 0; i < both.message.jobs_size(); ++i)
      CHECK(told(both.message.jobs(i)) == both.json.at("jobs")[static_cast<std::size_t>(i)]);
  }
  CHECK(Both<v1::Top>(api, "/api/v1/top").message.jobs_size() == 2);
}

TEST_CASE("answers about more than was asked for say so in both forms") {
  const Nights api;
  JobSpec spec;
  spec.retention_days = 1;
  REQUIRE(api.store->put_job("nightly", spec).ok());
  REQUIRE(api.store->maintain(api.clock.now().wall + 5 * stats::kDay, true)->expired == 60);
  const auto head = [](const auto& message) {
    Json json = Json::object();
    put_rounded(message, json);
    CHECK(json.size() == 3);
    return json;
  };
  const auto same = [&head](const auto& both) {
    const Json said = head(both.message);
    for (const auto& [name, value] : said.items()) CHECK(both.json.at(name) == value);
  };
  const std::string range = "?since=60h&until=50h";
  const Both<v1::Stats> stats(api, "/api/v1/jobs/nightly/stats" + range);
  CHECK(told(stats.message) == without(stats.json, {"job", "measure"}));
  same(stats);
  same(Both<v1::History>(api, "/api/v1/jobs/nightly/history" + range));
  same(Both<v1::Profile>(api, "/api/v1/jobs/nightly/profile" + range));
  same(Both<v1::Top>(api, "/api/v1/top" + range));
}

TEST_CASE("a comparison is the same in both forms") {
  const Nights api;
  for (const char* query : {"", "?step=load", "?measure=counter:rows", "?host=nobody"}) {
    INFO(query);
    const Both<v1::Comparison> both(api, std::string("/api/v1/jobs/nightly/compare") + query);
    Json expected = without(both.json, {"job", "measure", "steps", "normalized"});
    CHECK(told(both.message.total()) == expected);
    CHECK(both.message.has_normalized() == both.json.contains("normalized"));
    REQUIRE(static_cast<std::size_t>(both.message.steps_size()) == both.json.at("steps").size());
    for (int i = 0; i < both.message.steps_size(); ++i)
      CHECK(told(both.message.steps(i)) == both.json.at("steps")[static_cast<std::size_t>(i)]);
  }
  CHECK(Both<v1::Comparison>(api, "/api/v1/jobs/nightly/compare").message.total().verdict() == "slower");
}

Json told(const v1::PerCounter& per) {
  return {{"counter", per.counter()},
          {"window_median", per.window_median()},
          {"baseline_median", per.baseline_median()},
          {"ratio", per.ratio()},
          {"p_value", per.p_value()},
          {"counter_ratio", per.counter_ratio()},
          {"verdict", per.verdict()}};
}

TEST_CASE("what explains a comparison is the same in both forms") {
  const ApiFixture api;
  for (int i = 0; i < 60; ++i) {
    const int rows = (i < 30 ? 1000 : 2000) + i;
    api.post("/api/v1/jobs/nightly/runs", R"({"state":"succeeded","started_at":")" +
                                              instant_text(api.clock.now().wall - (100 - i) * 3600 * kNanosPerSecond) +
                                              R"(","duration_seconds":)" + std::to_string(rows / 10 + i % 3) +
                                              R"(,"counters":{"rows":)" + std::to_string(rows) + "}}");
  }
  const Both<v1::Comparison> both(api, "/api/v1/jobs/nightly/compare");
  REQUIRE(both.message.has_normalized());
  CHECK(told(both.message.normalized()) == both.json.at("normalized"));
}

Json told(const v1::PartDifference& part, const char* kind) {
  Json json = {{"value", number(part.has_value(), part.value())},
               {"reference", number(part.has_reference(), part.reference())},
               {"difference", number(part.has_difference(), part.difference())},
               {"ratio", number(part.has_ratio(), part.ratio())}};
  if (kind != nullptr) json[kind] = part.name();
  for (auto field = json.begin(); field != json.end();) field = field->is_null() ? json.erase(field) : std::next(field);
  return json;
}

template <typename Parts>
Json told_all(const Parts& parts, const char* kind) {
  Json list = Json::array();
  for (const auto& part : parts) list.push_back(told(part, kind));
  return list;
}

TEST_CASE("a comparison of a run is the same in both forms") {
  const Nights api;
  const Json runs = Both<v1::RunPage>(api, "/api/v1/runs?state=succeeded").json.at("runs");
  const std::string id = runs.at(0).at("id");
  const std::string to = runs.at(1).at("id");
  for (const std::string& query : {std::string(), "?to=" + to}) {
    const Both<v1::RunComparison> both(api, "/api/v1/runs/" + id + "/compare" + query);
    const v1::RunComparison& message = both.message;
    CHECK(Uuid::from_bytes(message.run().runs(0).id())->text() == id);
    CHECK(message.run().runs(0).steps_size() == 0);
    CHECK(message.has_to() == both.json.contains("to"));
    CHECK(message.has_baseline() == both.json.contains("baseline"));
    if (message.has_to()) CHECK(Uuid::from_bytes(message.to().runs(0).id())->text() == to);
    if (message.has_baseline()) {
      CHECK(told(message.baseline()) == without(both.json.at("baseline"), {"runs"}));
      CHECK(message.percentile_rank() == both.json.at("percentile_rank").get<double>());
    }
    CHECK(told(message.total(), nullptr) == both.json.at("total"));
    CHECK(told_all(message.steps(), "step") == both.json.at("steps"));
    CHECK(told_all(message.counters(), "counter") == both.json.at("counters"));
    CHECK(told_all(message.resources(), "resource") == both.json.at("resources"));
    CHECK(message.verdict() == both.json.at("verdict"));
    CHECK(message.explanation() == both.json.at("explanation"));
  }
}

Json told(const v1::ChangePoint& change) {
  const auto list = [](const auto& texts) { return Json(std::vector<std::string>(texts.begin(), texts.end())); };
  return {{"at", instant_text(change.at_ns())},
          {"median_before", change.median_before()},
          {"median_after", change.median_after()},
          {"ratio", change.ratio()},
          {"p_value", change.p_value()},
          {"runs_before", change.runs_before()},
          {"runs_after", change.runs_after()},
          {"versions_before", list(change.versions_before())},
          {"versions_after", list(change.versions_after())},
          {"build_ids_before", list(change.build_ids_before())},
          {"build_ids_after", list(change.build_ids_after())},
          {"verdict", change.verdict()},
          {"explanation", change.explanation()}};
}

TEST_CASE("changes are the same in both forms") {
  const Nights api;
  const Both<v1::ChangePoints> both(api, "/api/v1/jobs/nightly/changes?step=load");
  CHECK(both.message.job() == "nightly");
  CHECK(both.message.measure() == "duration");
  CHECK(both.message.step() == "load");
  CHECK(both.message.points() == both.json.at("points"));
  REQUIRE(both.message.changes_size() == 1);
  REQUIRE(both.json.at("changes").size() == 1);
  CHECK(told(both.message.changes(0)) == both.json.at("changes")[0]);
}

// What a run is told by: enough to see that the strings are those of its own indexes.
Json told(const v1::RunPage& page, const v1::Run& run) {
  const auto text = [&page](std::uint32_t index) { return page.strings(static_cast<int>(index)); };
  Json json = {{"id", Uuid::from_bytes(run.id())->text()},
               {"job", text(run.job())},
               {"started_at", instant_text(run.started_at_ns())},
               {"duration_seconds", signed_seconds_of(run.duration_ns())},
               {"host", text(run.host())},
               {"boot_id", text(run.boot_id())}};
  for (const auto& label : run.labels()) json["labels"][text(label.key())] = text(label.value());
  for (const auto& counter : run.counters()) json["counters"][text(counter.name())] = counter.value();
  return json;
}
Json same_fields(const Json& run) {
  Json json;
  for (const char* field : {"id", "job", "started_at", "duration_seconds", "host", "boot_id", "labels", "counters"})
    json[field] = run.at(field);
  return json;
}

TEST_CASE("runs are the same in both forms, page by page") {
  const Nights api;
  for (const char* target : {"/api/v1/runs?limit=7", "/api/v1/jobs/nightly/runs?state=failed"}) {
    const Both<v1::RunPage> both(api, target);
    REQUIRE(static_cast<std::size_t>(both.message.runs_size()) == both.json.at("runs").size());
    CHECK(both.message.strings(0).empty());
    CHECK(both.message.next_page_token() == both.json.value("next_page_token", ""));
    for (int i = 0; i < both.message.runs_size(); ++i)
      CHECK(told(both.message, both.message.runs(i)) == same_fields(both.json.at("runs")[static_cast<std::size_t>(i)]));
  }
  CHECK(message<v1::RunPage>(api.send("GET", "/api/v1/runs?host=nobody", {}, {}, kProtobuf)).runs_size() == 0);
}

TEST_CASE("one run is a page of one, as readers see it") {
  const ApiFixture api;
  const std::string id =
      at(api.post("/api/v1/jobs/nightly/runs", R"({"labels":{"a":"1"},"steps":[{"name":"load"}]})"), "/id");
  api.patch("/api/v1/runs/" + id, R"({"labels":{"a":"2","b":"3"}})");
  const auto page = message<v1::RunPage>(api.send("GET", "/api/v1/runs/" + id, {}, {}, kProtobuf));
  REQUIRE(page.runs_size() == 1);
  const v1::Run& run = page.runs(0);
  CHECK_FALSE(run.has_annotations());
  REQUIRE(run.labels_size() == 2);
  CHECK(page.strings(static_cast<int>(run.labels(0).value())) == "2");
  CHECK(run.steps_size() == 1);
}

Json told(const v1::Eta& eta) {
  return {{"median", instant_text(eta.median_ns())},
          {"low", instant_text(eta.low_ns())},
          {"high", instant_text(eta.high_ns())}};
}

TEST_CASE("the end of a run that is running is the same in both forms, of one run and in lists") {
  const Nights api;
  const std::string id = at(api.post("/api/v1/jobs/nightly/runs", R"({"progress":0.5})"), "/id");
  const Both<v1::RunPage> one(api, "/api/v1/runs/" + id);
  REQUIRE(one.message.etas_size() == 1);
  CHECK(told(one.message.etas(0)) == one.json.at("eta"));
  const Both<v1::RunPage> list(api, "/api/v1/jobs/nightly/runs");
  REQUIRE(list.message.etas_size() == 1);
  const auto place = list.message.etas(0).run();
  CHECK(told(list.message.etas(0)) == list.json.at("runs")[place].at("eta"));
  for (std::size_t i = 0; i < list.json.at("runs").size(); ++i)
    CHECK(list.json.at("runs")[i].contains("eta") == (i == place));
}

Json told(const v1::Typical& typical) {
  Json json = {{"median_seconds", typical.median_seconds()},
               {"low_seconds", typical.low_seconds()},
               {"high_seconds", typical.high_seconds()}};
  if (typical.has_period_seconds()) json["period_seconds"] = typical.period_seconds();
  return json;
}

TEST_CASE("jobs are the same in both forms") {
  const Nights api;
  api.post("/api/v1/jobs/other/runs", R"({"steps":[{"name":"load"}]})");
  api.send("PUT", "/api/v1/jobs/other", R"({"description":"d","tags":["a","b"],"retention_days":3})",
           "application/json");
  const Both<v1::JobPage> both(api, "/api/v1/jobs");
  REQUIRE(both.message.jobs_size() == 2);
  for (int i = 0; i < 2; ++i) {
    const v1::Job& job = both.message.jobs(i);
    const Json& json = both.json.at("jobs")[static_cast<std::size_t>(i)];
    CHECK(job.name() == json.at("name"));
    CHECK(job.status() == json.at("status"));
    REQUIRE(job.last_run().runs_size() == 1);
    CHECK(Uuid::from_bytes(job.last_run().runs(0).id())->text() == json.at("last_run").at("id"));
    CHECK(job.last_run().runs(0).steps_size() == 0);
    CHECK(told(job.stats()) == json.at("statistics"));
    CHECK(job.description() == json.value("description", ""));
    CHECK(Json(std::vector<std::string>(job.tags().begin(), job.tags().end())) == json.value("tags", Json::array()));
    CHECK(job.retention_days() == json.value("retention_days", 0U));
  }
  // By its name a job has beside that what its runs usually take.
  Both<v1::Job> one(api, "/api/v1/jobs/nightly");
  REQUIRE(one.message.has_typical());
  CHECK(told(one.message.typical()) == one.json.at("typical"));
  one.message.clear_typical();
  CHECK(one.message.SerializeAsString() == both.message.jobs(0).SerializeAsString());
  const Both<v1::JobPage> paged(api, "/api/v1/jobs?limit=1");
  CHECK(paged.message.next_page_token() == paged.json.at("next_page_token"));
  CHECK(message<v1::JobPage>(api.send("GET", "/api/v1/jobs?tag=x", {}, {}, kProtobuf)).jobs_size() == 0);
}

TEST_CASE("problems are messages for whoever reads messages") {
  const Nights api;
  for (const char* target : {"/api/v1/jobs/unknown/stats", "/api/v1/jobs/nightly/history?timezone=Mars",
                             "/api/v1/runs/no-id", "/api/v1/nothing", "/api/v1/jobs/nightly/compare?x=1"}) {
    INFO(target);
    const Both<v1::Problem> both(api, target);
    CHECK(both.message.status() == both.json.at("status"));
    CHECK(both.message.title() == both.json.at("title"));
    CHECK(both.message.detail() == both.json.at("detail"));
    CHECK(both.message.field() == both.json.value("field", ""));
    CHECK(api.send("GET", target, {}, {}, kProtobuf).status == both.json.at("status"));
  }
  // Of a call that changes something the problem stays JSON, as its answer is.
  CHECK(api.send("PATCH", "/api/v1/runs/no-id", "{}", "application/json", kProtobuf).content_type ==
        "application/problem+json");
}

TEST_CASE("what is asked for in bytes that are no text is told in readable ones") {
  const Nights api;
  const auto stats = message<v1::Stats>(api.send("GET", "/api/v1/jobs/nightly/stats?step=a\xff", {}, {}, kProtobuf));
  CHECK(stats.step() == "a?");
  const auto problem = message<v1::Problem>(api.send("GET", "/api/v1/\xc3\x28", {}, {}, kProtobuf));
  CHECK(problem.detail() == "there is nothing at /api/v1/?(");
}

TEST_CASE("without being asked for a message the answer is JSON") {
  const Nights api;
  for (const char* accept : {"", "*/*", "application/*", "application/x-protobuffer", "application/json"}) {
    INFO(accept);
    CHECK(api.send("GET", "/api/v1/jobs", {}, {}, accept).content_type == "application/json");
  }
  CHECK(api.send("GET", "/api/v1/runs", {}, {}, "application/x-ndjson").content_type == "application/x-ndjson");
  CHECK(api.send("GET", "/api/v1/runs", {}, {}, "application/x-ndjson, application/x-protobuf").content_type ==
        kProtobuf);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http

#include "tests/bench/encode.h"

#include <sstream>

#include <nlohmann/json.hpp>

#include "kleptometrics/v1/run.pb.h"
#include "tests/support/catch.h"

namespace kleptometrics::bench {
namespace {

History history() {
  HistoryOptions options;
  options.runs = 5'000;
  return History(options);
}

std::vector<Sample> some(const History& history, std::uint64_t first) {
  std::vector<Sample> runs;
  for (std::uint64_t number = first; number < first + 500; ++number) runs.push_back(history.run(number));
  return runs;
}

void check_plain(const v1::PushRequest& request, const v1::Run& got, const History& history, const Sample& run) {
  CHECK(got.id() == run.id.view());
  CHECK(request.strings(static_cast<int>(got.job())) == history.job_name(run.job));
  CHECK(got.state() == (run.failed ? v1::STATE_FAILED : v1::STATE_SUCCEEDED));
  CHECK(got.revision() == 2);
  CHECK(got.started_at_ns() == run.started_at);
  CHECK(got.finished_at_ns() == run.finished_at);
  CHECK(got.duration_ns() == run.duration);
  CHECK(request.strings(static_cast<int>(got.host())) == history.host_name(run.host));
}

void check_measures(const v1::PushRequest& request, const v1::Run& got, const Sample& run) {
  CHECK(got.scheduled_at_ns() == run.scheduled_at);
  CHECK(static_cast<Nanos>(got.resources().cpu_user_ns()) == run.cpu_user);
  CHECK(static_cast<Nanos>(got.resources().cpu_system_ns()) == run.cpu_system);
  CHECK(got.resources().max_rss_bytes() == run.max_rss_bytes);
  REQUIRE(got.counters_size() == 2);
  CHECK(request.strings(static_cast<int>(got.counters(0).name())) == "bytes");
  CHECK(got.counters(0).value() == run.bytes);
  CHECK(request.strings(static_cast<int>(got.counters(1).name())) == "rows");
  CHECK(got.counters(1).value() == run.rows);
}

}  // namespace

TEST_CASE("a batch written by hand is a PushRequest, and canonical") {
  const History runs = history();
  const bool measures = GENERATE(false, true);
  Encoder encoder(runs, {Form::kProtobuf, measures});
  for (const std::uint64_t first : {0ULL, 500ULL}) {  // nothing of a batch is left in the next
    const std::vector<Sample> batch = some(runs, first);
    const std::string body = encoder.body(batch);
    v1::PushRequest request;
    REQUIRE(request.ParseFromString(body));
    REQUIRE(request.runs_size() == 500);
    CHECK(request.strings(0).empty());
    CHECK(request.SerializeAsString() == body);
    for (int i = 0; i < request.runs_size(); ++i) {
      const Sample& run = batch[static_cast<std::size_t>(i)];
      check_plain(request, request.runs(i), runs, run);
      CHECK(request.runs(i).has_resources() == measures);
      if (measures) check_measures(request, request.runs(i), run);
    }
  }
}

TEST_CASE("a batch as lines of JSON says the same") {
  const History runs = history();
  const bool measures = GENERATE(false, true);
  const std::vector<Sample> batch = some(runs, 0);
  std::istringstream lines(Encoder(runs, {Form::kNdjson, measures}).body(batch));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto json = nlohmann::json::parse(line);
    const Sample& run = batch.at(count);
    CHECK(json.at("id") == run.id.text());
    CHECK(json.at("job") == runs.job_name(run.job));
    CHECK(json.at("duration_seconds") == Approx(static_cast<double>(run.duration) / 1e9).epsilon(1e-14));
    CHECK(json.contains("counters") == measures);
    CHECK(json.contains("scheduled_at") == measures);
  }
  CHECK(count == batch.size());
}

TEST_CASE("a request says how long its body is") {
  const History runs = history();
  Encoder encoder(runs, {});
  const std::vector<Sample> batch = some(runs, 0);
  const std::string body = encoder.body(batch);
  const std::string request = encoder.request(batch);
  CHECK(request.rfind("POST /api/v1/runs HTTP/1.1\r\n", 0) == 0);
  CHECK(request.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") != std::string::npos);
  CHECK(request.substr(request.find("\r\n\r\n") + 4) == body);
}

}  // namespace kleptometrics::bench

// What a scraper is told: the text, and that Prometheus' own tool takes it.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/aggregator/http/fixture.h"
#include "tests/fakes/findings.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator::http {
namespace {

using fakes::closed;
using fakes::delayed;
using fakes::finished;
using fakes::kStart;
using fakes::raised;
using fakes::seconds;
using fakes::started;

struct Scraped : ApiFixture {
  std::uint32_t number = 0;

  void commit(Run run) const { REQUIRE(store->commit({std::move(run)}, clock.now().wall).ok()); }
  Run past(const std::string& job, double age, double took, State state = State::kSucceeded) {
    return finished(started(job, ++number, clock.wall - seconds(age)), seconds(took), state);
  }
  std::string metrics() const {
    const Response response = get("/metrics");
    CHECK(response.content_type == "text/plain; version=0.0.4; charset=utf-8");
    REQUIRE(response.status == 200);
    return response.body;
  }
  // The value behind a name and its labels; `absent` if there is none, `twice` if there are more.
  std::string value(const std::string& series) const {
    const std::string text = "\n" + metrics();
    const std::size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return "absent";
    const std::size_t begin = at + series.size() + 2;
    if (text.find("\n" + series + " ", begin) != std::string::npos) return "twice";
    return text.substr(begin, text.find('\n', begin) - begin);
  }
};

TEST_CASE("a job is told with its ends, its runs and whether it runs") {
  Scraped api;
  api.commit(api.past("import", 5000, 10));
  api.commit(api.past("import", 4000, 20.5));
  api.commit(api.past("import", 3000, 30, State::kCrashed));
  api.commit(api.past("import", 2000, 40, State::kFailed));
  api.commit(api.past("import", 1000, 5, State::kCanceled));
  CHECK(api.value(R"(kleptometrics_job_running{job="import"})") == "0");
  api.commit(started("import", 99, api.clock.wall));
  const std::string job = R"({job="import"})";
  CHECK(api.value("kleptometrics_job_running" + job) == "1");
  CHECK(api.value("kleptometrics_job_last_success_timestamp_seconds" + job) == "1699996020.5");
  CHECK(api.value("kleptometrics_job_last_failure_timestamp_seconds" + job) == "1699998040");
  CHECK(api.value(R"(kleptometrics_job_runs_total{job="import",state="succeeded"})") == "2");
  CHECK(api.value(R"(kleptometrics_job_runs_total{job="import",state="crashed"})") == "1");
  CHECK(api.value(R"(kleptometrics_job_runs_total{job="import",state="canceled"})") == "1");
  CHECK(api.value("kleptometrics_jobs") == "1");
}

TEST_CASE("a histogram has exact sums, and buckets that add up to its count") {
  Scraped api;
  for (const double took : {0.5, 2.25, 59.0, 60.0, 61.0, 90'000.0}) api.commit(api.past("import", 100'000, took));
  api.commit(api.past("import", 50, 7, State::kFailed));
  const auto bucket = [&](const std::string& le) {
    return api.value(R"(kleptometrics_job_run_duration_seconds_bucket{job="import",le=")" + le + "\"}");
  };
  CHECK(bucket("1") == "1");
  CHECK(bucket("5") == "2");
  CHECK(bucket("15") == "2");
  CHECK(bucket("300") == "5");
  CHECK(bucket("86400") == "5");
  CHECK(bucket("+Inf") == "6");
  CHECK(api.value(R"(kleptometrics_job_run_duration_seconds_count{job="import"})") == "6");
  CHECK(api.value(R"(kleptometrics_job_run_duration_seconds_sum{job="import"})") == "90182.75");
}

TEST_CASE("ends are told anew when other runs have ended so, and a verdict that was overruled is forgotten") {
  Scraped api;
  api.commit(api.past("import", 900, 10));
  Run dead = api.past("import", 600, 10, State::kCrashed);
  dead.verdict = true;
  api.commit(dead);
  const std::string success = R"(kleptometrics_job_last_success_timestamp_seconds{job="import"})";
  const std::string failure = R"(kleptometrics_job_last_failure_timestamp_seconds{job="import"})";
  CHECK(api.value(failure) == "1699999410");
  CHECK(api.value(success) == "1699999110");
  api.commit(api.past("import", 300, 10));
  CHECK(api.value(failure) == "1699999410");
  CHECK(api.value(success) == "1699999710");
  Run said = dead;
  said.verdict = false;
  said.state = State::kSucceeded;
  ++said.revision;
  api.commit(said);
  CHECK(api.value(failure) == "absent");
}

TEST_CASE("a job without runs for thirty days is left out, unless one runs, and comes back") {
  Scraped api;
  api.commit(api.past("old", 1000, 10));
  api.commit(started("busy", 500, api.clock.wall));
  CHECK(api.value(R"(kleptometrics_job_running{job="old"})") == "0");
  api.clock.advance(query::kForgottenAfter);
  CHECK(api.metrics().find("old") == std::string::npos);
  CHECK(api.value(R"(kleptometrics_job_running{job="busy"})") == "1");
  CHECK(api.value("kleptometrics_jobs") == "1");
  api.commit(api.past("old", 10, 5));
  CHECK(api.value(R"(kleptometrics_job_runs_total{job="old",state="succeeded"})") == "2");
}

TEST_CASE("open delays and alerts are counted by job and kind, and over all jobs") {
  Scraped api;
  REQUIRE(api.store
              ->record({{delayed("a", 1), delayed("a", 2), closed(delayed("a", 3), kStart)},
                        {raised("a", 1), raised("b", 2), closed(raised("b", 3), kStart)}})
              .ok());
  CHECK(api.value(R"(kleptometrics_job_delays_open{job="a",kind="missed"})") == "2");
  CHECK(api.value(R"(kleptometrics_delays_open{kind="missed"})") == "2");
  CHECK(api.value(R"(kleptometrics_delays_open{kind="overrun"})") == "0");
  CHECK(api.value(R"(kleptometrics_job_alerts_open{job="b",kind="failed"})") == "1");
  CHECK(api.value(R"(kleptometrics_alerts_open{kind="failed"})") == "2");
  CHECK(api.value(R"(kleptometrics_alerts_open{kind="slower"})") == "0");
}

TEST_CASE("what is reported is counted by what becomes of it") {
  Scraped api;
  const std::string run = R"({"runs":[{"id":")" + std::string(kAnId) +
                          R"(","job":"a","started_at":"2023-11-14T22:00:00Z",)"
                          R"("revision":1},{"job":"no name"}]})";
  CHECK(api.post("/api/v1/runs", run).status == 200);
  CHECK(api.post("/api/v1/runs", run).status == 200);
  CHECK(api.value(R"(kleptometrics_commands_total{outcome="accepted"})") == "1");
  CHECK(api.value(R"(kleptometrics_commands_total{outcome="duplicate"})") == "1");
  CHECK(api.value(R"(kleptometrics_commands_total{outcome="rejected"})") == "2");
  CHECK(api.value(R"(kleptometrics_commands_total{outcome="deferred"})") == "0");
  CHECK(api.value("kleptometrics_queued_commands") == "0");
  CHECK(api.value("kleptometrics_ready") == "1");
}

TEST_CASE("what a program lost is told with its job") {
  Scraped api;
  Run run = api.past("import", 60, 5);
  run.dropped = 3;
  api.commit(run);
  api.commit(api.past("export", 60, 5));
  CHECK(api.value(R"(kleptometrics_job_dropped_reports{job="import"})") == "3");
  CHECK(api.value(R"(kleptometrics_job_dropped_reports{job="export"})") == "absent");
}

TEST_CASE("counters of others stand beside ours") {
  Scraped api;
  const ServiceCounters others = [] { return std::vector<ServiceCounter>{{"http_requests_total", "Requests.", 7}}; };
  const Api with(*api.committer, *api.query, *api.store, api.clock, others);
  Request request;
  request.method = "GET";
  request.path = "/metrics";
  const std::string text = with.handle(request).body;
  CHECK(text.find("# TYPE kleptometrics_http_requests_total counter\nkleptometrics_http_requests_total 7\n") !=
        std::string::npos);
  CHECK(blame(api.get("/metrics?job=x")) == "400 job");
}

TEST_CASE("numbers and labels are spelled as the format has them") {
  CHECK(exposed(1.0) == "1");
  CHECK(exposed(0.1) == "0.1");
  CHECK(exposed(-1.0 / 0.0) == "-Inf");
  Exposition out;
  out.family("x", "gauge", "a\\b\nc \"d\"");
  out.sample({{"l", "a\\b\"c\nd"}, {"m", ""}}, 1.5);
  out.sample({}, std::uint64_t{18446744073709551615U}, "_count");
  CHECK(out.text() ==
        "# HELP x a\\\\b\\nc \"d\"\n# TYPE x gauge\nx{l=\"a\\\\b\\\"c\\nd\",m=\"\"} 1.5\nx_count "
        "18446744073709551615\n");
}

TEST_CASE("promtool finds nothing wrong with the metrics") {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    std::cout << "SKIPPED: there is no promtool here (Debian's package prometheus has it)\n";
    return;
  }
  Scraped api;
  for (const char* job : {"import", "export", "a:b.c-d"}) {
    api.commit(api.past(job, 900, 10));
    Run run = api.past(job, 300, 10, State::kFailed);
    run.dropped = 2;
    api.commit(run);
    api.commit(started(job, ++api.number, api.clock.wall));
    REQUIRE(api.store->record({{delayed(job, api.number)}, {raised(job, api.number)}}).ok());
  }
  const tests::TempDir folder;
  const std::string path = folder / "metrics";
  std::ofstream(path, std::ios::binary) << api.metrics();
  std::FILE* const tool = ::popen(("promtool check metrics <" + path + " 2>&1").c_str(), "r");
  REQUIRE(tool != nullptr);
  std::string said;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), tool) != nullptr) said += buffer.data();
  const int status = ::pclose(tool);
  CAPTURE(said);
  CHECK(said.empty());
  CHECK(status == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http

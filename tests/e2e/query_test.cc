// The query library against the real aggregator: it says the same as the JSON, over the Unix socket and over TCP, and
// tells errors for what they are.
#include <kleptometrics/kleptometrics.h>
#include <kleptometrics/query.h>

#include <chrono>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::Duration;
using kleptometrics::State;
using kleptometrics::WallTime;
using kleptometrics::query::Aggregator;
using kleptometrics::query::HistoryQuestion;
using kleptometrics::query::JobsQuestion;
using kleptometrics::query::RunsQuestion;
using kleptometrics::query::StatsQuestion;
using kleptometrics::tests::Answer;
using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::Json;
using kleptometrics::tests::run_program;

namespace {

constexpr const char* kNightly = "/api/v1/jobs/nightly";

WallTime instant(long long seconds) { return WallTime(std::chrono::seconds(seconds)); }

// A run a day from 2024-03-01T01:00:00Z on: each takes a second longer than the one before.
void record(const Daemon& daemon, const std::string& job, int runs) {
  Json all = Json::array();
  for (int i = 0; i < runs; ++i) {
    char start[32];
    std::snprintf(start, sizeof(start), "2024-%02d-%02dT01:00:00Z", 3 + i / 28, 1 + i % 28);
    all.push_back({{"job", job},
                   {"state", i % 10 == 9 ? "failed" : "succeeded"},
                   {"started_at", start},
                   {"duration_seconds", 100 + i},
                   {"labels", {{"region", i % 2 == 0 ? "eu" : "us"}}},
                   {"steps",
                    {{{"name", "load"},
                      {"count", 1},
                      {"total_seconds", 10 + i},
                      {"min_seconds", 10 + i},
                      {"max_seconds", 10 + i}}}}});
  }
  REQUIRE(daemon.send("POST", "/api/v1/runs", Json{{"runs", all}}.dump()).status == 200);
}

void check_same(const kleptometrics::query::Stats& stats, const Json& json) {
  CHECK(stats.count == json.at("count"));
  CHECK(stats.median == json.at("median").get<double>());
  CHECK(stats.p95 == json.at("p95").get<double>());
  CHECK(stats.mean == json.at("mean").get<double>());
  CHECK(stats.stddev == json.at("stddev").get<double>());
  CHECK(stats.high->value == json.at("high").at("value").get<double>());
  CHECK(stats.high->run_id == json.at("high").at("run_id"));
  CHECK(stats.low->run_id == json.at("low").at("run_id"));
  CHECK(stats.succeeded == json.at("succeeded"));
  CHECK(stats.failed == json.at("failed"));
}

}  // namespace

TEST_CASE("the query library says what the JSON says, over either door") {
  const Daemon daemon;
  record(daemon, "nightly", 60);
  for (const std::string& endpoint : {daemon.endpoint(), "http://" + daemon.listen()}) {
    INFO(endpoint);
    const Aggregator aggregator(endpoint);
    const auto stats = aggregator.stats("nightly");
    REQUIRE(stats);
    CHECK(stats->job == "nightly");
    CHECK(stats->measure == "duration");
    check_same(*stats, daemon.json(kNightly + std::string("/stats")));
    StatsQuestion of_step;
    of_step.step = "load";
    of_step.outcomes = {State::kFailed};
    of_step.filter.since = instant(1'710'000'000);
    of_step.filter.labels = {{"region", "us"}};
    const auto step = aggregator.stats("nightly", of_step);
    REQUIRE(step);
    check_same(*step,
               daemon.json(kNightly +
                           std::string("/stats?step=load&outcome=failed&since=2024-03-09T16:00:00Z&label.region=us")));
    const auto job = aggregator.job("nightly");
    REQUIRE(job);
    CHECK(job->status == "failing");
    CHECK(job->last_run->duration == Duration(std::chrono::seconds(159)));
    CHECK(job->stats.count == stats->count);
  }
}

TEST_CASE("lists are read to their end, page by page") {
  const Daemon daemon;
  record(daemon, "nightly", 50);
  record(daemon, "weekly", 3);
  const Aggregator aggregator(daemon.endpoint());
  RunsQuestion question;
  question.job = "nightly";
  question.page.limit = 20;
  std::set<std::string> ids;
  int pages = 0;
  do {
    const auto page = aggregator.runs(question);
    REQUIRE(page);
    for (const auto& run : page->runs) ids.insert(run.id);
    question.page.token = page->next_page_token;
    ++pages;
  } while (!question.page.token.empty());
  CHECK(pages == 3);
  CHECK(ids.size() == 50);
  RunsQuestion failed;
  failed.states = {State::kFailed};
  CHECK(aggregator.runs(failed)->runs.size() == 5);
  JobsQuestion jobs;
  jobs.page.limit = 1;
  const auto first = aggregator.jobs(jobs);
  REQUIRE(first);
  REQUIRE(first->jobs.size() == 1);
  CHECK(first->jobs[0].name == "nightly");
  jobs.page.token = first->next_page_token;
  CHECK(aggregator.jobs(jobs)->jobs.at(0).name == "weekly");
  CHECK(aggregator.jobs(jobs)->next_page_token.empty());
}

TEST_CASE("history and comparisons come as structs") {
  const Daemon daemon;
  record(daemon, "nightly", 60);
  const Aggregator aggregator(daemon.endpoint());
  HistoryQuestion question;
  question.width = kleptometrics::query::BucketWidth::kWeek;
  question.timezone = "America/New_York";
  question.min_count = 2;
  const auto history = aggregator.history("nightly", question);
  REQUIRE(history);
  const Json json = daemon.json(kNightly + std::string("/history?bucket=week&timezone=America/New_York&min_count=2"));
  REQUIRE(history->buckets.size() == json.at("buckets").size());
  REQUIRE(history->buckets.size() > 5);
  for (std::size_t i = 0; i < history->buckets.size(); ++i)
    CHECK(history->buckets[i].stats.median == json.at("buckets")[i].at("median").get<double>());
  CHECK(history->peak->stats.median == json.at("peak").at("median").get<double>());
  CHECK(history->low->start == history->buckets[0].start);
  // The week of the change of the clock has an hour less.
  CHECK(history->buckets[1].end - history->buckets[1].start == std::chrono::hours(7 * 24 - 1));

  kleptometrics::query::ProfileQuestion weekly;
  weekly.timezone = "America/New_York";
  const auto profile = aggregator.profile("nightly", weekly);
  REQUIRE(profile);
  const Json cells = daemon.json(kNightly + std::string("/profile?timezone=America/New_York"));
  REQUIRE(profile->cells.size() == cells.at("cells").size());
  CHECK(profile->cells.size() == 14);  // a run a day, at 20:00 of the day before or at 21:00 by summer time
  CHECK(profile->peak->weekday == cells.at("peak").at("weekday"));
  CHECK(profile->low->stats.median == cells.at("low").at("median").get<double>());

  const auto comparison = aggregator.compare("nightly");
  REQUIRE(comparison);
  const Json same = daemon.json(kNightly + std::string("/compare"));
  CHECK(comparison->total.verdict == "slower");
  CHECK(comparison->total.explanation == same.at("explanation"));
  CHECK(comparison->total.p_value == same.at("p_value").get<double>());
  check_same(comparison->total.window, same.at("window"));
  check_same(comparison->total.baseline, same.at("baseline"));
  REQUIRE(comparison->steps.size() == 1);
  CHECK(comparison->steps[0].step == "load");
  CHECK(comparison->total.effect_size == same.at("effect_size").get<double>());

  const auto newest = aggregator.runs()->runs.at(1);
  const auto of_run = aggregator.run_compare(newest.id);
  REQUIRE(of_run);
  const Json same_run = daemon.json("/api/v1/runs/" + newest.id + "/compare");
  CHECK(of_run->run.id == newest.id);
  CHECK(of_run->percentile_rank == same_run.at("percentile_rank").get<double>());
  CHECK(of_run->explanation == same_run.at("explanation"));
  check_same(*of_run->baseline, same_run.at("baseline"));
  CHECK(aggregator.run_compare(newest.id, newest.id).error().field == "to");

  const auto found = aggregator.changes("nightly");
  REQUIRE(found);
  const Json same_changes = daemon.json(kNightly + std::string("/changes"));
  CHECK(found->points == same_changes.at("points"));
  REQUIRE(found->changes.size() == same_changes.at("changes").size());
  REQUIRE_FALSE(found->changes.empty());
  CHECK(found->changes[0].explanation == same_changes.at("changes")[0].at("explanation"));
}

TEST_CASE("the top of all jobs comes in its order, and a job with what it is meant to be") {
  const Daemon daemon;
  record(daemon, "nightly", 20);
  record(daemon, "weekly", 3);
  const Aggregator aggregator(daemon.endpoint());
  kleptometrics::query::TopQuestion question;
  question.by = kleptometrics::query::RankBy::kTotal;
  const auto top = aggregator.top(question);
  REQUIRE(top);
  REQUIRE(top->jobs.size() == 2);
  CHECK(top->jobs[0].job == "nightly");
  CHECK(top->jobs[1].value == 303);
  CHECK(top->jobs[1].stats.max == 102.0);
  REQUIRE(daemon.send("PUT", "/api/v1/jobs/weekly", R"({"description":"sums","tags":["eu"]})").status == 200);
  JobsQuestion tagged;
  tagged.tag = "eu";
  const auto jobs = aggregator.jobs(tagged);
  REQUIRE(jobs);
  REQUIRE(jobs->jobs.size() == 1);
  CHECK(jobs->jobs[0].description == "sums");
}

TEST_CASE("a run that a program timed is read back with its steps") {
  const Daemon daemon;
  std::string id;
  {
    kleptometrics::ClientOptions options;
    options.endpoint = daemon.endpoint();
    options.spool_dir = daemon.dir() / "client";
    kleptometrics::Client client(options);
    {
      kleptometrics::Run run(client, "timed");
      id = run.id();
      run.label("größe", "мир").count("rows", 7);
      for (int i = 0; i < 3; ++i) auto load = run.step("load");
      run.fail("as asked");
    }
    REQUIRE(client.flush(std::chrono::seconds(20)));
  }
  const auto run = Aggregator(daemon.endpoint()).run(id);
  REQUIRE(run);
  CHECK(run->id == id);
  CHECK(run->state == State::kFailed);
  CHECK(run->failure->kind == "reported");
  CHECK(run->failure->message == "as asked");
  CHECK(run->labels.at("größe") == "мир");
  CHECK(run->counters.at("rows") == 7);
  REQUIRE(run->steps.size() == 1);
  CHECK(run->steps[0].count == 3);
  CHECK(run->steps[0].total >= *run->steps[0].max);
  CHECK(*run->steps[0].median <= run->steps[0].total);
  CHECK(run->resources.max_rss_bytes > 0U);
}

TEST_CASE("errors are told for what they are") {
  Daemon daemon;
  record(daemon, "nightly", 1);
  const Aggregator aggregator(daemon.endpoint());
  CHECK(aggregator.job("unknown").error().status == 404);
  CHECK(aggregator.stats("unknown").error().title == "Not Found");
  CHECK(aggregator.run("01890a5d-ac96-774b-bcce-b302099a8057").error().status == 404);
  CHECK(aggregator.run("no-id").error().field == "id");
  HistoryQuestion question;
  question.timezone = "Mars/Olympus";
  const auto history = aggregator.history("nightly", question);
  CHECK(history.error().status == 400);
  CHECK(history.error().field == "timezone");
  CHECK(history.error().detail.find("Mars/Olympus") != std::string::npos);
  RunsQuestion runs;
  runs.page.limit = 1001;
  CHECK(aggregator.runs(runs).error().field == "limit");
  StatsQuestion long_one;
  long_one.filter.host.assign(100'000, 'h');
  CHECK(aggregator.stats("nightly", long_one).error().status >= 400);
  daemon.kill();
  CHECK(aggregator.job("nightly").error().status == 0);
  CHECK(Aggregator("http://" + daemon.listen()).job("nightly").error().status == 0);
  daemon.start();
  CHECK(aggregator.job("nightly"));
}

TEST_CASE("a program sets its limit from its own history") {
  const Daemon daemon;
  const auto run_it = [&daemon] { return run_program({KLEPTO_SELF_LIMIT, "1000"}, daemon.environment()); };
  const Ended first = run_it();
  CHECK(first.exit_code == 0);
  CHECK(first.output.find("no limit: ") != std::string::npos);
  CHECK(first.output.find("168 primes below 1000") != std::string::npos);
  Json runs = Json::array();
  for (int i = 0; i < 40; ++i)
    runs.push_back({{"job", "count-primes"}, {"state", "succeeded"}, {"duration_seconds", 2}});
  REQUIRE(daemon.send("POST", "/api/v1/runs", Json{{"runs", runs}}.dump()).status == 200);
  const Ended second = run_it();
  INFO(second.output);
  CHECK(second.exit_code == 0);
  CHECK(second.output.find("limit 3.000 s, from 4") != std::string::npos);
}

// What a program gets from whoever answers: the right thing, an error, nonsense, half of it, or nothing.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "kleptometrics/query.h"
#include "kleptometrics/v1/query.pb.h"
#include "tests/fakes/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::query {
namespace {

using fakes::Peer;

std::string http(int status, const std::string& body, const std::string& type = "application/x-protobuf") {
  return "HTTP/1.1 " + std::to_string(status) + " Some Reason\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string stats_body(std::uint64_t count = 7) {
  v1::Stats stats;
  stats.set_job("nightly");
  stats.set_count(count);
  stats.set_median(1.5);
  return stats.SerializeAsString();
}

AggregatorOptions within(std::chrono::milliseconds timeout) {
  AggregatorOptions options;
  options.timeout = timeout;
  return options;
}

// The error of a question to whoever answers so.
Error error_of(const std::string& answer) {
  const Peer peer(answer);
  const auto stats = Aggregator(peer.endpoint()).stats("nightly");
  CHECK_FALSE(stats);
  return stats.error();
}

std::string first_line(const std::string& request) { return request.substr(0, request.find("\r\n")); }

TEST_CASE("A question is a GET that asks for a message, and its answer a struct") {
  const Peer peer(http(200, stats_body()));
  AggregatorOptions options;
  options.api_key = "secret";
  const auto stats = Aggregator(peer.endpoint(), options).stats("nightly");
  REQUIRE(stats);
  CHECK(stats.ok());
  CHECK(stats->job == "nightly");
  CHECK(stats->count == 7);
  CHECK((*stats).median == 1.5);
  CHECK_FALSE(stats->p95);
  CHECK(stats.error().detail.empty());
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs/nightly/stats HTTP/1.1");
  CHECK(peer.asked().find("\r\nAccept: application/x-protobuf\r\n") != std::string::npos);
  CHECK(peer.asked().find("\r\nAuthorization: Bearer secret\r\n") != std::string::npos);
  CHECK(peer.asked().find("\r\nHost: localhost\r\n") != std::string::npos);
}

TEST_CASE("Whatever is asked for stands in the target, encoded") {
  const Peer peer(http(200, stats_body()));
  const Aggregator aggregator(peer.endpoint());
  StatsQuestion question;
  question.measure = "counter:rows & columns";
  question.outcomes = {State::kFailed, State::kCrashed};
  question.filter.since = WallTime(std::chrono::seconds(1'700'000'000));
  question.filter.labels = {{"größe", "a=b"}, {"empty", ""}};
  REQUIRE(aggregator.stats("job?#%", question));
  CHECK(first_line(peer.asked()) ==
        "GET /api/v1/jobs/job%3F%23%25/stats?measure=counter:rows%20%26%20columns&outcome=failed%2Ccrashed"
        "&since=2023-11-14T22:13:20Z&label.gr%C3%B6%C3%9Fe=a%3Db&label.empty= HTTP/1.1");
  HistoryQuestion history;
  history.width = BucketWidth::kWeek;
  history.timezone = "Etc/GMT+1";
  history.min_count = 3;
  history.of.step = "load/parse";
  CHECK(aggregator.history("j", history).ok() == false);  // the peer answers with Stats
  CHECK(first_line(peer.asked()) ==
        "GET /api/v1/jobs/j/history?bucket=week&timezone=Etc%2FGMT%2B1&min_count=3&step=load%2Fparse HTTP/1.1");
  CompareQuestion compare;
  compare.baseline_since = WallTime();
  (void)aggregator.compare("j", compare);
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs/j/compare?baseline_since=1970-01-01T00:00:00Z HTTP/1.1");
  CompareQuestion versions;
  versions.filter.version = "2";
  versions.baseline_version = "1";
  versions.baseline_build_id = "7f3b";
  (void)aggregator.compare("j", versions);
  CHECK(first_line(peer.asked()) ==
        "GET /api/v1/jobs/j/compare?version=2&baseline_version=1&baseline_build_id=7f3b HTTP/1.1");
  ChangesQuestion changes;
  changes.measure = "cpu";
  changes.filter.host = "h";
  (void)aggregator.changes("j", changes);
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs/j/changes?measure=cpu&host=h HTTP/1.1");
  (void)aggregator.run_compare("x", "y z");
  CHECK(first_line(peer.asked()) == "GET /api/v1/runs/x/compare?to=y%20z HTTP/1.1");
  (void)aggregator.run_compare("x");
  CHECK(first_line(peer.asked()) == "GET /api/v1/runs/x/compare HTTP/1.1");
  CHECK(aggregator.run_compare("x/y").error().field == "id");
  ProfileQuestion profile;
  profile.timezone = "Europe/Berlin";
  profile.of.filter.host = "h";
  (void)aggregator.profile("j", profile);
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs/j/profile?timezone=Europe%2FBerlin&min_count=1&host=h HTTP/1.1");
  TopQuestion top;
  top.by = RankBy::kFailures;
  top.until = WallTime(std::chrono::seconds(1'700'000'000));
  top.limit = 7;
  (void)aggregator.top(top);
  CHECK(first_line(peer.asked()) == "GET /api/v1/top?by=failures&until=2023-11-14T22:13:20Z&limit=7 HTTP/1.1");
  (void)aggregator.jobs();
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs?limit=50 HTTP/1.1");
  JobsQuestion jobs;
  jobs.tag = "eu";
  (void)aggregator.jobs(jobs);
  CHECK(first_line(peer.asked()) == "GET /api/v1/jobs?tag=eu&limit=50 HTTP/1.1");
  RunsQuestion runs;
  runs.states = {State::kRunning};
  runs.page = {7, "to ken"};
  (void)aggregator.runs(runs);
  CHECK(first_line(peer.asked()) == "GET /api/v1/runs?state=running&limit=7&page_token=to%20ken HTTP/1.1");
  (void)aggregator.run("01890a5d-ac96-774b-bcce-b302099a8057");
  CHECK(first_line(peer.asked()) == "GET /api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057 HTTP/1.1");
}

TEST_CASE("A problem is told with its status, its words and its field") {
  v1::Problem problem;
  problem.set_status(400);
  problem.set_title("Bad Request");
  problem.set_detail("timezone must be a name");
  problem.set_field("timezone");
  const Error error = error_of(http(400, problem.SerializeAsString()));
  CHECK(error.status == 400);
  CHECK(error.title == "Bad Request");
  CHECK(error.detail == "timezone must be a name");
  CHECK(error.field == "timezone");
}

TEST_CASE("An error without a message of ours keeps its status") {
  CHECK(error_of(http(503, "{}", "application/problem+json")).status == 503);
  CHECK(error_of(http(502, "<html>", "text/html")).detail.find("502") != std::string::npos);
  CHECK(error_of(http(500, "\xff\xff\xff")).status == 500);
}

TEST_CASE("What is no answer is an error of status 0, and says what is wrong") {
  for (const std::string& answer :
       {std::string("garbage\r\n\r\n"), std::string(), http(200, "\xff\xff\xff"), http(200, "{}", "application/json"),
        http(200, stats_body()).substr(0, 60), http(200, stats_body()).substr(0, http(200, stats_body()).size() - 1),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"), std::string(100'000, 'x')}) {
    INFO(answer.substr(0, 80));
    const Error error = error_of(answer);
    CHECK(error.status == 0);
    CHECK_FALSE(error.title.empty());
    CHECK_FALSE(error.detail.empty());
  }
}

TEST_CASE("An answer that contradicts itself is refused") {
  v1::RunPage page;
  page.add_strings("");
  v1::Run& run = *page.add_runs();
  run.set_id(std::string(16, 'i'));
  run.set_state(v1::STATE_SUCCEEDED);
  const auto ask = [&page] {
    const Peer peer(http(200, page.SerializeAsString()));
    return Aggregator(peer.endpoint()).runs();
  };
  REQUIRE(ask());
  run.set_job(1);
  CHECK_FALSE(ask());  // an index beyond the strings
  page.add_strings("nightly");
  REQUIRE(ask());
  run.set_state(static_cast<v1::State>(99));
  CHECK_FALSE(ask());
  run.set_state(v1::STATE_RUNNING);
  run.set_id("short");
  CHECK_FALSE(ask());
}

TEST_CASE("A run is told whole") {
  v1::RunPage page;
  for (const char* text : {"", "nightly", "rows", "load", "host", "boot", "region", "eu"}) page.add_strings(text);
  v1::Run& run = *page.add_runs();
  run.set_id(std::string(16, '\x11'));
  run.set_job(1);
  run.set_state(v1::STATE_FAILED);
  run.set_started_at_ns(5'000'000'000);
  run.set_scheduled_at_ns(7'000'000'000);
  run.set_duration_ns(1'500);
  run.mutable_failure()->set_kind(v1::FAILURE_KIND_SIGNAL);
  run.mutable_failure()->set_signal(9);
  run.add_labels()->set_key(6);
  run.mutable_labels(0)->set_value(7);
  run.add_counters()->set_name(2);
  run.mutable_counters(0)->set_value(2.5);
  v1::Step& step = *run.add_steps();
  step.set_name(3);
  step.set_count(2);
  step.set_total_ns(200);
  step.set_min_ns(100);
  step.set_max_ns(100);
  step.mutable_sketch()->set_scale(6);
  step.mutable_sketch()->set_zero_count(2);
  run.mutable_resources()->set_max_rss_bytes(0);
  run.set_host(4);
  run.set_boot_id(5);
  run.set_dropped(3);
  const Peer peer(http(200, page.SerializeAsString()));
  const auto told = Aggregator(peer.endpoint()).run("x");
  REQUIRE(told);
  CHECK(told->id == "11111111-1111-1111-1111-111111111111");
  CHECK(told->job == "nightly");
  CHECK(told->state == State::kFailed);
  CHECK(told->attempt == 1);
  CHECK(told->started_at == WallTime(std::chrono::seconds(5)));
  CHECK(told->start_delay == Duration(-2'000'000'000));
  CHECK(told->duration == Duration(1'500));
  CHECK_FALSE(told->finished_at);
  CHECK(told->failure->kind == "signal");
  CHECK(told->failure->signal == 9);
  CHECK(told->labels.at("region") == "eu");
  CHECK(told->counters.at("rows") == 2.5);
  REQUIRE(told->steps.size() == 1);
  CHECK(told->steps[0].name == "load");
  CHECK(told->steps[0].median == Duration(100));  // never beyond the shortest, whatever the distribution says
  CHECK(told->resources.max_rss_bytes == 0U);
  CHECK_FALSE(told->resources.read_bytes);
  CHECK(told->host == "host");
  CHECK(told->boot_id == "boot");
  CHECK(told->dropped == 3);
}

TEST_CASE("Statistics about more than was asked for say so") {
  v1::Stats stats;
  stats.set_approximate(true);
  stats.set_since_ns(5'000'000'000);
  const Peer peer(http(200, stats.SerializeAsString()));
  const auto told = Aggregator(peer.endpoint()).stats("nightly");
  REQUIRE(told);
  CHECK(told->approximate);
  CHECK(told->since == WallTime(std::chrono::seconds(5)));
  CHECK_FALSE(told->until);
}

TEST_CASE("A job is told with what it is meant to be") {
  v1::Job job;
  job.set_name("nightly");
  job.set_status("new");
  job.set_description("bills");
  job.add_tags("a");
  job.add_tags("b");
  job.set_retention_days(90);
  job.set_cron("@daily");
  job.set_timezone("Europe/Berlin");
  job.set_grace_ns(60);
  job.set_max_duration_ns(7);
  job.set_failures_before_alert(2);
  job.set_successes_before_recovery(3);
  job.add_maintenance()->set_until_ns(5'000'000'000);
  v1::MaintenanceWindow& weekly = *job.add_maintenance();
  weekly.set_cron("@weekly");
  weekly.set_duration_ns(9);
  job.set_paused(true);
  job.set_paused_until_ns(6'000'000'000);
  job.set_next_expected_at_ns(7'000'000'000);
  const Peer peer(http(200, job.SerializeAsString()));
  const auto told = Aggregator(peer.endpoint()).job("nightly");
  REQUIRE(told);
  CHECK(told->description == "bills");
  CHECK(told->tags == std::vector<std::string>{"a", "b"});
  CHECK(told->retention_days == 90);
  CHECK(told->cron == "@daily");
  CHECK_FALSE(told->interval);
  CHECK(told->timezone == "Europe/Berlin");
  CHECK(told->grace == Duration(60));
  CHECK(told->max_duration == Duration(7));
  CHECK_FALSE(told->min_duration);
  CHECK(told->failures_before_alert == 2);
  CHECK(told->successes_before_recovery == 3);
  REQUIRE(told->maintenance.size() == 2);
  CHECK(told->maintenance[0].until == WallTime(std::chrono::seconds(5)));
  CHECK(told->maintenance[1].cron == "@weekly");
  CHECK(told->maintenance[1].duration == Duration(9));
  CHECK(told->paused);
  CHECK(told->paused_until == WallTime(std::chrono::seconds(6)));
  CHECK(told->next_expected_at == WallTime(std::chrono::seconds(7)));
  CHECK_FALSE(told->typical);
  CHECK_FALSE(told->last_run);
}

TEST_CASE("A job is told with what its runs usually take") {
  v1::Job job;
  job.set_name("nightly");
  job.mutable_typical()->set_median_seconds(600);
  job.mutable_typical()->set_low_seconds(500.5);
  job.mutable_typical()->set_high_seconds(900);
  const auto ask = [&job] {
    const Peer peer(http(200, job.SerializeAsString()));
    return Aggregator(peer.endpoint()).job("nightly");
  };
  const auto told = ask();
  REQUIRE(told);
  REQUIRE(told->typical);
  CHECK(told->typical->median == 600);
  CHECK(told->typical->low == 500.5);
  CHECK(told->typical->high == 900);
  CHECK_FALSE(told->typical->period);
  job.mutable_typical()->set_period_seconds(86'400);
  CHECK(ask()->typical->period == 86'400);
}

TEST_CASE("The runs of a page that are running come with their ends") {
  v1::RunPage page;
  page.add_strings("");
  for (int i = 0; i < 2; ++i) {
    v1::Run& run = *page.add_runs();
    run.set_id(std::string(16, 'i'));
    run.set_state(v1::STATE_RUNNING);
  }
  v1::Eta& eta = *page.add_etas();
  eta.set_run(1);
  eta.set_median_ns(6'000'000'000);
  eta.set_low_ns(5'000'000'000);
  eta.set_high_ns(9'000'000'000);
  const auto ask = [&page] {
    const Peer peer(http(200, page.SerializeAsString()));
    return Aggregator(peer.endpoint()).runs();
  };
  const auto told = ask();
  REQUIRE(told);
  CHECK_FALSE(told->runs[0].eta);
  REQUIRE(told->runs[1].eta);
  CHECK(told->runs[1].eta->median == WallTime(std::chrono::seconds(6)));
  CHECK(told->runs[1].eta->low == WallTime(std::chrono::seconds(5)));
  CHECK(told->runs[1].eta->high == WallTime(std::chrono::seconds(9)));
  eta.set_run(2);
  CHECK_FALSE(ask());  // of no run
}

TEST_CASE("A profile comes with its cells, its peak and its low") {
  v1::Profile profile;
  v1::Cell& cell = *profile.add_cells();
  cell.set_weekday("tuesday");
  cell.set_hour(23);
  cell.mutable_stats()->set_count(4);
  *profile.mutable_peak() = cell;
  profile.set_approximate(true);
  profile.set_until_ns(7'000'000'000);
  const auto ask = [&profile] {
    const Peer peer(http(200, profile.SerializeAsString()));
    return Aggregator(peer.endpoint()).profile("nightly");
  };
  const auto told = ask();
  REQUIRE(told);
  REQUIRE(told->cells.size() == 1);
  CHECK(told->cells[0].weekday == "tuesday");
  CHECK(told->cells[0].hour == 23);
  CHECK(told->cells[0].stats.count == 4);
  CHECK(told->peak->hour == 23);
  CHECK_FALSE(told->low);
  CHECK(told->approximate);
  CHECK(told->until == WallTime(std::chrono::seconds(7)));
  profile.mutable_cells(0)->clear_weekday();
  CHECK_FALSE(ask());
}

TEST_CASE("A comparison of a run comes with its parts") {
  v1::RunComparison comparison;
  const auto ask = [&comparison] {
    const Peer peer(http(200, comparison.SerializeAsString()));
    return Aggregator(peer.endpoint()).run_compare("x");
  };
  CHECK_FALSE(ask());  // no run
  v1::RunPage& page = *comparison.mutable_run();
  page.add_strings("");
  page.add_runs()->set_id(std::string(16, 'i'));
  page.mutable_runs(0)->set_state(v1::STATE_SUCCEEDED);
  comparison.mutable_baseline()->set_count(200);
  comparison.set_percentile_rank(0.985);
  comparison.mutable_total()->set_value(2);
  comparison.add_steps()->set_name("merge");
  comparison.mutable_steps(0)->set_difference(-1);
  comparison.add_counters()->set_ratio(3);
  comparison.add_resources()->set_reference(4);
  comparison.set_verdict("slower");
  comparison.set_explanation("why");
  const auto told = ask();
  REQUIRE(told);
  CHECK_FALSE(told->run.id.empty());
  CHECK_FALSE(told->to);
  CHECK(told->baseline->count == 200);
  CHECK(told->percentile_rank == 0.985);
  CHECK(told->total.value == 2.0);
  CHECK_FALSE(told->total.reference);
  CHECK(told->steps.at(0).name == "merge");
  CHECK(told->steps.at(0).difference == -1.0);
  CHECK(told->counters.at(0).ratio == 3.0);
  CHECK(told->resources.at(0).reference == 4.0);
  CHECK(told->verdict == "slower");
  CHECK(told->explanation == "why");
  comparison.mutable_to();
  CHECK_FALSE(ask());  // another run that is none
}

TEST_CASE("Changes come in order, with both sides") {
  v1::ChangePoints points;
  const auto ask = [&points] {
    const Peer peer(http(200, points.SerializeAsString()));
    return Aggregator(peer.endpoint()).changes("nightly");
  };
  CHECK_FALSE(ask());  // the answer to something else
  points.set_job("nightly");
  points.set_points(80);
  CHECK(ask()->changes.empty());
  v1::ChangePoint& change = *points.add_changes();
  change.set_at_ns(5'000'000'000);
  change.set_median_before(40);
  change.set_median_after(60);
  change.set_p_value(0.001);
  change.set_runs_before(50);
  change.set_runs_after(30);
  change.add_versions_before("1.9");
  change.add_versions_after("2.0");
  change.add_build_ids_before("7f3b");
  change.add_build_ids_after("7f3c");
  change.set_verdict("slower");
  const auto told = ask();
  REQUIRE(told);
  CHECK(told->points == 80);
  REQUIRE(told->changes.size() == 1);
  const ChangePoint& first = told->changes[0];
  CHECK(first.at == WallTime(std::chrono::seconds(5)));
  CHECK(first.median_before == 40);
  CHECK(first.median_after == 60);
  CHECK_FALSE(first.ratio);
  CHECK(first.p_value == 0.001);
  CHECK(first.runs_before == 50);
  CHECK(first.runs_after == 30);
  CHECK(first.versions_before == std::vector<std::string>{"1.9"});
  CHECK(first.versions_after == std::vector<std::string>{"2.0"});
  CHECK(first.build_ids_before == std::vector<std::string>{"7f3b"});
  CHECK(first.build_ids_after == std::vector<std::string>{"7f3c"});
  CHECK(first.verdict == "slower");
}

TEST_CASE("A comparison is told with its sizes and with what explains it") {
  v1::Comparison comparison;
  comparison.mutable_total()->set_effect_size(-0.5);
  comparison.mutable_total()->set_shift(-2);
  v1::PerCounter& per = *comparison.mutable_normalized();
  per.set_counter("rows");
  per.set_window_median(2);
  per.set_ratio(1.01);
  per.set_counter_ratio(2.1);
  per.set_verdict("unchanged");
  const Peer peer(http(200, comparison.SerializeAsString()));
  const auto told = Aggregator(peer.endpoint()).compare("nightly");
  REQUIRE(told);
  CHECK(told->total.effect_size == -0.5);
  CHECK(told->total.shift == -2.0);
  CHECK(told->normalized->counter == "rows");
  CHECK(told->normalized->window_median == 2.0);
  CHECK_FALSE(told->normalized->baseline_median);
  CHECK(told->normalized->ratio == 1.01);
  CHECK_FALSE(told->normalized->p_value);
  CHECK(told->normalized->counter_ratio == 2.1);
  CHECK(told->normalized->verdict == "unchanged");
}

TEST_CASE("The top comes in its order") {
  v1::Top top;
  const auto ask = [&top] {
    const Peer peer(http(200, top.SerializeAsString()));
    return Aggregator(peer.endpoint()).top();
  };
  CHECK_FALSE(ask());  // the answer to something else
  top.set_by("median");
  CHECK(ask()->jobs.empty());
  for (const char* job : {"b", "a"}) {
    v1::RankedJob& ranked = *top.add_jobs();
    ranked.set_job(job);
    ranked.set_value(2.5);
    ranked.mutable_stats()->set_count(3);
  }
  const auto told = ask();
  REQUIRE(told);
  CHECK(told->by == "median");
  REQUIRE(told->jobs.size() == 2);
  CHECK(told->jobs[0].job == "b");
  CHECK(told->jobs[0].value == 2.5);
  CHECK(told->jobs[1].stats.count == 3);
  CHECK_FALSE(told->approximate);
}

TEST_CASE("Nobody at the endpoint, or no endpoint, is an error at once") {
  for (const char* endpoint : {"unix:/nowhere/at.sock", "http://127.0.0.1:1", "ftp://x", "unix:"}) {
    INFO(endpoint);
    const auto stats = Aggregator(endpoint).stats("nightly");
    CHECK_FALSE(stats);
    CHECK(stats.error().status == 0);
    CHECK_FALSE(stats.error().detail.empty());
  }
}

TEST_CASE("A peer that says nothing, or not all, is waited for no longer than the timeout") {
  for (const std::string& said : {std::string(), http(200, stats_body()).substr(0, 70)}) {
    const Peer peer(said, Peer::After::kHang);
    const auto begin = std::chrono::steady_clock::now();
    const auto stats = Aggregator(peer.endpoint(), within(std::chrono::milliseconds(100))).stats("nightly");
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK_FALSE(stats);
    CHECK(stats.error().status == 0);
    CHECK(took >= std::chrono::milliseconds(100));
    CHECK(took < std::chrono::seconds(5));
  }
}

TEST_CASE("A question longer than the peer takes raises no signal") {
  std::signal(SIGPIPE, SIG_DFL);
  StatsQuestion question;
  question.filter.host.assign(std::size_t{8} << 20U, 'h');
  const Peer peer(http(400, ""));  // closes in the middle of it
  CHECK_FALSE(Aggregator(peer.endpoint()).stats("nightly", question));
}

TEST_CASE("Names that would be another route are refused before they are sent") {
  const Peer peer(http(200, stats_body()));
  const Aggregator aggregator(peer.endpoint());
  for (const char* name : {"", "a/b", "/"}) {
    CHECK(aggregator.stats(name).error().status == 400);
    CHECK(aggregator.stats(name).error().field == "job");
    CHECK(aggregator.run(name).error().field == "id");
  }
  CHECK(peer.asked().empty());
}

TEST_CASE("An API key that would end the head of the request is not sent") {
  const Peer peer(http(200, stats_body()));
  AggregatorOptions options;
  options.api_key = "a\r\nX: y";
  CHECK_FALSE(Aggregator(peer.endpoint(), options).stats("nightly"));
  CHECK(peer.asked().empty());
}

TEST_CASE("The environment says where the aggregator is, unless the program does") {
  ::setenv("KLEPTO_ENDPOINT", "unix:/from/environment", 1);
  CHECK(Aggregator().endpoint() == "unix:/from/environment");
  CHECK(Aggregator("unix:/given").endpoint() == "unix:/given");
  ::unsetenv("KLEPTO_ENDPOINT");
}

TEST_CASE("Any number of threads may ask at once") {
  const Peer peer(http(200, stats_body()));
  const Aggregator aggregator(peer.endpoint());
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5; ++n) answered += aggregator.stats("nightly").ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(answered == 40);
}

}  // namespace
}  // namespace kleptometrics::query

#include "aggregator/query/query.h"

#include "aggregator/wire/wire.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using Names = std::vector<std::string>;

constexpr Nanos kNow = kStart + 1'000'000 * kNanosPerSecond;

struct History {
  fakes::FaultyStore store;
  Query query{store};
  std::uint32_t runs = 0;

  void keep(const Run& run) {
    const std::vector<Run> one = {run};
    REQUIRE(store.commit(one, 0).ok());
  }
  // A run of the job `at` seconds after the first instant; those that ended took that many seconds plus one.
  Run ran(const std::string& job, State state, int at) {
    Run run = started(job, ++runs, kStart + at * kNanosPerSecond);
    if (terminal(state)) run = finished(run, (at + 1) * kNanosPerSecond, state);
    keep(run);
    return run;
  }
  JobStatus status_of(const std::string& job) { return query.job(job, kNow)->status; }
  Names names(const JobsRequest& request) {
    const auto page = query.jobs(request);
    REQUIRE(page.ok());
    Names names;
    for (const JobView& job : page->jobs) names.push_back(job.name);
    return names;
  }
};

TEST_CASE("the names of statuses are read as they are written") {
  for (const JobStatus status : {JobStatus::kPaused, JobStatus::kOverrunning, JobStatus::kLate, JobStatus::kFailing,
                                 JobStatus::kRunning, JobStatus::kOk, JobStatus::kNew}) {
    REQUIRE(job_status_of(name_of(status)) == status);
  }
  REQUIRE(name_of(JobStatus::kFailing) == "failing");
  REQUIRE(job_status_of("late") == JobStatus::kLate);
  REQUIRE_FALSE(job_status_of("lat"));
  REQUIRE_FALSE(job_status_of(""));
}

TEST_CASE("a job is late while a start is missing, and overruns while a run takes too long, whatever else holds") {
  History history;
  history.ran("job", State::kFailed, 1);
  Delay missed;
  missed.id = fakes::id_of(1);
  missed.job = "job";
  Delay overrun = missed;
  overrun.id = fakes::id_of(2);
  overrun.kind = DelayKind::kOverrun;
  const auto record = [&](const std::vector<Delay>& delays) {
    Findings findings;
    findings.delays = delays;
    REQUIRE(history.store.record(findings).ok());
  };
  record({missed});
  REQUIRE(history.status_of("job") == JobStatus::kLate);
  record({overrun});
  REQUIRE(history.status_of("job") == JobStatus::kOverrunning);
  JobsRequest overrunning;
  overrunning.status = JobStatus::kOverrunning;
  REQUIRE(history.names(overrunning) == Names{"job"});
  missed.closed_at = overrun.closed_at = 3;
  record({missed, overrun});
  REQUIRE(history.status_of("job") == JobStatus::kFailing);
}

TEST_CASE("a job is failing while its newest ended run failed or crashed") {
  History history;
  const State bad = GENERATE(State::kFailed, State::kCrashed);
  history.ran("job", State::kSucceeded, 1);
  history.ran("job", bad, 2);
  REQUIRE(history.status_of("job") == JobStatus::kFailing);
  history.ran("job", State::kRunning, 3);
  REQUIRE(history.status_of("job") == JobStatus::kFailing);
  history.ran("job", State::kCanceled, 4);
  REQUIRE(history.status_of("job") == JobStatus::kFailing);
  history.ran("job", State::kSucceeded, 5);
  REQUIRE(history.status_of("job") == JobStatus::kRunning);
}

TEST_CASE("newest is by start, not by arrival") {
  History history;
  history.ran("job", State::kSucceeded, 9);
  history.ran("job", State::kFailed, 1);
  REQUIRE(history.status_of("job") == JobStatus::kOk);
}

TEST_CASE("a job with a run open is running, one whose runs have ended is ok") {
  History history;
  history.ran("open", State::kRunning, 1);
  history.ran("done", State::kSucceeded, 1);
  history.ran("canceled", State::kCanceled, 1);
  REQUIRE(history.status_of("open") == JobStatus::kRunning);
  REQUIRE(history.status_of("done") == JobStatus::kOk);
  REQUIRE(history.status_of("canceled") == JobStatus::kOk);
}

TEST_CASE("a job shows its last run and the durations of those that succeeded") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  history.ran("job", State::kSucceeded, 3);
  history.ran("job", State::kFailed, 2);
  const Run last = history.ran("job", State::kRunning, 9);
  history.ran("other", State::kSucceeded, 100);
  const auto job = history.query.job("job", kNow);
  REQUIRE(job.ok());
  REQUIRE(job->name == "job");
  REQUIRE(job->last_run == last);
  REQUIRE(job->stats.count == 2);
  REQUIRE(job->stats.max == 4.0);
  REQUIRE(job->stats.failed == 1);
}

TEST_CASE("a job that is only specified is new, and is there") {
  History history;
  REQUIRE(history.store.put_job("planned", {"soon", {"eu"}, 7}).ok());
  history.ran("job", State::kSucceeded, 1);
  REQUIRE(history.status_of("planned") == JobStatus::kNew);
  REQUIRE(history.query.job("planned", kNow)->spec.description == "soon");
  REQUIRE(history.query.job("planned", kNow)->stats.count == 0);
  REQUIRE(history.names({}) == Names{"job", "planned"});
  JobsRequest request;
  request.sort = JobsRequest::Sort::kLastRun;
  REQUIRE(history.names(request) == Names{"job", "planned"});
  request.status = JobStatus::kNew;
  REQUIRE(history.names(request) == Names{"planned"});
  StatsRequest stats;
  stats.filter.job = "planned";
  REQUIRE(history.query.stats(stats)->count == 0);
  REQUIRE(history.query.runs(stats.filter, std::nullopt, 1)->runs.empty());
}

TEST_CASE("when the next run is expected is told by the schedule, the last start and the pause") {
  History history;
  const auto next = [&history](const JobSpec& spec, Nanos now) {
    REQUIRE(history.store.put_job("job", spec).ok());
    return history.query.job("job", now)->next_expected_at;
  };
  constexpr Nanos hour = 3600 * kNanosPerSecond;
  constexpr Nanos midnight = 20'000 * 24 * hour;
  JobSpec spec;
  REQUIRE_FALSE(next(spec, midnight));
  spec.cron = "0 6 * * *";
  REQUIRE(next(spec, midnight) == midnight + 6 * hour);
  REQUIRE(next(spec, midnight + 6 * hour) == midnight + 30 * hour);
  spec.paused_until = midnight + 6 * hour;
  REQUIRE(next(spec, midnight) == midnight + 6 * hour);
  spec.paused_until = midnight + 7 * hour;
  REQUIRE(next(spec, midnight) == midnight + 30 * hour);
  spec.paused_until = kNanosEnd;
  REQUIRE_FALSE(next(spec, midnight));

  JobSpec regular;
  regular.interval = hour;
  REQUIRE_FALSE(next(regular, midnight));
  const Nanos start = history.ran("job", State::kRunning, 0).started_at;
  REQUIRE(next(regular, kNow) == start + hour);
  regular.paused_until = kNow + 1;
  REQUIRE(next(regular, kNow) == kNow + 1);
  REQUIRE(next(regular, kNow + 1) == start + hour);
}

TEST_CASE("a job that is paused is that, whatever else it is") {
  History history;
  JobSpec spec;
  spec.paused_until = kNow;
  history.ran("job", State::kFailed, 1);
  REQUIRE(history.store.put_job("job", spec).ok());
  REQUIRE(history.query.job("job", kNow - 1)->status == JobStatus::kPaused);
  REQUIRE(history.query.job("job", kNow - 1)->paused);
  REQUIRE(history.status_of("job") == JobStatus::kFailing);
  REQUIRE_FALSE(history.query.job("job", kNow)->paused);
  JobsRequest request;
  request.status = JobStatus::kPaused;
  REQUIRE(history.names(request) == Names{"job"});
  request.now = kNow;
  REQUIRE(history.names(request).empty());
}

TEST_CASE("jobs are selected by a tag that they have") {
  History history;
  REQUIRE(history.store.put_job("a", {{}, {"eu", "nightly"}, 0}).ok());
  REQUIRE(history.store.put_job("b", {{}, {"us"}, 0}).ok());
  history.ran("c", State::kSucceeded, 1);
  JobsRequest request;
  request.tag = "nightly";
  REQUIRE(history.names(request) == Names{"a"});
  request.tag = "night";
  REQUIRE(history.names(request).empty());
}

TEST_CASE("a job whose runs have all expired keeps its statistics and is no new one") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  REQUIRE(history.store.put_job("job", {{}, {}, 1}).ok());
  REQUIRE(history.store.maintain(kStart + 3 * stats::kDay, true)->expired == 1);
  const auto job = history.query.job("job", kNow);
  REQUIRE(job.ok());
  REQUIRE(job->status == JobStatus::kOk);
  REQUIRE_FALSE(job->last_run);
  REQUIRE(job->stats.count == 1);
  REQUIRE(job->stats.max == 2.0);
}

TEST_CASE("what is unknown is not found") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  RunFilter filter;
  filter.job = "other";
  StatsRequest stats;
  stats.filter = filter;
  REQUIRE(absl::IsNotFound(history.query.job("other", kNow).status()));
  REQUIRE(absl::IsNotFound(history.query.run(id_of(99)).status()));
  REQUIRE(absl::IsNotFound(history.query.runs(filter, std::nullopt, 10).status()));
  REQUIRE(absl::IsNotFound(history.query.stats(stats).status()));
}

TEST_CASE("a known job of which nothing matches has an empty answer") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  RunFilter filter;
  filter.job = "job";
  filter.host = "elsewhere";
  StatsRequest stats;
  stats.filter = filter;
  REQUIRE(history.query.runs(filter, std::nullopt, 10)->runs.empty());
  REQUIRE(history.query.stats(stats)->count == 0);
}

TEST_CASE("without any run every list is empty") {
  History history;
  REQUIRE(history.names({}).empty());
  REQUIRE(history.query.runs({}, std::nullopt, 10)->runs.empty());
  const StatsRequest of_all;
  REQUIRE(history.query.stats(of_all)->count == 0);
}

TEST_CASE("a run is found by its id") {
  History history;
  const Run run = history.ran("job", State::kSucceeded, 1);
  REQUIRE(*history.query.run(run.id) == run);
}

TEST_CASE("runs are paged, newest start first") {
  History history;
  for (int i = 1; i <= 5; ++i) history.ran("job", State::kSucceeded, i);
  const auto first = history.query.runs({}, std::nullopt, 3);
  REQUIRE(first->runs.front().id == id_of(5));
  REQUIRE(first->next);
  const auto second = history.query.runs({}, first->next, 3);
  REQUIRE(second->runs.size() == 2);
  REQUIRE(second->runs.back().id == id_of(1));
  REQUIRE_FALSE(second->next);
}

TEST_CASE("jobs are listed by name and searched by bytes") {
  History history;
  for (const auto* name : {"nightly-billing", "Nightly", "hourly", "billing.eu"}) {
    history.ran(name, State::kSucceeded, 1);
  }
  REQUIRE(history.names({}) == Names{"Nightly", "billing.eu", "hourly", "nightly-billing"});
  JobsRequest request;
  request.search = "billing";
  REQUIRE(history.names(request) == Names{"billing.eu", "nightly-billing"});
  request.search = "ightly";
  REQUIRE(history.names(request) == Names{"Nightly", "nightly-billing"});
  request.search = "nightly";
  REQUIRE(history.names(request) == Names{"nightly-billing"});
  request.search = "weekly";
  REQUIRE(history.names(request).empty());
}

TEST_CASE("jobs by name come in pages that know whether more are left") {
  History history;
  for (const auto* name : {"a", "b", "c", "d"}) history.ran(name, State::kSucceeded, 1);
  JobsRequest request;
  request.limit = 2;
  auto page = history.query.jobs(request);
  REQUIRE(page->jobs.size() == 2);
  REQUIRE(page->more);
  request.after = page->jobs.back().name;
  REQUIRE(history.names(request) == Names{"c", "d"});
  REQUIRE_FALSE(history.query.jobs(request)->more);
  request.after = "d";
  REQUIRE(history.names(request).empty());
  request.after = "bb";  // a job that is no more
  REQUIRE(history.names(request) == Names{"c", "d"});
}

TEST_CASE("jobs are filtered by status, and pages are full all the same") {
  History history;
  for (const auto* name : {"a", "c", "e"}) history.ran(name, State::kSucceeded, 1);
  for (const auto* name : {"b", "d", "f"}) history.ran(name, State::kFailed, 1);
  JobsRequest request;
  request.status = JobStatus::kFailing;
  request.limit = 2;
  REQUIRE(history.names(request) == Names{"b", "d"});
  REQUIRE(history.query.jobs(request)->more);
  request.after = "d";
  REQUIRE(history.names(request) == Names{"f"});
  REQUIRE_FALSE(history.query.jobs(request)->more);
  request.status = JobStatus::kNew;
  request.after.clear();
  REQUIRE(history.names(request).empty());
}

TEST_CASE("more is left only if it passes the filter") {
  History history;
  history.ran("a", State::kFailed, 1);
  history.ran("b", State::kSucceeded, 1);
  JobsRequest request;
  request.status = JobStatus::kFailing;
  request.limit = 1;
  REQUIRE_FALSE(history.query.jobs(request)->more);
}

TEST_CASE("jobs by last run begin with the newest, equal starts by name") {
  History history;
  history.ran("old", State::kSucceeded, 1);
  history.ran("b", State::kSucceeded, 5);
  history.ran("a", State::kSucceeded, 5);
  history.ran("new", State::kRunning, 9);
  history.ran("new", State::kSucceeded, 0);
  JobsRequest request;
  request.sort = JobsRequest::Sort::kLastRun;
  REQUIRE(history.names(request) == Names{"new", "a", "b", "old"});
  request.limit = 3;
  REQUIRE(history.query.jobs(request)->more);
  request.after = "a";
  REQUIRE(history.names(request) == Names{"b", "old"});
  request.status = JobStatus::kRunning;
  request.after.clear();
  REQUIRE(history.names(request) == Names{"new"});
  request.after = "gone";
  REQUIRE(absl::IsInvalidArgument(history.query.jobs(request).status()));
}

TEST_CASE("a page goes on after a job that the filter would not show") {
  History history;
  history.ran("a", State::kSucceeded, 3);
  history.ran("b", State::kFailed, 2);
  history.ran("c", State::kSucceeded, 1);
  JobsRequest request;
  request.sort = JobsRequest::Sort::kLastRun;
  request.status = JobStatus::kOk;
  request.after = "b";
  REQUIRE(history.names(request) == Names{"c"});
}

TEST_CASE("a page of jobs takes one look at their rollups, and none at their runs") {
  History history;
  for (int i = 0; i < 20; ++i) history.ran("job" + std::to_string(i), State::kSucceeded, i);
  JobsRequest request;
  request.limit = 3;
  request.sort = GENERATE(JobsRequest::Sort::kName, JobsRequest::Sort::kLastRun);
  history.names(request);
  REQUIRE(history.store.summaries == 1);
  REQUIRE(history.store.scans == 0);
}

TEST_CASE("statistics are those of the filter, whatever its states say") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  history.ran("job", State::kFailed, 2);
  history.ran("job", State::kSucceeded, 3);
  history.ran("other", State::kSucceeded, 4);
  StatsRequest request;
  request.filter.job = "job";
  request.filter.states = {State::kFailed};
  REQUIRE(history.query.stats(request)->count == 2);
  REQUIRE(history.query.stats(request)->failed == 1);
  request.filter.since = kStart + seconds(2);
  REQUIRE(history.query.stats(request)->high->run_id == id_of(3));
  REQUIRE(history.query.stats(request)->count == 1);
  request.outcomes = {State::kFailed, State::kSucceeded};
  REQUIRE(history.query.stats(request)->min == 3.0);
  request.filter.job.clear();
  REQUIRE(history.query.stats(request)->count == 3);
}

TEST_CASE("a start more than a minute behind its schedule is late") {
  History history;
  for (const int delay : {60, 61}) {
    Run run = finished(started("job", static_cast<std::uint32_t>(delay)), seconds(1));
    run.scheduled_at = run.started_at - delay * kNanosPerSecond;
    history.keep(run);
  }
  REQUIRE(history.query.job("job", kNow)->stats.late == 1);
}

TEST_CASE("errors of the store come through") {
  History history;
  history.ran("job", State::kSucceeded, 1);
  const auto busy = absl::UnavailableError("busy");
  SECTION("run") {
    history.store.run_error = busy;
    REQUIRE(history.query.run(id_of(1)).status() == busy);
  }
  SECTION("runs") {
    history.store.runs_error = busy;
    REQUIRE(history.query.runs({}, std::nullopt, 1).status() == busy);
  }
  SECTION("scan") {
    history.store.scan_error = busy;
    StatsRequest of_host;
    of_host.filter.host = "h";
    REQUIRE(history.query.stats(of_host).status() == busy);
  }
  SECTION("summarize") {
    history.store.summarize_error = busy;
    const StatsRequest of_all;
    REQUIRE(history.query.stats(of_all).status() == busy);
    REQUIRE(history.query.job("job", kNow).status() == busy);
    REQUIRE(history.query.jobs({}).status() == busy);
    const ProfileRequest profile_of_all;
    REQUIRE(history.query.profile(profile_of_all).status() == busy);
    REQUIRE(history.query.top({}).status() == busy);
  }
  SECTION("jobs") {
    history.store.jobs_error = busy;
    REQUIRE(history.query.jobs({}).status() == busy);
    REQUIRE(history.query.job("job", kNow).status() == busy);
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::query

#include "aggregator/wire/answers.h"

#include <limits>

#include "aggregator/wire/wire.h"
#include "kleptometrics/v1/query.pb.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::full_run;
using fakes::started;

template <typename Message>
Message parsed(const std::string& bytes) {
  Message message;
  REQUIRE(message.ParseFromString(bytes));
  return message;
}

TEST_CASE("a run in an answer carries all that a stored one does") {
  const auto page = parsed<v1::RunPage>(encode_run_page(full_run()));
  const auto stored = parsed<v1::PushRequest>(encode_run(full_run()));
  REQUIRE(page.runs_size() == 1);
  CHECK(page.runs(0).SerializeAsString() == stored.runs(0).SerializeAsString());
  CHECK(std::vector<std::string>(page.strings().begin(), page.strings().end()) ==
        std::vector<std::string>(stored.strings().begin(), stored.strings().end()));
}

TEST_CASE("readers see what was added in place of the snapshot's own, and nothing of how that came about") {
  Run run = full_run();
  run.annotations = {2, {{"region", "us"}, {"ticket", "42"}}, "known bug"};
  const auto page = parsed<v1::RunPage>(encode_run_page(run));
  const v1::Run& out = page.runs(0);
  CHECK_FALSE(out.has_annotations());
  CHECK(out.failure().message() == "known bug");
  REQUIRE(out.labels_size() == 4);
  CHECK(page.strings(static_cast<int>(out.labels(2).value())) == "us");
}

TEST_CASE("the runs of a page share their strings") {
  const auto page = parsed<v1::RunPage>(encode_runs({started("a", 1), started("b", 2), started("a", 3)}, "next"));
  CHECK(page.strings_size() == 3);
  CHECK(page.runs(0).job() == page.runs(2).job());
  CHECK(page.next_page_token() == "next");
  CHECK(parsed<v1::RunPage>(encode_runs({}, "")).runs_size() == 0);
}

TEST_CASE("a job shows its last run without its steps, or none") {
  const Run run = full_run();
  const stats::Stats stats;
  JobAnswer job{"nightly", "ok", &run, &stats, nullptr};
  CHECK(parsed<v1::Job>(encode_job(job)).last_run().runs(0).steps_size() == 0);
  job.last_run = nullptr;
  CHECK_FALSE(parsed<v1::Job>(encode_job(job)).has_last_run());
}

TEST_CASE("what is unknown is absent, and zero is not") {
  stats::Stats stats;
  stats.min = 0;
  stats.mean = std::numeric_limits<double>::infinity();
  const auto out = parsed<v1::Stats>(encode_stats(stats, {"j", "duration", ""}));
  CHECK(out.has_min());
  CHECK_FALSE(out.has_mean());
  CHECK_FALSE(out.has_median());
  CHECK_FALSE(out.has_high());
}

TEST_CASE("of a comparison of runs only what was compared is there, each without its steps") {
  stats::RunComparison comparison;
  comparison.run = full_run();
  comparison.total.value = 3;
  comparison.verdict = stats::Verdict::kFaster;
  comparison.explanation = "faster";
  auto out = parsed<v1::RunComparison>(encode_run_comparison(comparison));
  CHECK(out.run().runs(0).steps_size() == 0);
  CHECK_FALSE(out.has_to());
  CHECK_FALSE(out.has_baseline());
  CHECK_FALSE(out.has_percentile_rank());
  CHECK(out.total().value() == 3);
  CHECK_FALSE(out.total().has_reference());
  CHECK(out.verdict() == "faster");
  comparison.to = full_run();
  comparison.baseline.emplace();
  out = parsed<v1::RunComparison>(encode_run_comparison(comparison));
  CHECK(out.to().runs_size() == 1);
  CHECK(out.baseline().job() == full_run().job);
}

TEST_CASE("change points repeat what they are about, and come in their order") {
  stats::ChangePoints found;
  found.points = 7;
  found.changes.resize(2);
  found.changes[0].at = 5;
  found.changes[0].versions_after = {"a", "b\xff"};
  found.changes[1].ratio = 2;
  const auto out = parsed<v1::ChangePoints>(encode_changes(found, {"nightly", "duration", "load"}));
  CHECK(out.job() == "nightly");
  CHECK(out.step() == "load");
  CHECK(out.points() == 7);
  REQUIRE(out.changes_size() == 2);
  CHECK(out.changes(0).at_ns() == 5);
  CHECK_FALSE(out.changes(0).has_ratio());
  CHECK(out.changes(0).versions_after(1) == "b?");
  CHECK(out.changes(1).ratio() == 2);
}

TEST_CASE("texts of whoever asks become readable") {
  const auto out = parsed<v1::Stats>(encode_stats({}, {"größe", "counter:\xc3\x28", "\xff"}));
  CHECK(out.job() == "größe");
  CHECK(out.measure() == "counter:?(");
  CHECK(out.step() == "?");
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire

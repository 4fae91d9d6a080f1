// A seeded random walk of commits, replays, verdicts, overrules, cancellations, annotations, expiry and restarts: after
// each step a store answers what the memory store answers, sums included, and finds no fault with itself.
#include <map>
#include <random>
#include <tuple>

#include "aggregator/stats/rollup.h"
#include "aggregator/store/memory_store.h"
#include "aggregator/wire/rollups.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::kStart;
using fakes::seconds;
using stats::kDay;
using stats::kHour;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t kSeeds = 20;  // each takes ten times as long
#else
constexpr std::uint32_t kSeeds = 200;
#endif
constexpr std::uint32_t kIds = 150;
constexpr Nanos kDay0 = kStart / kDay * kDay;

// What pieces add up to, by job, stretch of time and series. Numbers that are no times are compared apart.
class Sums final : public Pieces {
 public:
  Sums(Stretch::By by, stats::Series asked) : by_(by), asked_(std::move(asked)) {}

  void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) override {
    if (series == asked_) {
      if (series.durations()) {
        whole(job, start).merge(piece);
      } else {
        for (std::size_t i = 0; i < piece.outcomes.size(); ++i)
          whole(job, start).outcomes[i].values.merge(piece.outcomes[i].values);
      }
      return;
    }
    REQUIRE(series.durations());
    for (std::size_t i = 0; i < piece.outcomes.size(); ++i) {
      whole(job, start).outcomes[i].runs += piece.outcomes[i].runs;
      whole(job, start).outcomes[i].late += piece.outcomes[i].late;
    }
  }
  void run(const Run& run) override {
    REQUIRE(terminal(run.state));
    using stats::Resolution;
    const Resolution resolution = by_ == Stretch::By::kAll    ? Resolution::kAll
                                  : by_ == Stretch::By::kHour ? Resolution::kHour
                                                              : Resolution::kDay;
    whole(run.job, start_of(run.started_at, resolution)).add(run, asked_);
  }
  const std::map<std::pair<std::string, Nanos>, stats::Rollup>& sums() const { return sums_; }

 private:
  stats::Rollup& whole(const std::string& job, Nanos start) { return sums_[{job, start}]; }

  const Stretch::By by_;
  const stats::Series asked_;
  std::map<std::pair<std::string, Nanos>, stats::Rollup> sums_;
};

bool near(double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::max(std::abs(a), std::abs(b))); }

// Moments of numbers round; everything else is the same to the last bit.
void require_same(const stats::Rollup& one, const stats::Rollup& other) {
  for (std::size_t i = 0; i < one.outcomes.size(); ++i) {
    const stats::Rollup::Outcome& a = one.outcomes[i];
    const stats::Rollup::Outcome& b = other.outcomes[i];
    REQUIRE(a.runs == b.runs);
    REQUIRE(a.late == b.late);
    REQUIRE(a.values.count == b.values.count);
    REQUIRE(a.values.times == b.values.times);
    REQUIRE(a.values.sketch.encode() == b.values.sketch.encode());
    if (a.values.count == 0) continue;
    REQUIRE(a.values.low == b.values.low);
    REQUIRE(a.values.high == b.values.high);
    REQUIRE(near(a.values.numbers.mean, b.values.numbers.mean));
    const double largest = std::max(std::abs(a.values.low.amount.number), std::abs(a.values.high.amount.number));
    const double rounding = 1e-9 * (1 + static_cast<double>(a.values.count) * largest * largest);
    REQUIRE(std::abs(a.values.numbers.deviations - b.values.numbers.deviations) <= rounding);
  }
}

class Walk {
 public:
  explicit Walk(std::uint32_t seed) : random_(seed) {}

  std::vector<Run> batch() {
    std::vector<Run> runs(below(25));
    for (Run& run : runs) run = any_run();
    return runs;
  }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  // Snapshots of few ids; an id decides job and start. Many runs of one job fall into one hour.
  Run any_run() {
    const std::uint32_t number = below(kIds);
    const Nanos start = kDay0 + (number % 3 == 0 ? seconds(number) : Nanos{number} * 41 * 60 * kNanosPerSecond);
    Run run = fakes::started(number % 3 == 0 ? "dense" : "job" + std::to_string(number % 5), number, start);
    if (number % 2 == 0) run.id = version_7(number, start);
    run.revision = 1 + below(4);
    run.state = static_cast<State>(1 + below(5));
    if (terminal(run.state)) {
      run.duration = one_in(8) ? 0 : seconds(1 + below(20));
      run.finished_at = start + *run.duration + below(3);
      run.verdict = run.state == State::kCrashed && one_in(2);
    }
    if (one_in(2)) run.scheduled_at = start - seconds(below(120));
    if (one_in(3)) run.counters["rows"] = below(4) * (one_in(5) ? 0.25 : 10);
    if (one_in(4)) run.resources.max_rss_bytes = 4096 * (1 + below(9));
    if (one_in(4)) run.resources.cpu_user = 1000 * below(9);
    if (one_in(4)) {
      Step step;
      step.name = one_in(2) ? "load" : "load/parse";
      step.count = 1;
      step.total = step.min = step.max = 1 + below(5);
      step.sketch.add(step.total);
      run.steps.push_back(step);
    }
    if (one_in(10)) run = annotated(run, 1 + below(3));
    return run;
  }
  static Uuid version_7(std::uint32_t number, Nanos at) {
    Uuid id = fakes::id_of(number);
    const auto millis = static_cast<std::uint64_t>(at / 1'000'000);
    for (unsigned i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
    id.bytes[6] = 0x70;
    return id;
  }

  std::mt19937 random_;
};

void compare_sums(Store& store, Store& model, const SummaryRequest& request, Stretch::By by) {
  Sums ours(by, request.series);
  Sums theirs(by, request.series);
  REQUIRE(store.summarize(request, ours) == absl::OkStatus());
  REQUIRE(model.summarize(request, theirs) == absl::OkStatus());
  REQUIRE(ours.sums().size() == theirs.sums().size());
  for (const auto& [key, sum] : ours.sums()) {
    CAPTURE(key.first, key.second, text_of(request.series));
    REQUIRE(theirs.sums().contains(key));
    require_same(sum, theirs.sums().at(key));
  }
}

void compare(Store& store, Store& model, Walk& walk) {
  const Nanos since = kDay0 + Nanos{walk.below(4)} * kDay;
  const Nanos until = since + Nanos{1 + walk.below(3)} * kDay;
  const std::string job = walk.one_in(2) ? "" : walk.one_in(2) ? "dense" : "job1";
  for (const char* const name : {"duration", "start_delay", "counter:rows", "seconds_per:rows", "max_rss_bytes", "cpu",
                                 "step:load", "step:load/parse"}) {
    const stats::Series series = *stats::series_named(name);
    compare_sums(store, model, {job, series, {{Stretch::By::kAll}}}, Stretch::By::kAll);
    compare_sums(store, model, {job, series, {{Stretch::By::kDay, since, until}}}, Stretch::By::kDay);
    if (series.durations())
      compare_sums(store, model, {job, series, {{Stretch::By::kHour, since + 3 * kHour, until}}}, Stretch::By::kHour);
  }
  const std::vector<JobHead> heads = must(store.jobs());
  const std::vector<JobHead> expected = must(model.jobs());
  REQUIRE(heads.size() == expected.size());
  for (std::size_t i = 0; i < heads.size(); ++i) {
    CAPTURE(heads[i].name);
    REQUIRE(heads[i].name == expected[i].name);
    REQUIRE(heads[i].spec == expected[i].spec);
    REQUIRE(heads[i].last_run == expected[i].last_run);
    REQUIRE(heads[i].last_verdict == expected[i].last_verdict);
    REQUIRE(heads[i].running == expected[i].running);
    REQUIRE(must(store.complete_since(heads[i].name)) == must(model.complete_since(heads[i].name)));
  }
  const auto list = [](Store& of, const RunFilter& filter) { return must(of.runs(filter, std::nullopt, 1000)).runs; };
  REQUIRE(list(store, {}) == list(model, {}));
  REQUIRE(list(store, {.job = "dense"}) == list(model, {.job = "dense"}));
  const RunFilter bad{.states = {State::kFailed, State::kCrashed}};
  REQUIRE(list(store, bad) == list(model, bad));
}

void keep_house(Store& store, Nanos now, bool idle) {
  for (int slice = 0; slice < 1000; ++slice) {
    if (!must(store.maintain(now, idle)).more) return;
  }
  FAIL("housekeeping does not come to an end");
}

void walk_through(std::uint32_t seed, const Kind& kind) {
  CAPTURE(seed, kind);
  Shop shop(kind);
  MemoryStore model;
  Walk walk(seed);
  Nanos now = kDay0 + 8 * kDay;
  for (int step = 0; step < 40; ++step) {
    now += seconds(walk.below(7200));
    const std::vector<Run> batch = walk.batch();
    REQUIRE(must(shop.store().commit(batch, now)) == must(model.commit(batch, now)));
    if (walk.one_in(12)) {
      const JobSpec spec{.description = "of " + std::to_string(step), .retention_days = 3 + walk.below(6)};
      const std::string job = walk.one_in(2) ? "dense" : "job2";
      REQUIRE(shop.store().put_job(job, spec) == absl::OkStatus());
      REQUIRE(model.put_job(job, spec) == absl::OkStatus());
    }
    if (walk.one_in(6)) {
      if (walk.one_in(2)) now += walk.below(3) * kDay;
      keep_house(shop.store(), now, walk.one_in(2));
      keep_house(model, now, true);
    }
    if (walk.one_in(8)) shop.reopen();
    if (walk.one_in(4)) compare(shop.store(), model, walk);
    if (walk.one_in(10)) REQUIRE(must(shop.store().verify(5)) == std::vector<std::string>());
  }
  compare(shop.store(), model, walk);
  REQUIRE(must(shop.store().verify(5)) == std::vector<std::string>());
}

void walk_all(std::uint32_t settle_runs, std::uint32_t part) {
  for (std::uint32_t seed = 1 + part; seed <= kSeeds; seed += 4) walk_through(seed, {"sqlite", true, settle_runs});
}

TEST_CASE("random walks leave SQLite's sums as they leave the model's, settled at every commit") { walk_all(1, 0); }
TEST_CASE("random walks leave SQLite's sums as they leave the model's, settled often") { walk_all(25, 1); }
TEST_CASE("random walks leave SQLite's sums as they leave the model's, settled now and then") { walk_all(90, 2); }
TEST_CASE("random walks leave SQLite's sums as they leave the model's, settled by age alone") { walk_all(5000, 3); }

TEST_CASE("random walks leave PostgreSQL's sums as they leave the model's") {
  const std::size_t settle_runs = GENERATE(std::size_t{1}, std::size_t{25}, std::size_t{90}, std::size_t{5000});
  if (!postgres_is_there()) return;
  for (std::uint32_t seed = 1; seed <= kSeeds / 20; ++seed)
    walk_through(seed, postgres_kind("postgresql", settle_runs));
}

TEST_CASE("random walks leave Redis's sums as they leave the model's") {
  if (!redis_is_there()) return;
  for (std::uint32_t seed = 1; seed <= kSeeds / 5; ++seed) walk_through(seed, redis_kind());
}

}  // namespace
}  // namespace kleptometrics::aggregator

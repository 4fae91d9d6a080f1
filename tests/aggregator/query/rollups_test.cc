// Answers from days, hours and single runs against the same from every run that there ever was: at random, before and
// after runs have expired.
#include <map>
#include <random>
#include <set>
#include <utility>

#include "absl/time/civil_time.h"
#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/aggregator/query/near.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;
using stats::kDay;
using stats::kHour;

constexpr int kSeeds = 12;
constexpr int kQuestions = 12;
constexpr int kRuns = 300;
constexpr Nanos kDays = 60;

constexpr const char* kZones[] = {"UTC",          "Europe/Berlin",       "America/New_York", "Europe/London",
                                  "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"};
constexpr const char* kMeasures[] = {"duration", "start_delay", "counter:rows", "seconds_per:rows"};

struct World {
  fakes::FaultyStore store;
  Query query{store};
  std::mt19937_64 random;
  Nanos begin = at("2024-02-20T00:00:00Z");  // the clocks of all the zones are changed within the time behind it
  std::vector<Run> all;

  explicit World(std::uint64_t seed) : random(seed) {
    for (std::uint32_t number = 1; number <= kRuns; ++number) keep(any_run(number));
  }

  Nanos below(Nanos end) { return std::uniform_int_distribution<Nanos>(0, end - 1)(random); }
  bool chance(Nanos in) { return below(in) == 0; }
  // Often where something begins.
  Nanos any_instant() {
    const Nanos at = begin + below(kDays * kDay);
    if (chance(4)) return at / kDay * kDay;
    if (chance(3)) return at / kHour * kHour;
    return chance(3) ? at / (kHour / 2) * (kHour / 2) : at;
  }

  Run any_run(std::uint32_t number) {
    constexpr State kStates[] = {State::kSucceeded, State::kSucceeded, State::kSucceeded,
                                 State::kFailed,    State::kCanceled,  State::kCrashed};
    Run run = started(chance(3) ? "b" : "a", number, any_instant());
    if (chance(3)) run.scheduled_at = run.started_at - below(3 * 60) * kNanosPerSecond;
    if (!chance(4)) run.counters["rows"] = static_cast<double>(below(5'000)) / 4;
    if (chance(2)) {
      Step step;
      step.name = "load";
      step.count = 1;
      step.total = step.min = step.max = static_cast<std::uint64_t>(below(kHour));
      run.steps.push_back(step);
    }
    if (chance(20)) return run;
    return finished(run, chance(9) ? 0 : below(chance(5) ? 30 * kHour : 100 * kNanosPerSecond), kStates[below(6)]);
  }

  void keep(const Run& run) {
    REQUIRE(store.commit({run}, run.finished_at.value_or(run.started_at) + below(kHour)).ok());
    all.push_back(run);
  }

  std::uint64_t expire() {
    JobSpec spec;
    spec.retention_days = static_cast<std::uint32_t>(5 + below(30));
    REQUIRE(store.put_job("a", spec).ok());
    const auto done = store.maintain(begin + kDays * kDay, true);
    REQUIRE(done.ok());
    return done->expired;
  }

  StatsRequest any_request() {
    StatsRequest request;
    request.filter.job = chance(4) ? "b" : "a";
    if (chance(3)) {
      request.step = "load";
    } else {
      request.measure = *stats::Measure::parse(kMeasures[below(4)]);
    }
    if (chance(3)) request.outcomes = {State::kFailed, State::kSucceeded, State::kCrashed};
    if (!chance(4)) request.filter.since = any_instant();
    if (!chance(4)) request.filter.until = any_instant();
    RunFilter& filter = request.filter;
    if (filter.since && filter.until && *filter.since > *filter.until) std::swap(filter.since, filter.until);
    return request;
  }

  // From every run of [since, until) that `select` takes.
  template <typename Select>
  stats::Stats exact(const StatsRequest& request, Calendar::Span span, Select select) const {
    stats::Accumulator values(request.measure, request.step, request.outcomes, kGraceDefault);
    for (const Run& run : all) {
      const bool within = run.started_at >= span.start && run.started_at < span.end;
      const bool its = request.filter.job.empty() || run.job == request.filter.job;
      if (within && its && select(run)) values.add(run);
    }
    return values.finish();
  }
  stats::Stats exact(const StatsRequest& request, Calendar::Span span) const {
    return exact(request, span, [](const Run&) { return true; });
  }
};

// What the answer says it is about: what was asked for, or rounded outward to the end of that hour or day.
Calendar::Span span_of(const RunFilter& filter, const stats::Rounded& rounded, Nanos smallest) {
  const Calendar::Span asked = {filter.since.value_or(0), filter.until.value_or(kNanosEnd)};
  if (!rounded.approximate) return asked;
  REQUIRE(rounded.since.has_value() == filter.since.has_value());
  REQUIRE(rounded.until.has_value() == filter.until.has_value());
  const Calendar::Span out = {rounded.since.value_or(0), rounded.until.value_or(kNanosEnd)};
  CHECK((out.start == asked.start || (out.start % smallest == 0 && out.start < asked.start)));
  CHECK((out.end == asked.end || (out.end % smallest == 0 && out.end > asked.end)));
  CHECK(asked.start - out.start < smallest);
  CHECK(out.end - asked.end < smallest);
  return out;
}

Nanos smallest_of(const StatsRequest& request) {
  return request.step.empty() && request.measure == stats::Measure() ? kHour : kDay;
}

bool expired_in(World& world, const StatsRequest& request) {
  return *world.store.complete_since(request.filter.job) > request.filter.since.value_or(0);
}

void check_stats(World& world, const StatsRequest& request) {
  const auto stats = world.query.stats(request);
  REQUIRE(stats.ok());
  if (!expired_in(world, request)) CHECK_FALSE(stats->rounded.approximate);
  check_near(*stats, world.exact(request, span_of(request.filter, stats->rounded, smallest_of(request))));
}

void check_history(World& world, const StatsRequest& request, const absl::TimeZone& zone) {
  const HistoryRequest question{request, Calendar(zone, static_cast<Unit>(world.below(4))), 1};
  const auto history = world.query.history(question);
  REQUIRE(history.ok());
  if (!expired_in(world, request)) CHECK_FALSE(history->rounded.approximate);
  const Calendar::Span whole = span_of(request.filter, history->rounded, smallest_of(request));
  std::uint64_t counted = 0;
  Nanos end = 0;
  for (const stats::Bucket& bucket : history->buckets) {
    INFO(instant_text(bucket.start) << " .. " << instant_text(bucket.end));
    CHECK(bucket.start >= end);
    CHECK(question.calendar.span_of(bucket.start).end == bucket.end);
    Calendar::Span span = {std::max(bucket.start, request.filter.since.value_or(0)),
                           std::min(bucket.end, request.filter.until.value_or(kNanosEnd))};
    if (bucket.stats.rounded.approximate) {
      CHECK(history->rounded.approximate);
      span = {*bucket.stats.rounded.since, *bucket.stats.rounded.until};
    }
    check_near(bucket.stats, world.exact(request, span));
    counted += bucket.stats.count;
    end = bucket.end;
  }
  CHECK(counted == world.exact(request, whole).count);  // nothing is left out, nothing is in two buckets
}

void check_profile(World& world, const StatsRequest& request, const absl::TimeZone& zone) {
  const auto profile = world.query.profile({request, zone, 1});
  REQUIRE(profile.ok());
  const Calendar::Span whole = span_of(request.filter, profile->rounded, smallest_of(request));
  std::uint64_t counted = 0;
  for (const stats::Cell& cell : profile->cells) {
    counted += cell.stats.count;
    if (profile->rounded.approximate) continue;
    check_near(cell.stats, world.exact(request, whole, [&](const Run& run) {
      const absl::CivilHour hour = absl::ToCivilHour(absl::FromUnixNanos(run.started_at), zone);
      const auto weekday = static_cast<std::size_t>(absl::GetWeekday(absl::CivilDay(hour)));
      return static_cast<std::size_t>(hour.hour()) == cell.hour && weekday == cell.weekday;
    }));
  }
  CHECK(counted == world.exact(request, whole).count);
}

void check_top(World& world, const StatsRequest& request) {
  TopRequest question;
  question.since = request.filter.since;
  question.until = request.filter.until;
  question.rank = static_cast<stats::Rank>(world.below(6));
  const auto top = world.query.top(question);
  REQUIRE(top.ok());
  const Calendar::Span span = span_of(request.filter, top->rounded, kHour);
  std::set<std::string> ranked;
  double last = std::numeric_limits<double>::infinity();
  for (const stats::RankedJob& job : top->jobs) {
    StatsRequest of_job;
    of_job.filter.job = job.job;
    check_near(job.stats, world.exact(of_job, span));
    CHECK(ranked.insert(job.job).second);
    CHECK(job.value <= last);
    last = job.value;
    if (question.rank == stats::Rank::kMax) CHECK(job.value == job.stats.max);
    if (question.rank == stats::Rank::kDelays) CHECK(job.value == static_cast<double>(job.stats.late));
  }
  for (const char* job : {"a", "b"}) {
    StatsRequest of_job;
    of_job.filter.job = job;
    const stats::Stats exact = world.exact(of_job, span);
    const bool valued = question.rank == stats::Rank::kFailures ? exact.failed + exact.crashed > 0
                        : question.rank == stats::Rank::kDelays ? exact.late > 0
                                                                : exact.count > 0;
    CHECK(ranked.contains(job) == valued);
  }
}

void ask(World& world) {
  for (int i = 0; i < kQuestions; ++i) {
    const StatsRequest request = world.any_request();
    const char* const zone = kZones[world.below(std::size(kZones))];
    INFO("question " << i << " in " << zone << " of " << stats::text_of({request.measure, request.step}) << " of "
                     << request.filter.job << " since " << instant_text(request.filter.since.value_or(0)) << " until "
                     << instant_text(request.filter.until.value_or(kNanosEnd)));
    check_stats(world, request);
    check_history(world, request, *find_time_zone(zone));
    check_profile(world, request, *find_time_zone(zone));
    check_top(world, request);
  }
}

TEST_CASE("answers from pieces are those from all runs, also when runs have expired") {
  std::uint64_t expired = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    ask(world);
    CHECK(world.store.scans == 0);
    expired += world.expire();
    ask(world);
  }
  CHECK(expired > kSeeds * kRuns / 10);
}

TEST_CASE("with other filters answers are of what is left, and say from when on that is everything") {
  World world(7);
  StatsRequest request;
  request.filter.job = "a";
  request.filter.host = "h";
  const auto ran = [&world](std::uint32_t number, Nanos start) {
    Run run = finished(started("a", number, start), seconds(10));
    run.host = "h";
    world.keep(run);
  };
  ran(10'001, world.begin);
  ran(10'002, world.begin + kDays * kDay - kHour);
  CHECK(world.query.stats(request)->count == 2);
  CHECK_FALSE(world.query.stats(request)->rounded.approximate);
  REQUIRE(world.expire() > 0);
  const auto stats = world.query.stats(request);
  const Nanos complete = *world.store.complete_since("a");
  CHECK(stats->count == 1);
  CHECK(stats->rounded.approximate);
  CHECK(stats->rounded.since == complete);
  CHECK_FALSE(stats->rounded.until);
  CHECK(world.query.history({request, {}, 1})->rounded.since == complete);
  CHECK(world.query.profile({request, absl::UTCTimeZone(), 1})->rounded.since == complete);
  request.filter.until = world.begin + kHour;
  CHECK(world.query.stats(request)->rounded.since == request.filter.until);
  request.filter.until.reset();
  request.filter.since = complete;
  CHECK_FALSE(world.query.stats(request)->rounded.approximate);
}

// Runs expire while the question is asked: between the look at what is complete and the view of the store.
struct ExpiringStore final : fakes::ForwardingStore {
  int times = 0;
  Nanos now = 0;
  absl::Status summarize(const SummaryRequest& request, Pieces& pieces) override {
    if (times > 0) {
      --times;
      now += kHour;
      REQUIRE(inner->maintain(now, true).ok());
    }
    return inner->summarize(request, pieces);
  }
};

TEST_CASE("runs that expire while they are looked for are not missed") {
  ExpiringStore store;
  Query query(store);
  store.now = fakes::kStart / kDay * kDay + 10 * kDay;
  JobSpec spec;
  spec.retention_days = 5;
  REQUIRE(store.put_job("job", spec).ok());
  for (std::uint32_t i = 0; i < 240; ++i) {
    const Run run = finished(started("job", i, fakes::kStart / kDay * kDay + i * kHour + 1), seconds(1));
    REQUIRE(store.commit({run}, run.started_at).ok());
  }
  StatsRequest request;
  request.filter.job = "job";
  request.filter.since = fakes::kStart / kDay * kDay + 100 * kHour + kHour / 2;
  store.times = GENERATE(1, 2, 100);
  const auto stats = query.stats(request);
  REQUIRE(stats.ok());
  CHECK(stats->rounded.approximate);
  CHECK(stats->rounded.since == *request.filter.since - kHour / 2);
  CHECK(stats->count == 140);
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
